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

/** Attention mask [B, T] to a bias [B, 1, T, T]: query t looks at the real keys up to t. */
export function causalBias(attentionMask: Tensor): Tensor {
  const [batch, length] = attentionMask.shape;
  const query = arange(length!).reshape([length!, 1]);
  const past = arange(length!).le(query); // [T, T]
  const real = attentionMask.ne(0).reshape([batch!, 1, 1, length!]);
  return where(real.and(past), 0, MASKED); // [B, 1, T, T]
}
