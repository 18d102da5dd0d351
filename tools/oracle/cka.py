"""Centred kernel alignment in numpy: the published layer-selection protocol and its debiased rivals.

Kornblith et al. 2019 (arXiv 1905.00414), Song et al. 2012 (HSIC_1), Nguyen et al. 2021 (arXiv 2010.15327, mini-batches),
Ogawa et al. 2026 (arXiv 2602.05988, importance = 1 - CKA of adjacent layers).
"""

from __future__ import annotations

import numpy as np


def centred(x: np.ndarray) -> np.ndarray:
    return x - x.mean(0, keepdims=True)


def published(x: np.ndarray, y: np.ndarray) -> float:
    """As the published code computes it: f32, biased, feature form, denominator clamped to 1e-12."""
    x, y = centred(x.astype(np.float32)), centred(y.astype(np.float32))
    norms = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(x.T @ y) ** 2 / max(norms, np.float32(1e-12)))


def biased(x: np.ndarray, y: np.ndarray) -> float:
    """||Xc^T Yc||^2 / (||Xc^T Xc|| ||Yc^T Yc||) in f64; nan where a representation is constant."""
    x, y = centred(x.astype(np.float64)), centred(y.astype(np.float64))
    norms = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(x.T @ y) ** 2 / norms) if norms > 0 else float('nan')


def hsic0(k: np.ndarray, l: np.ndarray) -> float:
    n = len(k)
    h = np.eye(n) - 1 / n
    return float(np.trace(k @ h @ l @ h) / (n - 1) ** 2)


def hsic1(k: np.ndarray, l: np.ndarray) -> float:
    """Unbiased HSIC from two Gram matrices; needs n >= 4."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))
    total = np.trace(k @ l) + k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k.sum(0) @ l.sum(1))
    return float(total / (n * (n - 3)))


def debiased(x: np.ndarray, y: np.ndarray) -> float:
    """CKA of HSIC_1, Gram form."""
    k, l = gram(x), gram(y)
    return hsic1(k, l) / np.sqrt(hsic1(k, k) * hsic1(l, l))


def debiased_features(x: np.ndarray, y: np.ndarray) -> float:
    """The same number from feature-space products: O(n p^2) time, O(p^2) memory."""
    x, y = centred(x.astype(np.float64)), centred(y.astype(np.float64))
    n, a, b = len(x), (x * x).sum(1), (y * y).sum(1)

    def corrected(product: float, u: np.ndarray, v: np.ndarray) -> float:
        return product - n / (n - 2) * (u @ v) + u.sum() * v.sum() / ((n - 1) * (n - 2))

    xy = corrected(np.linalg.norm(x.T @ y) ** 2, a, b)
    xx = corrected(np.linalg.norm(x.T @ x) ** 2, a, a)
    yy = corrected(np.linalg.norm(y.T @ y) ** 2, b, b)
    return float(xy / np.sqrt(xx * yy))


def minibatch(x: np.ndarray, y: np.ndarray, size: int) -> float:
    """HSIC_1 averaged over consecutive batches, each of the three separately, then the ratio."""
    sums = np.zeros(3)
    for start in range(0, len(x), size):
        k, l = gram(x[start : start + size]), gram(y[start : start + size])
        sums += hsic1(k, l), hsic1(k, k), hsic1(l, l)
    return float(sums[0] / np.sqrt(sums[1] * sums[2]))


def gram(x: np.ndarray) -> np.ndarray:
    """Linear kernel of the rows. Shifting all rows changes neither HSIC_0 nor HSIC_1, so centring is for precision."""
    x = centred(x.astype(np.float64))
    return x @ x.T


def rbf(x: np.ndarray, y: np.ndarray, threshold: float) -> float:
    """Biased CKA with k = exp(-d^2 / (2 t^2 median(d^2))), the median over the whole matrix with its diagonal."""

    def kernel(z: np.ndarray) -> np.ndarray:
        z = z.astype(np.float64)
        distance = ((z[:, None] - z[None]) ** 2).sum(-1)
        return np.exp(-distance / (2 * threshold**2 * np.median(distance)))

    k, l = kernel(x), kernel(y)
    return hsic0(k, l) / np.sqrt(hsic0(k, k) * hsic0(l, l))


def importance(hidden: list[np.ndarray], similarity) -> list[float]:
    """1 - CKA(R[i-1], R[i]) for the layers 1..L, in the order of depth."""
    return [1 - similarity(before, after) for before, after in zip(hidden, hidden[1:])]


def centred_svd(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    u, s, vh = np.linalg.svd(centred(x.astype(np.float64)), full_matrices=False)
    kept = s > 1e-6 * s[0]
    return u[:, kept], s[kept], vh[kept]


def leading(x: np.ndarray, variance: float = 0.99) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The directions that hold this share of the variance."""
    u, s, vh = centred_svd(x)
    count = int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), variance)) + 1
    return u[:, :count], s[:count], vh[:count]


def svcca(x: np.ndarray, y: np.ndarray) -> float:
    """Raghu et al. 2017: mean canonical correlation of the leading directions."""
    return float(np.linalg.svd(leading(x)[0].T @ leading(y)[0], compute_uv=False).mean())


def pwcca(x: np.ndarray, y: np.ndarray) -> float:
    """Morcos et al. 2018: weighted by sum_j |<h_i, x_j>|, with h_i the canonical variates of x."""
    u, s, vh = leading(x)
    w, correlations, _ = np.linalg.svd(u.T @ leading(y)[0], full_matrices=False)
    weights = np.abs((u @ w).T @ (u * s @ vh)).sum(1)
    return float((weights * correlations).sum() / weights.sum())


def procrustes(x: np.ndarray, y: np.ndarray) -> float:
    """Nuclear norm of X^T Y over the Frobenius norms of X and Y, centred."""
    x, y = centred(x.astype(np.float64)), centred(y.astype(np.float64))
    return float(np.linalg.norm(x.T @ y, 'nuc') / (np.linalg.norm(x) * np.linalg.norm(y)))


def rsa(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's correlation of the Euclidean distances of all pairs (no ties are expected)."""
    pairs = np.triu_indices(len(x), 1)

    def distance_ranks(z: np.ndarray) -> np.ndarray:
        distance = np.linalg.norm(z[:, None].astype(np.float64) - z[None], axis=-1)[pairs]
        return np.argsort(np.argsort(distance))

    return float(np.corrcoef(distance_ranks(x), distance_ranks(y))[0, 1])


def mean_cosine(x: np.ndarray, y: np.ndarray) -> float:
    return float(((x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)).mean())


def published_choice(hidden: list[np.ndarray], ratio: float = 0.5) -> list[int]:
    """The published encoder script: sorted by 1 - CKA, descending, and `sorted[1 : N + 1]` of it, N = floor(ratio L)."""
    scores = importance(hidden, published)
    order = sorted(range(len(scores)), key=lambda layer: scores[layer], reverse=True)
    return sorted(order[1 : int(ratio * len(scores)) + 1])
