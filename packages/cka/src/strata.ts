/** @file Sums kept in a fixed number of strata, so that resampling needs no memory that grows with the data. */
import type { RandomKey } from '@camada/tensor';
import { integers, sampleWith } from './random.ts';

/** How many strata there are. */
const STRATA = 64;

/** Vectors of sums, dealt to 64 strata in turn; a bootstrap draws strata with repetition. */
export class Strata {
  readonly #sums: Float64Array[] = [];
  #added = 0;

  /** How many vectors were added. */
  get count(): number {
    return this.#added;
  }

  /** How many vectors of sums are kept, at most 64. */
  get size(): number {
    return this.#sums.length;
  }

  /** Adds a vector, always of the same length. */
  add(values: ArrayLike<number>): void {
    const at = this.#added++ % STRATA;
    const sums = (this.#sums[at] ??= new Float64Array(values.length));
    for (let i = 0; i < sums.length; i++) sums[i]! += values[i]!;
  }

  /** The sum of all vectors. */
  total(): Float64Array {
    return this.#sumOf(this.#sums.keys());
  }

  /** Sums of `resamples` draws; none where there are fewer than 4 strata, which say nothing. */
  *bootstrap(resamples: number, key: RandomKey): Generator<Float64Array> {
    const { size } = this;
    if (size < 4) return;
    const below = integers(key);
    for (let i = 0; i < resamples; i++) yield this.#sumOf(sampleWith(size, size, below));
  }

  #sumOf(which: Iterable<number>): Float64Array {
    const sum = new Float64Array(this.#sums[0]?.length ?? 0);
    for (const at of which) {
      const values = this.#sums[at]!;
      for (let i = 0; i < sum.length; i++) sum[i]! += values[i]!;
    }
    return sum;
  }
}
