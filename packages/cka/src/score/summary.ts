/** @file From sums over examples to one number a layer, with its interval. */
import { InputError } from '@camada/tensor';
import { seedKey, type Model } from '@camada/nn';
import type { LayerImportance } from '../importance.ts';
import { quantile } from '../numbers.ts';
import { Strata } from '../strata.ts';
import type { LayerScores, ScoreOptions } from './selector.ts';

/** Collects, for every layer, sums of values and of their weights; the score is their ratio. */
export class LayerMeans {
  readonly #name: string;
  readonly #layers: Model['layers'];
  readonly #strata = new Strata();
  readonly #notes: string[] = [];
  #examples = 0;

  /** @param name of the selector, for errors. */
  constructor(name: string, { layers }: Model) {
    this.#name = name;
    this.#layers = layers;
  }

  /** Examples so far. */
  get examples(): number {
    return this.#examples;
  }

  /**
   * Adds what `examples` examples gave: for each layer a sum of values, and their weight. Throws InputError naming the
   * layer when a sum is not finite.
   */
  add(sums: ArrayLike<number>, weights: ArrayLike<number>, examples: number): void {
    const both = new Float64Array(2 * this.#layers.length);
    this.#layers.forEach(({ index }) => {
      if (!Number.isFinite(sums[index]) || !Number.isFinite(weights[index]))
        throw this.#notFinite(index, sums[index]!, examples);
      both[index] = sums[index]!;
      both[this.#layers.length + index] = weights[index]!;
    });
    this.#strata.add(both);
    this.#examples += examples;
  }

  /** Adds a sentence for the user. */
  note(text: string): void {
    this.#notes.push(text);
  }

  /**
   * The scores. Throws InputError without examples.
   * @param nothing why a layer of weight 0 has no score.
   */
  finish(options: ScoreOptions, nothing: string): LayerScores {
    if (this.#examples === 0) throw new InputError(`${this.#name}: there are no examples`);
    const { resamples = 100, confidence = 0.9, seed = 0 } = options;
    const total = this.#strata.total();
    const drawn = [...this.#strata.bootstrap(resamples, seedKey(seed))];
    const layers = this.#layers.map(({ index, name }): LayerImportance => {
      const importance = this.#ratio(total, index);
      if (importance === undefined)
        return { index, name, importance: 0, low: -Infinity, high: Infinity, excluded: nothing };
      const values = drawn.flatMap((sums) => this.#ratio(sums, index) ?? []);
      return { index, name, importance, ...percentiles(importance, values, confidence) };
    });
    return { layers, protocol: 'camada', examples: this.#examples, notes: this.#allNotes(layers) };
  }

  #ratio(sums: Float64Array, layer: number): number | undefined {
    const weight = sums[this.#layers.length + layer]!;
    return weight > 0 ? sums[layer]! / weight : undefined;
  }

  #allNotes(layers: readonly LayerImportance[]): string[] {
    const excluded = layers.flatMap(({ index, excluded: why }) =>
      why === undefined ? [] : [`Layer ${index} is left out of the ranking: ${why}.`],
    );
    const few = this.#examples < 32 ? [`Only ${this.#examples} examples: use 64 or more.`] : [];
    return [...this.#notes, ...excluded, ...few];
  }

  #notFinite(layer: number, value: number, examples: number): InputError {
    const from = this.#examples;
    return new InputError(
      `${this.#name}: layer ${layer} gives ${value} in the examples ${from} to ${from + examples - 1}: check the ` +
        "checkpoint's weights there, and whether 16-bit ones overflow",
    );
  }
}

/** The plain percentile interval; the estimate itself where there are no resamples. */
function percentiles(
  estimate: number,
  values: readonly number[],
  confidence: number,
): { low: number; high: number } {
  if (values.length === 0) return { low: estimate, high: estimate };
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [(1 - confidence) / 2, (1 + confidence) / 2].map((q) => quantile(sorted, q));
  return { low: Math.min(low!, estimate), high: Math.max(high!, estimate) };
}
