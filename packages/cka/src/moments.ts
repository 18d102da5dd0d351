/**
 * @file HSIC of two representations from sums over examples, added batch by batch on the device: memory does
 * not grow with the number of examples, and the result is that of all examples at once. Feature form of
 * Kornblith et al. 2019 (arXiv 1905.00414, section 3) and, debiased, of the authors' notebook.
 *
 * All rows are shifted by the first batch's mean, so that the sums do not cancel where means are large.
 */
import { realize } from '@camada/tensor';
import type { Tensor, TypedArray } from '@camada/tensor';
import { isConstant, type Estimator } from './gram.ts';

/** Sums over examples of shifted rows x [p], y [q] with squared norms s = ‖x‖², t = ‖y‖². */
interface Sums<Scalar, List> {
  /** Σ x yᵀ [p, q]. */
  readonly xy: List;
  /** Σ x [p]. */
  readonly x: List;
  /** Σ y [q]. */
  readonly y: List;
  /** Σ t x [p]. */
  readonly tx: List;
  /** Σ s y [q]. */
  readonly sy: List;
  /** Σ s. */
  readonly s: Scalar;
  /** Σ t. */
  readonly t: Scalar;
  /** Σ s t. */
  readonly st: Scalar;
}

type DeviceSums = Sums<Tensor, Tensor>;
type HostSums = Sums<number, TypedArray>;

/** Streaming HSIC of a pair of representations. */
export class PairMoments {
  #n = 0;
  #sums: DeviceSums | undefined;
  #shift: { readonly x: Tensor; readonly y: Tensor } | undefined;
  #stale: readonly Tensor[] = [];

  /** Number of examples so far. */
  get examples(): number {
    return this.#n;
  }

  /** Adds rows x [b, p] and y [b, q] of the same examples. Lazy: `realize` the `pending` tensors. */
  add(x: Tensor, y: Tensor): void {
    this.#shift ??= { x: x.mean(0).detach(), y: y.mean(0).detach() };
    const batch = sumsOf(x.sub(this.#shift.x), y.sub(this.#shift.y));
    this.#stale = [...this.#stale, ...(Object.values(this.#sums ?? {}) as Tensor[])];
    this.#sums = this.#sums ? added(this.#sums, batch) : batch;
    this.#n += x.shape[0]!;
  }

  /** What a run must compute so that the graph does not grow with the batches. */
  get pending(): Tensor[] {
    return [...Object.values(this.#sums ?? {}), ...Object.values(this.#shift ?? {})] as Tensor[];
  }

  /** Gives back the memory of earlier sums, once `pending` is computed. */
  settle(): void {
    this.#stale.forEach((tensor) => tensor.dispose());
    this.#stale = [];
  }

  /** HSIC by either estimator. Debiased needs 4 examples. */
  async finish(estimator: Estimator): Promise<number> {
    if (!this.#sums) return NaN;
    return hsicOfSums(this.#n, await toHost(this.#sums), estimator);
  }

  /** True when x is the same for all examples, up to rounding. */
  async isConstant(): Promise<boolean> {
    if (!this.#sums || !this.#shift) return true;
    const [x, s] = [await this.#sums.x.data(), await this.#sums.s.item()];
    const shift = await this.#shift.x.data();
    const variance = s - dot(x, x) / this.#n;
    return isConstant(variance, s + 2 * dot(x, shift) + this.#n * dot(shift, shift));
  }
}

function sumsOf(x: Tensor, y: Tensor): DeviceSums {
  const s = x.square().sum(1, true); // [b, 1]
  const t = y.square().sum(1, true); // [b, 1]
  return {
    xy: x.transpose().matmul(y), // [p, q]
    x: x.sum(0),
    y: y.sum(0),
    tx: x.mul(t).sum(0),
    sy: y.mul(s).sum(0),
    s: s.sum(),
    t: t.sum(),
    st: s.mul(t).sum(),
  };
}

function added(a: DeviceSums, b: DeviceSums): DeviceSums {
  const pairs = Object.entries(b).map(([name, sum]: [string, Tensor]) => {
    return [name, a[name as keyof DeviceSums].add(sum)];
  });
  return Object.fromEntries(pairs) as DeviceSums;
}

async function toHost(sums: DeviceSums): Promise<HostSums> {
  await realize(Object.values(sums) as Tensor[]);
  return {
    xy: await sums.xy.data(),
    x: await sums.x.data(),
    y: await sums.y.data(),
    tx: await sums.tx.data(),
    sy: await sums.sy.data(),
    s: await sums.s.item(),
    t: await sums.t.item(),
    st: await sums.st.item(),
  };
}

/**
 * Biased: ‖Σ x̃ ỹᵀ‖²/(n−1)² with x̃ = x − μ. Debiased, with aᵢ = ‖x̃ᵢ‖², bᵢ = ‖ỹᵢ‖², A = Σa, B = Σb:
 * (‖Σ x̃ ỹᵀ‖² − n/(n−2)·Σab + AB/((n−1)(n−2))) / (n(n−3)).
 */
function hsicOfSums(n: number, sums: HostSums, estimator: Estimator): number {
  const product = squaredNorm(n, sums);
  if (estimator === 'biased') return product / (n - 1) ** 2;
  const a = sums.s - dot(sums.x, sums.x) / n;
  const b = sums.t - dot(sums.y, sums.y) / n;
  const ab = centredNormProduct(n, sums);
  const corrected = product - (n / (n - 2)) * ab + (a * b) / ((n - 1) * (n - 2));
  return corrected / (n * (n - 3));
}

/** ‖Σ x yᵀ − n μ νᵀ‖²_F. */
function squaredNorm(n: number, { xy, x, y }: HostSums): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    const mean = x[i]! / n;
    for (let j = 0; j < y.length; j++) sum += (xy[i * y.length + j]! - mean * y[j]!) ** 2;
  }
  return sum;
}

/**
 * Σ ‖x − μ‖²·‖y − ν‖² = Σ (s − 2x·μ + ‖μ‖²)(t − 2y·ν + ‖ν‖²), multiplied out so that each term is one of the sums.
 */
function centredNormProduct(n: number, { xy, x, y, tx, sy, s, t, st }: HostSums): number {
  const mu = Float64Array.from(x, (value) => value / n);
  const nu = Float64Array.from(y, (value) => value / n);
  const [m, k] = [dot(mu, mu), dot(nu, nu)];
  let cross = 0; // μᵀ (Σ x yᵀ) ν
  for (let i = 0; i < mu.length; i++)
    for (let j = 0; j < nu.length; j++) cross += mu[i]! * xy[i * nu.length + j]! * nu[j]!;
  const first = st - 2 * dot(sy, nu) + k * s;
  const second = -2 * dot(tx, mu) + 4 * cross - 2 * k * dot(x, mu);
  const third = m * t - 2 * m * dot(y, nu) + n * m * k;
  return first + second + third;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
