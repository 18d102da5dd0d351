/**
 * @file HSIC₁ of all pairs of many representations of one batch, on the device: the U-centred Gram matrices, flattened, are
 * the rows of one matrix whose product with itself holds every pair. Szekely and Rizzo 2014; Nguyen et al. 2021 (arXiv
 * 2010.15327, eq. 3). What comes back to the host is M² numbers, however large the representations.
 */
import { InputError, eye, ones, realize, stack, type Tensor } from '@camada/tensor';
import { FEWEST, isConstant } from './gram.ts';

/** HSIC₁ of a batch. */
export interface BatchHsic {
  /** Row-major M × M. */
  readonly hsic: Float64Array;
  /** For each representation, whether it is the same for all examples of the batch. */
  readonly constant: readonly boolean[];
}

/** Computes it for representations [b, ·] of the same b ≥ 4 examples. Throws InputError when b is less. */
export async function batchHsic(levels: readonly Tensor[]): Promise<BatchHsic> {
  const b = levels[0]?.shape[0] ?? 0;
  if (b < FEWEST) throw new InputError(`HSIC needs at least ${FEWEST} examples, got ${b}`);
  const flat = levels.map((x) => uCentred(x, b).reshape([b * b]));
  const grams = stack(flat, 0); // [M, b²]
  const products = grams.matmul(grams.transpose()).div(b * (b - 3)); // [M, M]
  const spread = stack(levels.map(variance), 0); // [M]
  const size = stack(
    levels.map((x) => x.square().sum()),
    0,
  ); // [M]
  await realize([products, spread, size]);
  const [variances, squares] = [await spread.data(), await size.data()];
  const hsic = Float64Array.from(await products.data());
  [products, spread, size].forEach((tensor) => tensor.dispose());
  return {
    hsic,
    constant: levels.map((_, i) => isConstant(variances[i]!, squares[i]!)),
  };
}

/** K without its diagonal and its means, [b, b]; see `centreGram`. */
function uCentred(x: Tensor, b: number): Tensor {
  const centred = x.sub(x.mean(0, true)); // [b, p]
  const off = ones([b, b]).sub(eye(b));
  const kernel = centred.matmul(centred.transpose()).mul(off); // [b, b]
  const rows = kernel.sum(1, true).div(b - 2); // [b, 1]
  const all = kernel.sum().div((b - 1) * (b - 2)); // []
  return kernel.sub(rows).sub(rows.transpose()).add(all).mul(off);
}

function variance(x: Tensor): Tensor {
  return x.sub(x.mean(0, true)).square().sum();
}
