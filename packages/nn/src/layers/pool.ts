/** @file From a sequence of hidden states to one vector. */
import type { Tensor } from '@camada/tensor';

/** The first token's state: [B, T, C] to [B, C]. */
export function firstToken(hidden: Tensor): Tensor {
  return hidden.slice(1, 0, 1).squeeze(1);
}

/**
 * Mean over the real tokens: hidden [B, T, C] and attention mask [B, T] (1 real, 0 padding) to [B, C]. A row
 * without real tokens gives 0, not NaN.
 */
export function meanPool(hidden: Tensor, attentionMask: Tensor): Tensor {
  const weight = attentionMask.ne(0).cast('f32').unsqueeze(-1); // [B, T, 1]
  const count = weight.sum(1).maximum(1); // [B, 1]
  return hidden.mul(weight).sum(1).div(count);
}
