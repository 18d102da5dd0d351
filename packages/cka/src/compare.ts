/** @file Any layers of any two models, or of one model before and after, on the same examples. */
import { InputError, realize, tensor, type Tensor, type TypedArray } from '@camada/tensor';
import type { Batch, Model } from '@camada/nn';
import { checkFinite, pooledLevels, type CaptureOptions } from './capture.ts';
import { FEWEST, ratio } from './gram.ts';
import { batchHsic } from './hsic1.ts';
import { comparerOf, type MetricName, type SimilarityOptions } from './similarity/similarity.ts';

/** Settings of `compareModels`. */
export interface CompareOptions extends CaptureOptions, SimilarityOptions {
  /**
   * Averages HSIC₁ over the batches on the device instead of keeping vectors: any number of examples in bounded memory,
   * for `cka` debiased only.
   */
  readonly minibatch?: boolean;
  /** Without `minibatch`, examples beyond this number are not used. @defaultValue 512 */
  readonly maxExamples?: number;
}

/** Similarities of all levels of one model with all of another. */
export interface ModelComparison {
  readonly metric: MetricName;
  /** Row i: level i of the first model, R0 … RL; column j: level j of the second. null where it is not defined. */
  readonly matrix: readonly (readonly (number | null)[])[];
  readonly examples: number;
  /** Why entries are not defined, once each. */
  readonly notes: readonly string[];
}

/** The same examples for both models, or (other tokenizers) a batch for each. */
export type BatchPair = Batch | readonly [Batch, Batch];

/**
 * Compares two models: base and fine-tuned, two checkpoints, two architectures of any depths and widths. The same
 * model twice gives its own heat map. Throws InputError where there are too few examples or a hidden state is not finite.
 */
export async function compareModels(
  first: Model,
  second: Model,
  batches: Iterable<BatchPair> | AsyncIterable<BatchPair>,
  options: CompareOptions = {},
): Promise<ModelComparison> {
  const metric = options.metric ?? 'cka';
  const sink = options.minibatch ? new Averaged(options) : new Gathered(options);
  const split = first.layers.length + 1;
  let number = 0;
  for await (const pair of batches) {
    if (sink.full) break;
    const [a, b] = isPair(pair) ? pair : [pair, pair];
    if (a.inputIds.shape[0] !== b.inputIds.shape[0])
      throw new InputError('compareModels: the two batches of a pair hold the same examples');
    const levels = [
      ...(await pooledLevels(first, a, options, number)),
      ...(await pooledLevels(second, b, options, number++)),
    ];
    await realize(levels);
    await sink.add(levels);
    levels.forEach((level) => level.dispose());
  }
  const { value, examples } = await sink.finish();
  return { metric, examples, ...table(split, sink.levels, value) };
}

type Lookup = (i: number, j: number) => number | string;

function isPair(pair: BatchPair): pair is readonly [Batch, Batch] {
  return Array.isArray(pair);
}

function table(
  split: number,
  levels: number,
  value: Lookup,
): Pick<ModelComparison, 'matrix' | 'notes'> {
  const notes = new Set<string>();
  const matrix = Array.from({ length: split }, (_, i) =>
    Array.from({ length: levels - split }, (__, j) => {
      const found = value(i, split + j);
      if (typeof found === 'number') return found;
      notes.add(`Some pairs of levels have no value: ${found}.`);
      return null;
    }),
  );
  return { matrix, notes: [...notes] };
}

/** Keeps pooled vectors on the host, then compares by any measure. */
class Gathered {
  readonly #options: CompareOptions;
  readonly #parts: { data: TypedArray; width: number }[][] = [];
  #examples = 0;

  constructor(options: CompareOptions) {
    this.#options = options;
  }

  get levels(): number {
    return this.#parts.length;
  }

  get full(): boolean {
    return this.#examples >= (this.#options.maxExamples ?? 512);
  }

  async add(levels: readonly Tensor[]): Promise<void> {
    const room = (this.#options.maxExamples ?? 512) - this.#examples;
    const used = Math.min(room, levels[0]!.shape[0]!);
    for (const [level, x] of levels.entries()) {
      const width = x.shape[1]!;
      const data = (await x.data()).slice(0, used * width);
      checkFinite(data, width, level, this.#examples);
      (this.#parts[level] ??= []).push({ data, width });
    }
    this.#examples += used;
  }

  async finish(): Promise<{ value: Lookup; examples: number }> {
    const joined = this.#parts.map((parts) => {
      const width = parts[0]!.width;
      const flat = Float64Array.from(parts.flatMap(({ data }) => [...data]));
      return tensor(flat, [this.#examples, width]);
    });
    if (joined.length === 0) throw new InputError('compareModels: there are no examples');
    return { value: await comparerOf(joined, this.#options), examples: this.#examples };
  }
}

/** Averages HSIC₁ of all pairs over the batches; keeps M² numbers. */
class Averaged {
  readonly full = false;
  levels = 0;
  #examples = 0;
  #sums: Float64Array = new Float64Array();
  #constant: boolean[] = [];

  constructor({ metric = 'cka', estimator = 'debiased' }: CompareOptions) {
    if (metric !== 'cka' || estimator !== 'debiased')
      throw new InputError(
        `compareModels: minibatch gives debiased cka only, not ${estimator} ${metric}`,
      );
  }

  async add(levels: readonly Tensor[]): Promise<void> {
    this.levels = levels.length;
    if (levels[0]!.shape[0]! < FEWEST) return;
    const { hsic, constant } = await batchHsic(levels);
    if (this.#examples === 0) this.#sums = new Float64Array(hsic.length);
    hsic.forEach((value, i) => (this.#sums[i]! += value));
    this.#constant = constant.map((value, i) => value && (this.#constant[i] ?? true));
    if (!hsic.every(Number.isFinite))
      for (const [level, x] of levels.entries())
        checkFinite(await x.data(), x.shape[1]!, level, this.#examples);
    this.#examples += levels[0]!.shape[0]!;
  }

  finish(): Promise<{ value: Lookup; examples: number }> {
    if (this.#examples === 0)
      throw new InputError(`compareModels: no batch has ${FEWEST} examples or more`);
    const at = (i: number, j: number): number => this.#sums[i * this.levels + j]!;
    const value: Lookup = (i, j) => {
      if (this.#constant[i] || this.#constant[j])
        return 'a level is the same for all examples (use another pooling)';
      return ratio(at(i, j), at(i, i), at(j, j)) ?? 'the examples are too few: use more';
    };
    return Promise.resolve({ value, examples: this.#examples });
  }
}
