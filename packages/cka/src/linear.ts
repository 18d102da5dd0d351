/** @file Linear CKA of two representations: Kornblith et al. 2019, arXiv 1905.00414. */
import { InputError, ShapeError, realize, showShape } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import {
  FEWEST,
  centreGram,
  gramsOf,
  hsic,
  ratio,
  type CentredGram,
  type Estimator,
} from './gram.ts';
import { batchHsic } from './hsic1.ts';
import { PairMoments } from './moments.ts';

/** Settings of `linearCka`. */
export interface LinearCkaOptions {
  /** @defaultValue 'debiased' */
  readonly estimator?: Estimator;
  /** `gram` works on n × n products, `features` on p × q ones. @defaultValue the one with less work */
  readonly form?: 'gram' | 'features';
}

/**
 * CKA(X, Y) = HSIC(X, Y) / √(HSIC(X, X)·HSIC(Y, Y)) of representations x [n, p] and y [n, q] of the same n examples.
 * Biased it is in [0, 1]; debiased it is about 0 for unrelated ones and may be slightly below. Invariant to
 * orthogonal maps and isotropic scaling. Throws ShapeError when the numbers of examples differ; InputError when
 * they are too few, or when a representation is constant or not finite.
 */
export async function linearCka(
  x: Tensor,
  y: Tensor,
  options: LinearCkaOptions = {},
): Promise<number> {
  const { estimator = 'debiased', form = cheaperForm(x, y) } = options;
  check(x, y, estimator);
  const value = form === 'gram' ? await byGram(x, y, estimator) : await byFeatures(x, y, estimator);
  if (value === undefined)
    throw new InputError(
      `linearCka: ${showShape(x.shape)} and ${showShape(y.shape)}: a representation is the same for ` +
        'all examples or not finite, so similarity is not defined: use other examples or another pooling',
    );
  return value;
}

/** Gram: n²(p + q) multiplications; features: n(p² + q² + pq). */
function cheaperForm(x: Tensor, y: Tensor): 'gram' | 'features' {
  const [n, p] = x.shape as [number, number];
  const q = y.shape[1]!;
  return n * (p + q) < p * p + q * q + p * q ? 'gram' : 'features';
}

function check(x: Tensor, y: Tensor, estimator: Estimator): void {
  if (x.rank !== 2 || y.rank !== 2 || x.shape[0] !== y.shape[0])
    throw new ShapeError(
      `linearCka: wants [n, p] and [n, q], got ${showShape(x.shape)} and ${showShape(y.shape)}`,
    );
  const fewest = estimator === 'debiased' ? FEWEST : 2;
  if (x.shape[0]! < fewest)
    throw new InputError(
      `linearCka: ${x.shape[0]} examples; ${estimator} CKA needs at least ${fewest}`,
    );
}

async function byGram(x: Tensor, y: Tensor, estimator: Estimator): Promise<number | undefined> {
  const grams = await gramsOf([x, y]);
  if (grams.some((gram) => gram.constant)) return undefined;
  const [k, l] = grams.map((gram) => centreGram(gram, estimator)) as [CentredGram, CentredGram];
  return ratio(hsic(k, l), hsic(k, k), hsic(l, l));
}

async function byFeatures(x: Tensor, y: Tensor, estimator: Estimator): Promise<number | undefined> {
  const stream = new StreamingCka();
  await stream.add(x, y);
  return stream.value(estimator);
}

/** Linear CKA of two representations, fed in mini-batches: exactly that of all examples at once. */
export class StreamingCka {
  readonly #xy = new PairMoments();
  readonly #xx = new PairMoments();
  readonly #yy = new PairMoments();

  /** Number of examples so far. */
  get examples(): number {
    return this.#xy.examples;
  }

  /** Adds x [b, p] and y [b, q]; b may differ between batches. Computes at once. */
  async add(x: Tensor, y: Tensor): Promise<void> {
    this.#xy.add(x, y);
    this.#xx.add(x, x);
    this.#yy.add(y, y);
    const moments = [this.#xy, this.#xx, this.#yy];
    await realize(moments.flatMap(({ pending }) => pending));
    moments.forEach((sums) => sums.settle());
  }

  /** CKA so far; undefined where a representation is constant or the examples are too few. */
  async value(estimator: Estimator = 'debiased'): Promise<number | undefined> {
    if (this.examples < (estimator === 'debiased' ? FEWEST : 2)) return undefined;
    if ((await this.#xx.isConstant()) || (await this.#yy.isConstant())) return undefined;
    return ratio(
      await this.#xy.finish(estimator),
      await this.#xx.finish(estimator),
      await this.#yy.finish(estimator),
    );
  }
}

/**
 * Mini-batch CKA of Nguyen et al. 2021 (arXiv 2010.15327, eq. 2): HSIC₁ averaged over batches, each of the
 * three separately, then the ratio. In expectation independent of the batch size; take batches of 32 or more.
 */
export class MinibatchCka {
  readonly #sums: [number, number, number] = [0, 0, 0];
  #batches = 0;

  /** Batches that counted. */
  get batches(): number {
    return this.#batches;
  }

  /** Adds x [b, p] and y [b, q]. A batch of fewer than 4 examples does not count: false. */
  async add(x: Tensor, y: Tensor): Promise<boolean> {
    if (x.shape[0]! < FEWEST) return false;
    const { hsic: sums } = await batchHsic([x, y]); // [2, 2]
    [sums[1]!, sums[0]!, sums[3]!].forEach((value, i) => (this.#sums[i]! += value));
    this.#batches++;
    return true;
  }

  /** CKA so far; undefined without a batch or where a representation is constant. */
  get value(): number | undefined {
    return ratio(...this.#sums);
  }
}
