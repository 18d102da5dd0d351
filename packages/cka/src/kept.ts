/**
 * @file Compares levels whose pooled vectors are kept on the host, by Gram matrices. Memory: (L+1)·n·C numbers
 * for the vectors, then (L+1)·n² for the Gram matrices, with n at most `limit`.
 */
import { realize, stack, tensor, type Tensor, type TypedArray } from '@camada/tensor';
import { checkFinite } from './capture.ts';
import {
  adjacent,
  symmetric,
  type Comparer,
  type Comparison,
  type Resampling,
  type Similarity,
} from './comparison.ts';
import {
  FEWEST,
  centreGram,
  gramsOf,
  hsic,
  ratio,
  takeGram,
  type Estimator,
  type Gram,
} from './gram.ts';
import { withoutOutliers } from './outliers.ts';
import { integers, sampleWithout } from './random.ts';

/** Most examples that resamples are drawn from: their cost grows with the square. */
const RESAMPLED = 256;

/** See the file. */
export class KeptLevels implements Comparer {
  readonly #limit: number;
  readonly #parts: TypedArray[][] = [];
  #width = 0;
  #examples = 0;

  /** @param limit most examples that are kept; later ones are not used. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True when `limit` examples are kept. */
  get full(): boolean {
    return this.#examples >= this.#limit;
  }

  /** Reads the levels of a batch, of which the last rows may be beyond the limit. */
  async add(levels: readonly Tensor[]): Promise<void> {
    const [count, width] = levels[0]!.shape as [number, number];
    const used = Math.min(count, this.#limit - this.#examples);
    await realize(levels);
    for (const [level, x] of levels.entries()) {
      const data = (await x.data()).slice(0, used * width);
      checkFinite(data, width, level, this.#examples);
      (this.#parts[level] ??= []).push(data);
    }
    this.#width = width;
    this.#examples += used;
  }

  /** All pairs of levels; intervals by half-samples (see `halfSamples`). */
  async finish(options: Resampling): Promise<Comparison> {
    const levels = this.#parts.map((parts) => this.#joined(parts));
    const grams = await gramsOf(levels);
    const n = this.#examples;
    const drawn = Math.min(n, RESAMPLED);
    const similarity = comparedBy(grams, options.estimator);
    return {
      examples: n,
      constant: grams.map((gram) => gram.constant),
      matrix: symmetric(grams.length, similarity),
      resampled: halfSamples(grams, drawn, options),
      shrink: Math.sqrt(drawn / n),
      outliers: withoutOutliers(grams, options.estimator),
      dominance: await dominance(levels),
      notes: [],
    };
  }

  #joined(parts: readonly TypedArray[]): Tensor {
    const size = this.#examples * this.#width;
    const data = parts[0] instanceof Float64Array ? new Float64Array(size) : new Float32Array(size);
    let at = 0;
    for (const part of parts) {
      data.set(part, at);
      at += part.length;
    }
    return tensor(data, [this.#examples, this.#width]);
  }
}

/** The share of each level's variance that its largest dimension holds; 0 of a constant level. */
async function dominance(levels: readonly Tensor[]): Promise<number[]> {
  const shares = levels.map((x) => {
    const variances = x.sub(x.mean(0, true)).square().sum(0); // [C]
    return variances.max().div(variances.sum().maximum(1e-30));
  });
  return [...(await stack(shares, 0).data())];
}

/**
 * Adjacent CKAs on random halves, drawn without repetition: a bootstrap's repeated examples would look
 * similar to themselves, which the debiased estimator exists to leave out. The deviation of a half from
 * the whole has the variance of the whole's own estimate: σ²(1/(n/2) − 1/n) = σ²/n (half-sampling; Efron 1982,
 * "The Jackknife, the Bootstrap and Other Resampling Plans", section 3.5).
 */
function halfSamples(grams: readonly Gram[], drawn: number, options: Resampling): Similarity[][] {
  const half = Math.floor(drawn / 2);
  if (half < FEWEST) return [];
  const below = integers(options.key);
  const pool = sampleWithout(grams[0]!.n, drawn, below);
  return Array.from({ length: options.resamples }, () => {
    const rows = sampleWithout(drawn, half, below).map((i) => pool[i]!);
    const taken = grams.map((gram) => takeGram(gram, rows));
    return adjacent(grams.length, comparedBy(taken, options.estimator));
  });
}

/** CKA of levels i and j, each centred once. */
function comparedBy(
  grams: readonly Gram[],
  estimator: Estimator,
): (i: number, j: number) => Similarity {
  const centred = grams.map((gram) => centreGram(gram, estimator));
  const norms = centred.map((gram) => hsic(gram, gram));
  return (i, j) => {
    if (grams[i]!.constant || grams[j]!.constant) return undefined;
    return i === j ? 1 : ratio(hsic(centred[i]!, centred[j]!), norms[i]!, norms[j]!);
  };
}
