/**
 * @file Compares levels in one pass over any number of examples: sums on the device (see `moments.ts`) give
 * CKA exactly, and HSIC₁ of each batch gives the intervals. Memory: C² numbers for each
 * pair of levels.
 */
import { realize, type Tensor } from '@camada/tensor';
import { checkFinite } from './capture.ts';
import {
  adjacent,
  symmetric,
  type Comparer,
  type Comparison,
  type Resampling,
  type Similarity,
} from './comparison.ts';
import { FEWEST, ratio } from './gram.ts';
import { batchHsic } from './hsic1.ts';
import { PairMoments } from './moments.ts';
import { Strata } from './strata.ts';

/** Most bytes of sums; beyond it only neighbours are compared. */
const LIMIT = 512 * 2 ** 20;

/** See the file. */
export class StreamedLevels implements Comparer {
  readonly full = false;
  readonly #pairs = new Map<string, PairMoments>();
  readonly #strata = new Strata();
  #levels = 0;
  #examples = 0;

  /** Adds the sums of a batch, b ≥ 1; batches of fewer than 4 do not count for the intervals. */
  async add(levels: readonly Tensor[]): Promise<void> {
    await realize(levels);
    for (const [level, x] of levels.entries())
      checkFinite(await x.data(), x.shape[1]!, level, this.#examples);
    this.#reserve(levels);
    for (const [key, moments] of this.#pairs) {
      const [i, j] = key.split(',').map(Number) as [number, number];
      moments.add(levels[i]!, levels[j]!);
    }
    await realize([...this.#pairs.values()].flatMap((moments) => moments.pending));
    for (const moments of this.#pairs.values()) moments.settle();
    const count = levels[0]!.shape[0]!;
    this.#examples += count;
    if (count >= FEWEST) this.#strata.add((await batchHsic(levels)).hsic);
  }

  /** Makes the sums of all pairs, or of neighbours where all would be too large. */
  #reserve(levels: readonly Tensor[]): void {
    if (this.#levels > 0) return;
    this.#levels = levels.length;
    const all = (levels.length * (levels.length + 1)) / 2;
    const every = all * levels[0]!.shape[1]! ** 2 * Float32Array.BYTES_PER_ELEMENT <= LIMIT;
    for (let i = 0; i < levels.length; i++)
      for (let j = i; j < levels.length && (every || j <= i + 1); j++)
        this.#pairs.set(`${i},${j}`, new PairMoments());
  }

  /** All pairs that were summed; intervals by a bootstrap over strata of batches. */
  async finish(options: Resampling): Promise<Comparison> {
    const values = new Map<string, number>();
    for (const [key, moments] of this.#pairs)
      values.set(key, await moments.finish(options.estimator));
    const constant: boolean[] = [];
    for (let i = 0; i < this.#levels; i++)
      constant.push(await this.#pairs.get(`${i},${i}`)!.isConstant());
    const norm = (i: number): number => values.get(`${i},${i}`)!;
    const similarity = (i: number, j: number): Similarity => {
      const value = values.get(`${i},${j}`);
      if (value === undefined || constant[i] || constant[j]) return undefined;
      return i === j ? 1 : ratio(value, norm(i), norm(j));
    };
    return {
      examples: this.#examples,
      constant,
      matrix: symmetric(this.#levels, similarity),
      resampled: this.#bootstrap(constant, options),
      shrink: 1,
      notes: this.#notes(),
    };
  }

  #notes(): string[] {
    if (this.#pairs.size === (this.#levels * (this.#levels + 1)) / 2) return [];
    return ['The heat map shows neighbouring levels only: all pairs would not fit in memory.'];
  }

  /** Draws strata of batches with repetition. */
  #bootstrap(constant: readonly boolean[], { resamples, key }: Resampling): Similarity[][] {
    return [...this.#strata.bootstrap(resamples, key)].map((sums) => {
      const at = (i: number, j: number): number => sums[i * this.#levels + j]!;
      return adjacent(this.#levels, (i, j) =>
        constant[i] || constant[j] ? undefined : ratio(at(i, j), at(i, i), at(j, j)),
      );
    });
  }
}
