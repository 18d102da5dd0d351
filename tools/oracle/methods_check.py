"""Adapters that Camada wrote, of every low-rank method, opened by PEFT: the same logits, as many parameters that train.

`python tools/oracle/methods_check.py` needs `npm run build`; it runs methods.mjs on the tiny models of the tests. The
reverse, PEFT's adapters in Camada, are the tests that read methods.py's goldens. Exit code 1 if a check fails.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from pathlib import Path

import torch
from peft import PeftConfig, PeftModel, get_peft_model
from safetensors.torch import load_file

from methods import open_base
from peft_check import TOLERANCE, run_node
from store import ROOT

WORK = ROOT / '.cache' / 'methods-check'


def inputs_of(golden: str) -> dict[str, torch.Tensor]:
    path = ROOT / 'packages' / 'lora' / 'test' / 'golden' / 'methods' / golden / 'golden.safetensors'
    found = {key: value.long() for key, value in load_file(path).items() if key.startswith('input.')}
    return {key.removeprefix('input.'): value for key, value in found.items() if key != 'input.labels'}


def trainable_in_peft(base: str, config: PeftConfig) -> int:
    """What PEFT trains with the config, from a fresh start."""
    config.inference_mode = False
    return get_peft_model(open_base(base)[0], config).get_nb_trainable_parameters()[0]


def check(answer: dict) -> bool:
    ours = torch.tensor(answer['logits']).reshape(answer['shape'])
    model = PeftModel.from_pretrained(open_base(answer['base'])[0], answer['folder']).eval()
    with torch.no_grad():
        theirs = model(**inputs_of(answer['golden'])).logits
        with model.disable_adapter():
            moved = (model(**inputs_of(answer['golden'])).logits - theirs).abs().max().item()
    difference = (ours - theirs).abs().max().item()
    config = PeftConfig.from_pretrained(answer['folder'])
    # Stored, PiSSA and OLoRA have twice the rank that trains, and AdaLoRA fewer triplets.
    same = 'stored otherwise'
    if not answer['name'].startswith(('pissa', 'olora', 'adalora')):
        count = trainable_in_peft(answer['base'], config)
        same = 'as many train' if count == answer['trainable'] else f'PEFT trains {count}, Camada {answer["trainable"]}'
    good = difference <= TOLERANCE and moved > 0.01 and not same.startswith('PEFT')
    print(f'{"ok " if good else "BAD"} {difference:.1e} (moves logits by {moved:.2f})  {answer["name"]}: {same}', flush=True)
    return good


def main() -> None:
    warnings.filterwarnings('ignore')
    torch.set_num_threads(1)
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    answers = run_node([str(Path('tools/oracle/methods.mjs')), str(WORK)])['answers']
    sys.exit(0 if all([check(answer) for answer in answers]) else 1)


if __name__ == '__main__':
    main()
