/** @file Scaled dot-product attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762). */
import type { Tensor } from '@camada/tensor';
import type { Context } from '../context.ts';
import type { Dropout } from './dropout.ts';

/** Sizes that turn rows [N, H·D] into heads and back; N = B·T. */
export interface HeadShape {
  readonly batch: number;
  readonly length: number;
}

/** What differs between models in how scores are made. */
export interface ScoreOptions {
  /** Factor on q·kᵀ; 1/√D when left out. */
  readonly scale?: number;
  /** Scores s become c·tanh(s/c) (Gemma 2, https://arxiv.org/abs/2408.00118, section 2); none when left out. */
  readonly softcap?: number;
}

/** Rows [B·T, H·D] to heads [B, H, T, D]; a view. */
export function splitHeads(rows: Tensor, heads: number, { batch, length }: HeadShape): Tensor {
  const width = rows.shape[1]! / heads;
  return rows.reshape([batch, length, heads, width]).permute([0, 2, 1, 3]);
}

/** Heads [B, H, T, D] to rows [B·T, H·D]. */
export function mergeHeads(x: Tensor): Tensor {
  const [batch, heads, length, width] = x.shape;
  return x.permute([0, 2, 1, 3]).reshape([batch! * length!, heads! * width!]);
}

/**
 * softmax(scale·q·kᵀ + bias)·v. Scale and bias ride along as the epilogue of the product.
 * @param query [B, H, T, D].
 * @param key [B, H, S, D].
 * @param value [B, H, S, D].
 * @param bias additive mask, broadcast to [B, H, T, S].
 * @param dropout applied to the attention weights.
 * @returns [B, H, T, D]. Any number of leading axes will do, and they broadcast.
 */
export function attention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  bias: Tensor,
  dropout: Dropout,
  context: Context,
  { scale = 1 / Math.sqrt(query.shape.at(-1)!), softcap }: ScoreOptions = {},
): Tensor {
  const products = query.matmul(key.transpose()); // [B, H, T, S]
  const scores = softcap ? softCapped(products.mul(scale), softcap) : products.mul(scale);
  const weights = dropout.call(scores.add(bias).softmax(-1), context);
  return weights.matmul(value); // [B, H, T, D]
}

/** c·tanh(x/c): x itself near 0, never beyond ±c. Any shape. */
export function softCapped(x: Tensor, cap: number): Tensor {
  return x.div(cap).tanh().mul(cap);
}

/**
 * Grouped-query attention (Ainslie et al. 2023, https://arxiv.org/abs/2305.13245): each of K key-value heads
 * serves H/K query heads. The keys broadcast over an axis of their group; nothing is copied.
 * @param query [B, H, T, D].
 * @param key [B, K, S, D].
 * @param value [B, K, S, D].
 * @param bias additive mask [B, 1, T, S].
 * @returns [B, H, T, D].
 */
export function groupedAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  bias: Tensor,
  dropout: Dropout,
  context: Context,
  options: ScoreOptions = {},
): Tensor {
  const [batch, heads, length, width] = query.shape;
  const groups = key.shape[1]!;
  if (groups === heads) return attention(query, key, value, bias, dropout, context, options);
  const grouped = query.reshape([batch!, groups, heads! / groups, length!, width!]);
  const mixed = attention(
    grouped, // [B, K, G, T, D]
    key.unsqueeze(2), // [B, K, 1, S, D]
    value.unsqueeze(2),
    bias.unsqueeze(1), // [B, 1, 1, T, S]
    dropout,
    context,
    options,
  );
  return mixed.reshape([batch!, heads!, length!, width!]);
}
