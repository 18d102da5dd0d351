/** @file Einstein summation over tensors. */
import { einsum as einsumNode } from './graph/composite/einsum.ts';
import { Tensor } from './tensor.ts';

/**
 * Einstein summation, as in NumPy and PyTorch: `einsum('bqd,bkd->bqk', q, k)`. Letters name axes; a letter repeated in one
 * operand is its diagonal, one that the result lacks is summed; `...` are leading axes that broadcast. Without `->` the
 * result has the letters that occur once, in alphabetical order. Throws ShapeError.
 */
export function einsum(subscripts: string, ...operands: readonly Tensor[]): Tensor {
  return Tensor.of(
    einsumNode(
      subscripts,
      operands.map((x) => x.node),
    ),
  );
}
