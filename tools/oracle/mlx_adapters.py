"""Adapters of mlx-lm itself, and ours read by it. Needs `pip install --no-deps mlx mlx-cpu mlx-lm==0.28.4` (Linux, too).

`python tools/oracle/mlx_adapters.py` writes packages/lora/test/golden/mlx-*: adapters as mlx-lm's trainer saves them, and logits.
`python tools/oracle/mlx_adapters.py check` (after `npm run build`) converts PEFT's LoRA with `camada convert` and loads it in mlx-lm.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import mlx.core as mx
import numpy as np
import torch
from mlx.utils import tree_flatten
from mlx_lm.tuner.utils import linear_to_lora_layers, load_adapters
from mlx_lm.utils import load_model
from safetensors.numpy import load_file

from store import ROOT, folder, write_tensors

LLAMA = folder('nn', 'llama-tied')
KINDS = {
    'lora': (2, {'rank': 3, 'scale': 5.0, 'dropout': 0.0, 'keys': ['self_attn.q_proj', 'mlp.down_proj']}),
    'dora': (-1, {'rank': 2, 'scale': 20.0, 'dropout': 0.0, 'keys': ['self_attn.v_proj']}),
}


def write_adapter(kind: str) -> None:
    layers, parameters = KINDS[kind]
    model, _ = load_model(LLAMA)
    model.freeze()
    linear_to_lora_layers(model, layers, parameters, use_dora=kind == 'dora')
    mx.random.seed(5)
    trained = [(name, value + 0.2 * mx.random.normal(value.shape)) for name, value in tree_flatten(model.trainable_parameters())]
    model.load_weights(trained, strict=False)
    path = folder('lora', f'mlx-{kind}')
    mx.save_safetensors(str(path / 'adapters.safetensors'), dict(tree_flatten(model.trainable_parameters())))
    config = {'fine_tune_type': kind, 'num_layers': layers, 'lora_parameters': parameters}
    settings = {'model': 'llama-tied', 'adapter_path': 'adapters', 'batch_size': 4, 'iters': 100, 'seed': 0, 'train': True}
    (path / 'adapter_config.json').write_text(json.dumps(config | settings, indent=4, sort_keys=True))
    ids = np.random.default_rng(3).integers(3, 100, (2, 7), dtype=np.int32)
    logits = np.array(model(mx.array(ids)))
    write_tensors(path / 'golden.safetensors', {'ids': torch.from_numpy(ids), 'logits': torch.from_numpy(logits)})


def check() -> None:
    """PEFT's logits, by mlx-lm on the converted adapter, where no padding is in the way."""
    golden = ROOT / 'packages/lora/test/golden/llama'
    with tempfile.TemporaryDirectory() as scratch:
        converted = Path(scratch) / 'mlx'
        command = ['packages/finetune/bin/camada.js', 'convert', '--adapter', golden / 'trained', '--to', 'mlx-lm']
        subprocess.run(['node', *command, '--output', converted], cwd=ROOT, check=True)
        model, _ = load_model(LLAMA)
        load_adapters(model, str(converted))
    record = load_file(golden / 'golden.safetensors')
    ours = np.array(model(mx.array(record['input.input_ids'])))
    seen = record['input.attention_mask'] == 1
    worst = float(np.abs(ours - record['logits'])[seen].max())
    print(f'largest difference to the logits of PEFT: {worst:.1e}')
    if not worst < 1e-4:
        raise SystemExit('mlx-lm reads something else than was written')


if __name__ == '__main__':
    if sys.argv[1:] == ['check']:
        check()
    else:
        for each in KINDS:
            write_adapter(each)
