/**
 * @file PiSSA's beginning: the principal part of the weight (Meng et al. 2024, https://arxiv.org/abs/2404.02948). With
 * W = U·S·Vᵀ, B₀ = U_r·√(S_r/s) and A₀ = √(S_r/s)·V_rᵀ, so that s·B₀·A₀ is the best approximation of rank R.
 */
import { normal, type parameterKey } from '@camada/nn';
import { InputError, tensor, type Tensor } from '@camada/tensor';
import { qr, svd } from '@camada/tensor/linalg';

/** The two matrices of a beginning: A₀ [R, in], B₀ [out, R]. */
export interface Start {
  readonly A: Tensor;
  readonly B: Tensor;
}

/** What a beginning is computed from. */
export interface StartOptions {
  /** Rank R. */
  readonly r: number;
  /** Factor s on the update. */
  readonly scale: number;
  /** Chooses random numbers. */
  readonly key: ReturnType<typeof parameterKey>;
}

interface Factors {
  /** [out, R]. */
  readonly u: Tensor;
  /** [R]. */
  readonly s: Tensor;
  /** [R, in]. */
  readonly vh: Tensor;
}

/**
 * PiSSA's beginning for a weight [out, in]. `iterations` undefined decomposes exactly, on the host, which takes
 * minutes beyond a width of a thousand; a number, `pissa_niter_…`, approximates on the device.
 */
export async function pissaStart(
  weight: Tensor,
  { r, scale, key }: StartOptions,
  iterations: number | undefined,
): Promise<Start> {
  const { u, s, vh } =
    iterations === undefined
      ? await exact(weight, r)
      : await subspace(weight, r, iterations, normal([weight.shape[1]!, r], 1, key));
  const root = s.div(scale).sqrt(); // [R]
  const A = vh.mul(root.unsqueeze(1)); // [R, in]
  const B = u.mul(root); // [out, R]
  return { A: await leaf(A), B: await leaf(B) };
}

async function exact(weight: Tensor, r: number): Promise<Factors> {
  const { u, s, vh } = await svd(weight);
  if (s.size < r) throw new InputError(`PiSSA: rank ${r} is more than the weight has, ${s.size}`);
  return { u: u.slice(1, 0, r), s: s.slice(0, 0, r), vh: vh.slice(0, 0, r) };
}

/**
 * The leading factors by subspace iteration (Halko et al. 2011, https://arxiv.org/abs/0909.4061, algorithms 4.4 and
 * 5.1), as `torch.svd_lowrank`: products with the weight on the device, thin matrices on the host.
 */
async function subspace(
  weight: Tensor,
  r: number,
  iterations: number,
  start: Tensor,
): Promise<Factors> {
  let { q } = await qr(await weight.matmul(start).realize()); // [out, R]
  for (let i = 0; i < iterations; i++) {
    const back = await qr(await weight.transpose().matmul(q).realize()); // [in, R]
    ({ q } = await qr(await weight.matmul(back.q).realize()));
  }
  const small = await q.transpose().matmul(weight).realize(); // [R, in]
  const { u, s, vh } = await svd(small);
  return { u: q.matmul(u), s, vh };
}

/** A tensor of its own with the same numbers. */
export async function leaf(x: Tensor): Promise<Tensor> {
  return tensor(await x.data(), x.shape);
}
