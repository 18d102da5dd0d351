/**
 * @file Programs for the self-test that are large enough for a device's fast kernels (tiles, vectors, rows shared by
 * many invocations), which the small cases of the catalogue never reach.
 */
import { where } from '../create.ts';
import type { Tensor } from '../tensor.ts';

/** Normal numbers x [96, 160] and y [160, 72], positive numbers z [96, 160]. */
export type Program = (x: Tensor, y: Tensor, z: Tensor) => Tensor;

/** Programs by name; each computes one result. */
export const PROGRAMS: Readonly<Record<string, Program>> = {
  'matrix product': (x, y) => x.matmul(y),
  'product of transposed matrices': (x, y) => y.transpose().matmul(x.transpose()),
  'product with few results': (x) => x.slice(0, 0, 1).matmul(x.transpose()),
  'product with bias, activation and residual': (x, y, z) =>
    x
      .matmul(y)
      .add(z.slice(1, 0, 72))
      .gelu()
      .add(z.slice(1, 72, 144)),
  'batched product': (x) => x.reshape([3, 32, 160]).matmul(x.reshape([3, 32, 160]).transpose()),
  'softmax of rows': (x) => x.mul(3).softmax(),
  'softmax of one long row': (x) =>
    x
      .reshape([96 * 160])
      .softmax()
      .mul(1000),
  'layer norm': (x) => x.sub(x.mean(-1, true)).div(x.variance(-1, true).add(1e-5).sqrt()),
  'sums and extremes down the columns': (x) => x.sum(0).add(x.max(0)).sub(x.min(0)),
  'sum of everything': (x, _y, z) => x.mul(z).sum(),
  'a chain of functions': (x, _y, z) =>
    x.exp().add(z.log()).mul(z.rsqrt()).add(x.sin().mul(x.cos())).add(x.sigmoid()),
  'transposed operands': (x) =>
    x
      .transpose()
      .add(x.transpose().slice(0, 0, 1))
      .transpose(),
  'a choice by comparison': (x, _y, z) => where(x.lt(z), x.square(), z.neg()),
  'sixteen-bit memory': (x) => x.cast('f16').add(1).cast('bf16').mul(2),
};
