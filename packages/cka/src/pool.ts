/** @file From hidden states [B, T, C] to one vector an example, [B, C]. */
import { arange, type Tensor } from '@camada/tensor';
import { firstToken, meanPool } from '@camada/nn';

/** `mean` over the real tokens; `cls`: the first token; `last`: the last real token. */
export type Pooling = 'mean' | 'cls' | 'last';

/** Pools hidden states [B, T, C] under an attention mask [B, T] (1 real, 0 padding) to [B, C]. */
export function pool(hidden: Tensor, attentionMask: Tensor, pooling: Pooling): Tensor {
  if (pooling === 'mean') return meanPool(hidden, attentionMask);
  return pooling === 'cls' ? firstToken(hidden) : lastToken(hidden, attentionMask);
}

/** The state at the last position that the mask marks as real. */
function lastToken(hidden: Tensor, attentionMask: Tensor): Tensor {
  const [count, length, width] = hidden.shape as [number, number, number];
  const position = attentionMask.ne(0).cast('i32').mul(arange(length)).max(1); // [B]
  const row = arange(count).mul(length).add(position); // [B]
  return hidden.reshape([count * length, width]).gather(row); // [B, C]
}
