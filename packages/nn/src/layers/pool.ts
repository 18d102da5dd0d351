/** @file From a sequence of hidden states to one vector. */
import { arange, concat, where, type Tensor } from '@camada/tensor';
import { MASKED } from './mask.ts';

/** The first token's state: [B, T, C] to [B, C]. */
export function firstToken(hidden: Tensor): Tensor {
  return hidden.slice(1, 0, 1).squeeze(1);
}

/** The state at the last position that the mask [B, T] (1 real, 0 padding) marks as real: [B, T, C] to [B, C]. */
export function lastToken(hidden: Tensor, attentionMask: Tensor): Tensor {
  const [count, length] = attentionMask.shape as [number, number];
  const position = attentionMask.ne(0).cast('i32').mul(arange(length)).max(1); // [B]
  const row = arange(count).mul(length).add(position); // [B]
  return hidden.flatten(0, 1).gather(row);
}

/**
 * Mean over the real tokens: hidden [B, T, C] and attention mask [B, T] (1 real, 0 padding) to [B, C]. A row
 * without real tokens gives 0, not NaN.
 */
export function meanPool(hidden: Tensor, attentionMask: Tensor): Tensor {
  return weightedMean(hidden, attentionMask.ne(0).cast('f32'));
}

/** Σ w·h / Σ w over the tokens; weights [B, T] are 0 or at least 1, and a sum of 0 counts as 1. */
function weightedMean(hidden: Tensor, weights: Tensor): Tensor {
  const weight = weights.unsqueeze(-1); // [B, T, 1]
  return hidden.mul(weight).sum(1).div(weight.sum(1).maximum(1)); // [B, C]
}

/** How sentence-transformers pools; its names, without their `pooling_mode_`. */
export type SentencePooling =
  | 'cls_token'
  | 'max_tokens'
  | 'mean_tokens'
  | 'mean_sqrt_len_tokens'
  | 'weightedmean_tokens'
  | 'lasttoken';

/** Hidden states [B, T, C] and attention mask [B, T] to [B, C]. */
type Pool = (hidden: Tensor, attentionMask: Tensor) => Tensor;

const POOLS: Readonly<Record<SentencePooling, Pool>> = {
  cls_token: firstToken,
  max_tokens: (hidden, mask) => where(mask.ne(0).unsqueeze(-1), hidden, MASKED).max(1),
  mean_tokens: meanPool,
  mean_sqrt_len_tokens: (hidden, mask) => {
    const real = mask.ne(0).cast('f32').unsqueeze(-1); // [B, T, 1]
    return hidden.mul(real).sum(1).div(real.sum(1).maximum(1).sqrt());
  },
  weightedmean_tokens: (hidden, mask) =>
    weightedMean(hidden, mask.ne(0).cast('f32').mul(arange(mask.shape[1]!).add(1).cast('f32'))),
  lasttoken: lastToken,
};

/** All values of `SentencePooling`, in the order in which sentence-transformers concatenates them. */
export const SENTENCE_POOLINGS: readonly SentencePooling[] = Object.keys(
  POOLS,
) as SentencePooling[];

/** What sentence-transformers stores beside a model. */
export interface SentenceOptions {
  /** Poolings whose results are concatenated; at least one. */
  readonly pooling: readonly SentencePooling[];
  /** Whether vectors are divided by their length. */
  readonly normalize: boolean;
}

/**
 * Sentence embeddings (Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084).
 * @param hidden last hidden states [B, T, C].
 * @param attentionMask i32 [B, T], 1 for real tokens.
 * @returns [B, P·C] for P poolings.
 */
export function sentenceEmbedding(
  hidden: Tensor,
  attentionMask: Tensor,
  { pooling, normalize }: SentenceOptions,
): Tensor {
  const parts = pooling.map((name) => POOLS[name](hidden, attentionMask)); // [B, C] each
  const vector = parts.length === 1 ? parts[0]! : concat(parts, -1);
  return normalize ? vector.div(vector.square().sum(-1, true).sqrt().maximum(1e-12)) : vector;
}
