"""Every layer of @camada/nn in PyTorch: outputs and gradients of the sum of upstream * output, in f64 rounded to f32."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb
from transformers.pytorch_utils import Conv1D

from ops import noise, record
from store import folder, write_json


def conv1d(x, weight, bias):
    layer = Conv1D(weight.shape[1], weight.shape[0]).double()
    return torch.func.functional_call(layer, {'weight': weight, 'bias': bias}, (x,))


def rotary(x):
    """Positions 0 … T-1, theta 10000, x [B, H, T, D]."""
    length, width = x.shape[-2:]
    frequencies = 1 / 10000 ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), frequencies)
    angles = torch.cat([angles, angles], -1)[None]
    return apply_rotary_pos_emb(x, x, angles.cos(), angles.sin())[0]


def soft_capped_attention(q, k, v, bias):
    scores = q @ k.mT / q.shape[-1] ** 0.5
    return torch.softmax(5 * torch.tanh(scores / 5) + bias, -1) @ v


def mean_pool(x):
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.float64)[..., None]
    return (x * mask).sum(1) / mask.sum(1)


def layers() -> None:
    x, w, b = noise(1, 2, 5, 6), noise(2, 4, 6), noise(3, 4)
    q, k, v = noise(4, 2, 4, 5, 6), noise(5, 2, 4, 5, 6), noise(6, 2, 4, 5, 6)
    few_k, few_v = noise(7, 2, 2, 5, 6), noise(8, 2, 2, 5, 6)
    bias = torch.zeros(2, 1, 5, 5).masked_fill(torch.ones(5, 5).triu(1).bool(), -1e4)
    scale, shift = 1 + 0.3 * noise(9, 6), noise(10, 6)
    grouped = lambda q, k, v, bias: F.scaled_dot_product_attention(q, k, v, bias, enable_gqa=True)
    write_json(folder('nn') / 'layers.json', {
        'Linear': record(F.linear, {'x': x, 'weight': w, 'bias': b}),
        'Conv1D': record(conv1d, {'x': x, 'weight': w.T.contiguous(), 'bias': b}),
        'Embedding': record(lambda t: F.embedding(torch.tensor([[3, 0, 3], [1, 2, 3]]), t), {'weight': w}),
        'LayerNorm': record(lambda x, w, b: F.layer_norm(x, (6,), w, b, 1e-12), {'x': x, 'weight': scale, 'bias': shift}),
        'RMSNorm': record(lambda x, w: F.rms_norm(x, (6,), w, 1e-6), {'x': x, 'weight': scale}),
        'attention': record(F.scaled_dot_product_attention, {'q': q, 'k': k, 'v': v, 'bias': bias}),
        'softCapped': record(soft_capped_attention, {'q': q, 'k': k, 'v': v, 'bias': bias}),
        'groupedAttention': record(grouped, {'q': q, 'k': few_k, 'v': few_v, 'bias': bias}),
        'rotate': record(rotary, {'x': q}),
        'meanPool': record(mean_pool, {'x': x}),
    })
