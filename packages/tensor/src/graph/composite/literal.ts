/** @file Numbers as operands: literals of a definition's text, and host numbers, which are data. */
import { computeType, isFloat, toElement, type DType } from '../../dtype.ts';
import { DTypeError } from '../../errors.ts';
import { constant, scalar } from '../build.ts';
import type { Node } from '../node.ts';

/** A literal that broadcasts against x: of x's type, but f32 where x is a float or the value is not whole. */
export function literal(value: number, x: Node): Node {
  return constant(value, [], isFloat(x.dtype) || !Number.isInteger(value) ? 'f32' : x.dtype);
}

/**
 * A host number beside a tensor of `dtype`, by PyTorch's rule for numbers: f32 beside floats or where it is not
 * whole; else it takes the integer type of the tensor, i32 beside bools. Throws DTypeError when it does
 * not fit there.
 */
export function hostNumber(value: number, dtype: DType): Node {
  if (isFloat(dtype) || !Number.isInteger(value)) return scalar(value, 'f32');
  const type = dtype === 'bool' ? 'i32' : computeType(dtype);
  if (toElement(value, type) !== value)
    throw new DTypeError(
      `the number ${value} beside a tensor of ${dtype} does not fit ${type}: cast the tensor first`,
    );
  return scalar(value, type);
}
