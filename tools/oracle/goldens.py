"""Writes the golden files of the tests: `python tools/oracle/goldens.py all` (or one of the parts below).

The product and its tests never run this; they read what it wrote under packages/*/test/golden.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

import adapters
import added
import catalogue
import decoders
import encoders
import files
import layers
import logistic
import methods
import minilm
import models
import operations
import ops
import optimisers
import prompts
import sentences
import similarity

PARTS = {
    'bert': models.bert,
    'encoders': encoders.encoders,
    'llama': models.llama,
    'decoders': decoders.decoders,
    'optimisers': optimisers.optimisers,
    'losses': optimisers.losses,
    'layers': layers.layers,
    'ops': ops.ops,
    'catalogue': catalogue.catalogue,
    'lora': adapters.lora,
    'methods': methods.methods,
    'prompts': prompts.prompts,
    'added': added.added,
    'logistic': logistic.logistic,
    'operations': operations.operations,
    'files': files.files,
    'cka': similarity.cka,
    'sentence-poolings': sentences.poolings,
    'minilm-hidden': minilm.hidden_states,
    'minilm-training': minilm.training,
    'minilm-sentences': sentences.embeddings,
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('part', choices=['all', 'export-minilm', *PARTS])
    parser.add_argument('--to', type=Path, help='folder for export-minilm')
    return parser.parse_args()


def main() -> None:
    os.environ['HF_HUB_OFFLINE'] = '1'
    torch.set_num_threads(1)
    arguments = parse()
    if arguments.part == 'export-minilm':
        minilm.export(arguments.to or minilm.MODEL)
        return
    for name, part in PARTS.items():
        if arguments.part in ('all', name):
            part()


if __name__ == '__main__':
    main()
