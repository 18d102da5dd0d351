"""Logistic regression by scikit-learn: weights and losses on small tables, for two and for three classes."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from store import folder, write_json


def case(classes: int, C: float, seed: int) -> dict:
    random = np.random.default_rng(seed)
    values = random.normal(size=(60, 4)).round(3)
    truth = random.normal(size=(4, classes))
    labels = np.argmax(values @ truth + random.normal(size=(60, classes)), axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        model = LogisticRegression(C=C, tol=1e-12, max_iter=100_000).fit(values, labels)
    return {
        'classes': classes,
        'C': C,
        'values': values.reshape(-1).tolist(),
        'labels': labels.tolist(),
        'weight': model.coef_.reshape(-1).tolist(),
        'bias': model.intercept_.tolist(),
        'loss': float(log_loss(labels, model.predict_proba(values))),
    }


def logistic() -> None:
    cases = [case(2, 1.0, 1), case(2, 100.0, 2), case(3, 0.1, 3), case(4, 10.0, 4)]
    write_json(folder('lora') / 'logistic.json', {'cases': cases})
