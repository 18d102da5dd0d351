"""Do PEFT and `adapters` open what Camada wrote, and compute the same? One adapter of each method on the tiny models.

`python tools/oracle/added_check.py peft` (or `hub`, in the environment of bottlenecks.py) after `npm run build`. Prints the
largest difference of logits for each method; exit code 1 where one exceeds 1e-4 of the largest logit, or of 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from store import ROOT, folder

TOLERANCE = 1e-4


def base_of(name: str) -> torch.nn.Module:
    kind = AutoModelForSequenceClassification if name.endswith('classifier') else AutoModelForCausalLM
    return kind.from_pretrained(folder('nn', name), attn_implementation='eager').eval()


def inputs_of(name: str) -> dict[str, torch.Tensor]:
    record = load_file(folder('nn', name) / 'golden.safetensors')
    wanted = ('input_ids', 'attention_mask', 'token_type_ids')
    return {key: record[f'input.{key}'].long() for key in wanted if f'input.{key}' in record}


def opened(base: str, path: Path, hub: bool) -> torch.nn.Module:
    model = base_of(base)
    if not hub:
        from peft import PeftModel

        return PeftModel.from_pretrained(model, path).eval()
    sys.path = [entry for entry in sys.path if Path(entry or '.').resolve() != Path(__file__).parent]
    import adapters

    adapters.init(model)
    model.set_active_adapters(model.load_adapter(str(path), with_head=True, use_safetensors=True))
    return model.eval()


def main() -> int:
    hub = sys.argv[1:] == ['hub']
    failures = 0
    with tempfile.TemporaryDirectory() as work:
        script = ROOT / 'tools' / 'oracle' / 'adapters-of-ours.mjs'
        subprocess.run(['node', script, work], cwd=ROOT, check=True)
        for name, record in json.loads((Path(work) / 'logits.json').read_text()).items():
            if (name.startswith(('houlsby', 'pfeiffer'))) != hub:
                continue
            with torch.no_grad():
                theirs = opened(record['base'], Path(work) / name, hub)(**inputs_of(record['base'])).logits
            ours = torch.tensor(record['logits']).reshape(theirs.shape)
            difference = ((ours - theirs).abs().max() / max(1.0, theirs.abs().max())).item()
            failures += difference > TOLERANCE
            print(f'{name:16s} {difference:.1e}')
    return int(failures > 0)


if __name__ == '__main__':
    sys.exit(main())
