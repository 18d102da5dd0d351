"""CKA goldens: analytic vectors of all measures, mini-batches, MiniLM on SST-2, and the published choices on four tasks."""

from __future__ import annotations

import csv
import math

import numpy as np

import cka as metrics
from minilm import MAX_LENGTH, SST2, classification_rows, encode, load_encoder
from store import folder, write_json

SENTENCES = 128
EXAMPLES = 96
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


def measures() -> dict:
    """n = 24; X[i][j] = sin(1 + 3i + j + i j / 7), j < 5; Y = X with column j scaled by j + 1, plus cos(i (j + 1))."""
    i, j = np.arange(24.0)[:, None], np.arange(5.0)[None]
    x = np.sin(1 + 3 * i + j + i * j / 7)
    y = x * (j + 1) + np.cos(i * (j + 1))
    functions = {
        'svcca': metrics.svcca,
        'pwcca': metrics.pwcca,
        'procrustes': metrics.procrustes,
        'rsa': metrics.rsa,
        'mean-cosine': metrics.mean_cosine,
        'rbf-cka': lambda a, b: metrics.rbf(a, b, 1.0),
        'cka': metrics.debiased,
    }
    return {name: function(x, y) for name, function in functions.items()}


def texts(task: str) -> list[tuple[str, ...]]:
    """The first training examples of a task: texts or pairs."""
    data = SST2.parent
    if task in ('sst2', 'cola'):
        lines = (data / task / 'train.tsv').read_text(encoding='utf-8').split('\n')[:EXAMPLES]
        return [(line.rsplit('\t', 1)[0],) for line in lines]
    if task == 'rte':
        lines = (data / task / 'train.tsv').read_text(encoding='utf-8').split('\n')[1 : EXAMPLES + 1]
        return [tuple(line.split('\t')[1:3]) for line in lines]
    with open(data / task / 'stsb-en-train.csv', encoding='utf-8', newline='') as file:
        return [tuple(row[:2]) for row, _ in zip(csv.reader(file), range(EXAMPLES))]


def published_choices() -> dict:
    """The published encoder protocol on the first token, padding to the longest; ids are those that Camada must make."""
    model, tokenizer = load_encoder()
    record = {}
    for task in ('sst2', 'cola', 'rte', 'stsb'):
        rows = texts(task)
        levels: list[list[np.ndarray]] = []
        for start in range(0, EXAMPLES, 32):
            columns = [list(column) for column in zip(*rows[start : start + 32])]
            inputs = tokenizer(
                *columns, truncation=True, max_length=MAX_LENGTH, padding='longest', return_tensors='pt'
            )
            hidden = model(**inputs, output_hidden_states=True).hidden_states
            levels.append([h[:, 0].numpy() for h in hidden])
        hidden = [np.concatenate(parts) for parts in zip(*levels)]
        scores = metrics.importance(hidden, metrics.published)
        order = sorted(range(len(scores)), key=lambda layer: scores[layer], reverse=True)
        record[task] = {
            'importances': scores,
            'ranking': order,
            'selected': metrics.published_choice(hidden),
        }
    return {'examples': EXAMPLES, 'maxLength': MAX_LENGTH, 'tasks': record}


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
    write_json(path / 'measures.json', measures())
    write_json(path / 'published.json', published_choices())
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
