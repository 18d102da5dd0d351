"""CKA goldens: the analytic vector, mini-batches, and the layers of MiniLM on SST-2."""

from __future__ import annotations

import math

import numpy as np

import cka as metrics
from minilm import MAX_LENGTH, classification_rows, encode, load_encoder
from store import folder, write_json

SENTENCES = 128
KNOWN = {
    'biased': 0.1516580883,
    'debiased': -0.1031006445,
    'rbf1': 0.1500174561,
    'rbf04': 0.3935448045,
    'hsic1': -0.2705409436,
    'hsic0': 0.4397362072,
}


def analytic() -> dict:
    """n = 8; X[i][j] = sin(1 + 3i + j), j < 3; Y[i][j] = cos(2 + 4i + j) + 0.5 sin(1 + 3i), j < 4."""
    i, j = np.arange(8.0)[:, None], np.arange(4.0)[None]
    x, y = np.sin(1 + 3 * i + j[:, :3]), np.cos(2 + 4 * i + j) + 0.5 * np.sin(1 + 3 * i)
    k, l = metrics.gram(x), metrics.gram(y)
    values = {
        'biased': metrics.biased(x, y),
        'debiased': metrics.debiased(x, y),
        'rbf1': metrics.rbf(x, y, 1.0),
        'rbf04': metrics.rbf(x, y, 0.4),
        'hsic1': metrics.hsic1(k, l),
        'hsic0': metrics.hsic0(k, l),
    }
    for name, value in values.items():
        if abs(value - KNOWN[name]) > 1e-9:
            raise SystemExit(f'{name}: {value} differs from the recorded {KNOWN[name]}')
    return values | {'debiasedFeatures': metrics.debiased_features(x, y)}


def minibatches() -> dict:
    """n = 96; X[i][j] = sin(1 + 3i + j + i j / 7), j < 5; Y = X with column j scaled by j + 1, plus cos(i (j + 1))."""
    i, j = np.arange(96.0)[:, None], np.arange(5.0)[None]
    x = np.sin(1 + 3 * i + j + i * j / 7)
    y = x * (j + 1) + np.cos(i * (j + 1))
    record = {f'batch{size}': metrics.minibatch(x, y, size) for size in (8, 32, 96)}
    return record | {'biased': metrics.biased(x, y), 'debiased': metrics.debiased(x, y)}


def pooled() -> dict[str, list[np.ndarray]]:
    """Hidden states of the first 128 training sentences, [128, 384] for each of the 7 levels, by two ways of pooling."""
    model, tokenizer = load_encoder()
    texts = [text for text, _ in classification_rows('train', SENTENCES)]
    levels: dict[str, list[list[np.ndarray]]] = {'cls': [], 'mean': []}
    for start in range(0, SENTENCES, 32):
        inputs = encode(tokenizer, texts[start : start + 32])
        hidden = model(**inputs, output_hidden_states=True).hidden_states
        mask = inputs['attention_mask'][:, :, None]
        levels['cls'].append([h[:, 0].numpy() for h in hidden])
        levels['mean'].append([((h * mask).sum(1) / mask.sum(1)).numpy() for h in hidden])
    return {name: [np.concatenate(parts) for parts in zip(*batches)] for name, batches in levels.items()}


def adjacent(hidden: list[np.ndarray], similarity) -> list[float | None]:
    """CKA(R[i-1], R[i]) for i = 1..6; None where it is 0/0."""
    values = [similarity(before, after) for before, after in zip(hidden, hidden[1:])]
    return [None if math.isnan(value) else value for value in values]


def heat_map(hidden: list[np.ndarray], similarity) -> list[list[float]]:
    return [[similarity(x, y) for y in hidden] for x in hidden]


def cka() -> None:
    path = folder('cka')
    write_json(path / 'cka.json', {'analytic': analytic(), 'minibatch': minibatches()})
    levels = pooled()
    cls, mean = levels['cls'], levels['mean']
    record = {
        'sentences': SENTENCES,
        'maxLength': MAX_LENGTH,
        'clsPublished': adjacent(cls, metrics.published),
        'clsBiased': adjacent(cls, metrics.biased),
        'meanBiased': adjacent(mean, metrics.biased),
        'meanDebiased': adjacent(mean, metrics.debiased_features),
        'meanMinibatch32': adjacent(mean, lambda x, y: metrics.minibatch(x, y, 32)),
        'heatMapMeanBiased': heat_map(mean, metrics.biased),
        'heatMapMeanDebiased': heat_map(mean, metrics.debiased_features),
    }
    write_json(path / 'minilm.json', record)
