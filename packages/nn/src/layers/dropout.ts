/** @file Inverted dropout (Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html). */
import { InputError, randomUniform, where, type HostKey, type Tensor } from '@camada/tensor';
import type { Context } from '../context.ts';

/** Zeroes each element with probability p and scales the others by 1/(1 − p), while training. */
export class Dropout {
  /** Probability of an element to be dropped. */
  readonly p: number;

  /** Throws InputError unless 0 ≤ p < 1. */
  constructor(p: number) {
    if (!(p >= 0 && p < 1)) throw new InputError(`dropout probability ${p} is not in [0, 1)`);
    this.p = p;
  }

  /** Any shape; the input itself when not training or when p is 0. */
  call(x: Tensor, context: Context): Tensor {
    if (!context.training || this.p === 0) return x;
    return dropout(x, this.p, context.dropoutKey());
  }
}

/** Inverted dropout with an explicit key; p and the key are data, not text of the program. */
export function dropout(x: Tensor, p: number, key: HostKey): Tensor {
  const kept = randomUniform(x.shape, key).ge(p);
  return where(kept, x.mul(1 / (1 - p)), 0);
}
