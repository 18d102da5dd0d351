/**
 * @file Gram matrices on the host and the two estimators of HSIC on them. For the linear kernel K = X·Xᵀ.
 * Shifting all rows of X changes neither estimator, so X is centred first: that keeps f32 exact enough.
 */
import { realize, type Tensor } from '@camada/tensor';

/**
 * `biased`: HSIC₀ = tr(KHLH)/(n−1)², Kornblith et al. 2019 (arXiv 1905.00414), which grows towards 1 as width
 * over examples grows. `debiased`: HSIC₁, Song et al. 2012 and Nguyen et al. 2021 (arXiv 2010.15327, eq. 3).
 */
export type Estimator = 'debiased' | 'biased';

/** Fewest examples of HSIC₁, which divides by n(n − 3). */
export const FEWEST = 4;

type Floats = Float32Array | Float64Array;

/** Products of the centred rows of one representation. */
export interface Gram {
  /** Number of examples. */
  readonly n: number;
  /** Row-major n × n. */
  readonly data: Floats;
  /** True when the representation is the same for all examples, up to rounding. */
  readonly constant: boolean;
}

/** A Gram matrix centred for one estimator: HSIC is then a product of two of these, element by element. */
export interface CentredGram {
  readonly n: number;
  readonly data: Floats;
  readonly estimator: Estimator;
}

/** Variance over mean square below which a representation is constant: rounding of f32 gives about 1e-13. */
const CONSTANT = 1e-10;

/** True for a total variance that is only rounding beside the mean square; both summed alike. */
export function isConstant(variance: number, square: number): boolean {
  return !(variance > CONSTANT * square);
}

/** The Gram matrices of representations [n, p], computed in one run of the current device. */
export async function gramsOf(levels: readonly Tensor[]): Promise<Gram[]> {
  const lazy = levels.map((x) => {
    const centred = x.sub(x.mean(0, true)); // [n, p]
    return { square: x.square().sum(), products: centred.matmul(centred.transpose()) }; // [], [n, n]
  });
  await realize(lazy.flatMap(({ square, products }) => [square, products]));
  const grams: Gram[] = [];
  for (const { square, products } of lazy)
    grams.push(gram(products.shape[0]!, (await products.data()) as Floats, await square.item()));
  return grams;
}

function gram(n: number, data: Floats, square: number): Gram {
  let variance = 0;
  for (let i = 0; i < n; i++) variance += data[i * n + i]!;
  return { n, data, constant: isConstant(variance, square) };
}

/** The Gram matrix of some of the examples. */
export function takeGram(gram: Gram, rows: readonly number[]): Gram {
  const n = rows.length;
  const data = allocate(gram.data, n * n);
  for (let i = 0; i < n; i++) {
    const from = rows[i]! * gram.n;
    for (let j = 0; j < n; j++) data[i * n + j] = gram.data[from + rows[j]!]!;
  }
  return { n, data, constant: gram.constant };
}

/**
 * Double-centres (biased) or U-centres (debiased: without the diagonal; Székely & Rizzo 2014, Annals of
 * Statistics 42, section 3) a Gram matrix. Debiased needs n ≥ 4.
 */
export function centreGram({ n, data }: Gram, estimator: Estimator): CentredGram {
  const debiased = estimator === 'debiased';
  const sums = rowSums(n, data, debiased);
  const total = sums.reduce((sum, value) => sum + value, 0);
  const row = 1 / (debiased ? n - 2 : n);
  const all = total / (debiased ? (n - 1) * (n - 2) : n * n);
  const result = allocate(data, n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++)
      result[i * n + j] = data[i * n + j]! - (sums[i]! + sums[j]!) * row + all;
    if (debiased) result[i * n + i] = 0;
  }
  return { n, data: result, estimator };
}

/** HSIC of two representations of the same examples; debiased, it may be below 0. */
export function hsic(k: CentredGram, l: CentredGram): number {
  let sum = 0;
  for (let i = 0; i < k.data.length; i++) sum += k.data[i]! * l.data[i]!;
  return sum / (k.estimator === 'debiased' ? k.n * (k.n - 3) : (k.n - 1) ** 2);
}

/** CKA from three HSICs; undefined where a representation has no variance of its own that can be told. */
export function ratio(kl: number, kk: number, ll: number): number | undefined {
  const value = kk > 0 && ll > 0 ? kl / Math.sqrt(kk * ll) : NaN;
  return Number.isFinite(value) ? value : undefined;
}

function rowSums(n: number, data: Floats, skipDiagonal: boolean): Float64Array {
  const sums = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let sum = skipDiagonal ? -data[i * n + i]! : 0;
    for (let j = 0; j < n; j++) sum += data[i * n + j]!;
    sums[i] = sum;
  }
  return sums;
}

function allocate(like: Floats, size: number): Floats {
  return like instanceof Float64Array ? new Float64Array(size) : new Float32Array(size);
}
