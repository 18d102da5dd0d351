/**
 * @file Attention masks as additive biases: 0 where a query may look, half of the lowest f32 elsewhere. It
 * is finite, so a row without any allowed key becomes uniform instead of NaN.
 */
import { arange, where, type Tensor } from '@camada/tensor';

/** The bias of a forbidden position: half of the lowest f32, so adding a score cannot overflow. */
export const MASKED: number = -(2 ** 127);

/** Attention mask [B, T] (1 real, 0 padding) to a bias [B, 1, 1, T] over keys. */
export function paddingBias(attentionMask: Tensor): Tensor {
  const [batch, length] = attentionMask.shape;
  return where(attentionMask.ne(0), 0, MASKED).reshape([batch!, 1, 1, length!]);
}

/** Attention mask [B, T] to a bias [B, 1, T, T]: real queries look at real keys, padding at all alike. */
export function pairBias(attentionMask: Tensor): Tensor {
  const [batch, length] = attentionMask.shape;
  const real = attentionMask.ne(0);
  const keys = real.reshape([batch!, 1, 1, length!]);
  return where(keys.and(real.reshape([batch!, 1, length!, 1])), 0, MASKED); // [B, 1, T, T]
}

/** Attention mask [B, T] to a bias [B, 1, T, T]: query t looks at the real keys at most `reach` positions away. */
export function windowBias(attentionMask: Tensor, reach: number): Tensor {
  const [batch, length] = attentionMask.shape;
  const query = arange(length!).reshape([length!, 1]);
  const near = arange(length!).sub(query).abs().le(reach); // [T, T]
  const real = attentionMask.ne(0).reshape([batch!, 1, 1, length!]);
  return where(real.and(near), 0, MASKED); // [B, 1, T, T]
}

/**
 * Attention mask [B, T] to a bias [B, 1, T, T]: query t looks at the real keys up to t, and with a window W only at
 * the last W of these positions, its own included.
 */
export function causalBias(attentionMask: Tensor, window?: number): Tensor {
  const [batch, length] = attentionMask.shape;
  const real = attentionMask.ne(0).reshape([batch!, 1, 1, length!]);
  return where(real.and(past(length!, window)), 0, MASKED); // [B, 1, T, T]
}

/** The same for rows that are padded on the left by `starts` columns, i32 [B]. */
export function leftPaddedBias(starts: Tensor, length: number, window?: number): Tensor {
  const real = arange(length).ge(starts.reshape([starts.size, 1, 1, 1])); // [B, 1, 1, T]
  return where(real.and(past(length, window)), 0, MASKED); // [B, 1, T, T]
}

/** Which keys are not after a query, nor W or more before it: [T, T]. */
function past(length: number, window: number | undefined): Tensor {
  const query = arange(length).reshape([length, 1]);
  const key = arange(length);
  const before = key.le(query);
  return window === undefined ? before : before.and(key.gt(query.sub(window)));
}
