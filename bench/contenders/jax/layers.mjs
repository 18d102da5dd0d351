/** @file Layers of transformers in jax-js, which owns what it is given: `.ref` marks every further use. */
import { nn, numpy as np } from '@jax-js/jax';

/** x·W + b. */
export function dense(x, weight, bias) {
  return np.matmul(x, weight).add(bias);
}

/** LayerNorm over the last axis. */
export function layerNorm(x, weight, bias, epsilon) {
  return nn.standardize(x, -1, { epsilon }).mul(weight).add(bias);
}

/** Rows of a table [V, C] by ids [N], as a product with one-hot rows: the gradient of `take` does not pass its `jit`. */
export function embed(table, ids) {
  return np.matmul(nn.oneHot(ids, table.shape[0]), table);
}

/** Rows [B·T, C] of queries, keys and values to mixed rows [B·T, C]. By hand: its `dotProductAttention` needs Node 22. */
export function attention([q, k, v], { batch, length, heads, isCausal }) {
  const [, width] = q.shape;
  const split = (x, order) => np.transpose(x.reshape([batch, length, heads, width / heads]), order);
  const scores = np
    .matmul(split(q, [0, 2, 1, 3]), split(k, [0, 2, 3, 1]))
    .mul((width / heads) ** -0.5); // [B, H, T, T]
  const future = () => np.triu(np.ones([length, length]), 1).mul(-1e9);
  const weights = nn.softmax(isCausal ? scores.add(future()) : scores, -1);
  const mixed = np.matmul(weights, split(v, [0, 2, 1, 3])); // [B, H, T, D]
  return np.transpose(mixed, [0, 2, 1, 3]).reshape([-1, width]);
}

/** The exact GELU, or its tanh form. */
export function gelu(x, approximate) {
  return nn.gelu(x, { approximate });
}
