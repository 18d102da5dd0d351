/** @file Selections whose size depends on the data: they read a mask from the device first. */
import { DTypeError } from './errors.ts';
import { contiguousStrides } from './shape.ts';
import { tensor } from './create.ts';
import type { Tensor } from './tensor.ts';

/** Positions in row-major order of the elements that are not 0. */
async function positions(x: Tensor): Promise<number[]> {
  const data = await x.data();
  const found: number[] = [];
  data.forEach((value, i) => {
    if (value !== 0) found.push(i);
  });
  return found;
}

/**
 * Indices of the elements that are not 0 (NaN counts as such), in row-major order: i32 [count, rank]. Reads x: it runs
 * what is pending.
 */
export async function nonzero(x: Tensor): Promise<Tensor> {
  const found = await positions(x);
  const strides = contiguousStrides(x.shape);
  const index = found.flatMap((position) =>
    strides.map((stride, axis) => Math.floor(position / stride) % x.shape[axis]!),
  );
  return tensor(Int32Array.from(index), [found.length, x.rank]);
}

/**
 * The elements of `x` where the bool mask (which broadcasts to x) holds, in row-major order: [count]. Reads the mask
 * only; gradients pass to `x`. Throws DTypeError unless the mask is bool.
 */
export async function maskedSelect(x: Tensor, mask: Tensor): Promise<Tensor> {
  if (mask.dtype !== 'bool')
    throw new DTypeError(`maskedSelect: the mask must be bool, got ${mask.dtype}`);
  const found = await positions(mask.expand(x.shape));
  return x.reshape([x.size]).indexSelect(0, tensor(Int32Array.from(found)));
}
