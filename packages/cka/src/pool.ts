/** @file From hidden states [B, T, C] to one vector an example, [B, C]. */
import type { Tensor } from '@camada/tensor';
import { firstToken, lastToken, meanPool } from '@camada/nn';

/** `mean` over the real tokens; `cls`: the first token; `last`: the last real token. */
export type Pooling = 'mean' | 'cls' | 'last';

/** Pools hidden states [B, T, C] under an attention mask [B, T] (1 real, 0 padding) to [B, C]. */
export function pool(hidden: Tensor, attentionMask: Tensor, pooling: Pooling): Tensor {
  if (pooling === 'mean') return meanPool(hidden, attentionMask);
  return pooling === 'cls' ? firstToken(hidden) : lastToken(hidden, attentionMask);
}
