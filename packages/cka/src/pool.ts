/** @file From hidden states [B, T, C] to rows that are compared: one vector an example, or some of its tokens. */
import { tensor, where, type RandomKey, type Tensor } from '@camada/tensor';
import { MASKED, firstToken, lastToken, meanPool } from '@camada/nn';
import { integers, sampleWithout } from './random.ts';

/** `mean` and `max` over the real tokens; `cls`: the first token; `last`: the last real token. */
export type ExamplePooling = 'mean' | 'cls' | 'last' | 'max';

/** `tokens`: every real token counts as an example of its own; a sample of them is taken. */
export type Pooling = ExamplePooling | 'tokens';

/** All poolings. */
export const POOLINGS: readonly Pooling[] = ['mean', 'cls', 'last', 'max', 'tokens'];

/** Pools hidden states [B, T, C] under an attention mask [B, T] (1 real, 0 padding) to [B, C]. */
export function pool(hidden: Tensor, attentionMask: Tensor, pooling: ExamplePooling): Tensor {
  switch (pooling) {
    case 'mean':
      return meanPool(hidden, attentionMask);
    case 'max':
      return where(attentionMask.ne(0).unsqueeze(-1), hidden, MASKED).max(1); // [B, C]
    case 'cls':
      return firstToken(hidden);
    case 'last':
      return lastToken(hidden, attentionMask);
  }
}

/**
 * Flat positions b·T + t of real tokens, ascending: `perExample`·B of them by lot from the whole batch, or all where there
 * are fewer. They are an index for `hidden.flatten(0, 1).gather`, the same for all levels.
 * @param attentionMask i32 [B, T].
 */
export async function sampledTokens(
  attentionMask: Tensor,
  perExample: number,
  key: RandomKey,
): Promise<Tensor> {
  const mask = await attentionMask.data();
  const real: number[] = [];
  for (let i = 0; i < mask.length; i++) if (mask[i] !== 0) real.push(i);
  const count = Math.min(real.length, perExample * attentionMask.shape[0]!);
  const drawn = sampleWithout(real.length, count, integers(key)).map((i) => real[i]!);
  return tensor(Int32Array.from(drawn), [drawn.length]);
}
