/**
 * @file Compares levels by mini-batch HSIC₁ (Nguyen et al. 2021, arXiv 2010.15327, eq. 2): each batch gives the HSIC₁ of all
 * pairs on the device, which are averaged. Unbiased whatever the batch's size, and the only thing kept is 64 sums of
 * (L + 1)² numbers, however many examples there are.
 */
import { InputError, realize, type Tensor } from '@camada/tensor';
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
import { Strata } from './strata.ts';

/** Batches smaller than this make the estimate's spread large. */
const ADVISED_BATCH = 16;

/** See the file. */
export class MinibatchedLevels implements Comparer {
  readonly full = false;
  readonly #strata = new Strata();
  #constant: boolean[] = [];
  #levels = 0;
  #examples = 0;
  #smallest = Infinity;
  #skipped = 0;

  /** Adds a batch; one of fewer than 4 examples cannot count and is noted. */
  async add(levels: readonly Tensor[]): Promise<void> {
    const count = levels[0]!.shape[0]!;
    this.#levels = levels.length;
    if (count < FEWEST) {
      this.#skipped += count;
      return;
    }
    await realize(levels);
    const { hsic, constant } = await batchHsic(levels);
    if (hsic.some((value) => !Number.isFinite(value))) await this.#explain(levels);
    this.#constant = constant.map((value, i) => value && (this.#constant[i] ?? true));
    this.#strata.add(hsic);
    this.#examples += count;
    this.#smallest = Math.min(this.#smallest, count);
  }

  /** All pairs; intervals by a bootstrap over strata of batches. Throws InputError for another estimator. */
  finish(options: Resampling): Promise<Comparison> {
    if (options.estimator !== 'debiased')
      throw new InputError(
        "layer importance: mini-batches give the debiased estimator only; with streaming 'exact' there is the biased one",
      );
    const total = this.#strata.total();
    const resampled: Similarity[][] = [];
    for (const sums of this.#strata.bootstrap(options.resamples, options.key))
      resampled.push(adjacent(this.#levels, (i, j) => this.#similarity(sums, i, j)));
    return Promise.resolve({
      examples: this.#examples,
      constant: this.#constant,
      matrix: symmetric(this.#levels, (i, j) => this.#similarity(total, i, j)),
      resampled,
      shrink: 1,
      notes: this.#notes(),
    });
  }

  #similarity(sums: Float64Array, i: number, j: number): Similarity {
    if (this.#constant[i] || this.#constant[j]) return undefined;
    const at = (a: number, b: number): number => sums[a * this.#levels + b]!;
    return i === j ? 1 : ratio(at(i, j), at(i, i), at(j, j));
  }

  #notes(): string[] {
    const notes: string[] = [];
    if (this.#skipped > 0)
      notes.push(
        `${this.#skipped} examples in batches of fewer than ${FEWEST} could not be used: mini-batches need ${FEWEST}.`,
      );
    if (this.#smallest < ADVISED_BATCH)
      notes.push(
        `The smallest batch had ${this.#smallest} examples: with mini-batches of 32 or more the estimate varies less.`,
      );
    return notes;
  }

  async #explain(levels: readonly Tensor[]): Promise<never> {
    for (const [level, x] of levels.entries())
      checkFinite(await x.data(), x.shape[1]!, level, this.#examples);
    throw new InputError(
      'layer importance: hidden states are so large that their products overflow 32-bit numbers: scale them, or check the weights',
    );
  }
}
