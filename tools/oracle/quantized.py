"""Packed weights: every ggml block type by gguf-py; NF4, int8 and the 8-bit code books by bitsandbytes."""

import base64
import json

import bitsandbytes.functional as functional
import gguf
import numpy as np
import torch

from store import folder

TYPES = ['Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'Q4_K', 'Q5_K', 'Q6_K']
# Outputs; inputs of the types with blocks of 32, and of 256.
ROWS, SHORT, LONG = 4, 96, 512


def text(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def random_blocks(kind, generator):
    """gguf-py cannot write every type: bytes are random, and the scales small numbers."""
    size, width = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    inputs = SHORT if size == 32 else LONG
    blocks = generator.integers(0, 256, (ROWS, inputs // size, width), dtype=np.uint8)
    at = {'Q6_K': [208]}.get(kind, [0, 2] if kind in ('Q4_1', 'Q5_1', 'Q4_K', 'Q5_K') else [0])
    for place in at:
        scale = generator.normal(0, 0.02, (ROWS, inputs // size)).astype(np.float16)
        blocks[:, :, place : place + 2] = scale[..., None].view(np.uint8)
    flat = blocks.reshape(ROWS, -1)
    values = gguf.dequantize(flat, gguf.GGMLQuantizationType[kind]).astype(np.float32)
    return {'type': kind, 'shape': [ROWS, inputs], 'bytes': text(flat), 'values': text(values)}


def nf4(shape, generator):
    weight = torch.tensor(generator.normal(0, 0.05, shape), dtype=torch.float32)
    codes, state = functional.quantize_4bit(weight, blocksize=64, quant_type='nf4')
    state.absmax = double_quantised(state.absmax)
    values = functional.dequantize_4bit(codes, state)
    return {
        'shape': list(shape),
        'weight': text(weight.numpy()),
        'values': text(values.numpy()),
    }


def double_quantised(absmax):
    """As `compress_statistics`, whose CPU kernel alters the first number of the published code book."""
    book = functional.create_dynamic_map(True)
    rest = absmax - absmax.mean()
    out = torch.empty_like(rest)
    for at in range(0, len(rest), 256):
        block = rest[at : at + 256]
        most = block.abs().max()
        out[at : at + 256] = book[((block / most)[:, None] - book).abs().argmin(1)] * most
    return out + absmax.mean()


def main():
    generator = np.random.default_rng(5)
    books = [functional.create_dynamic_map(signed) for signed in (True, False)]
    weight = generator.normal(0, 0.05, (8, 96)).astype(np.float32)
    row, stats, _ = functional.int8_vectorwise_quant(torch.tensor(weight).half())
    golden = {
        'blocks': [random_blocks(kind, generator) for kind in TYPES],
        'nf4': [nf4(shape, generator) for shape in ((8, 64), (40, 192), (5, 448), (12, 96))],
        'books': [text(book.numpy()) for book in books],
        'int8': {'shape': [8, 96], 'weight': text(weight.astype(np.float16).astype(np.float32)),
                 'codes': text(row.numpy()), 'scales': text(stats.numpy())},
    }
    (folder('nn') / 'quantized.json').write_text(json.dumps(golden))


if __name__ == '__main__':
    main()
