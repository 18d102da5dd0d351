/** @file Literals of a definition's text. */
import { isFloat } from '../../dtype.ts';
import { constant } from '../build.ts';
import type { Node } from '../node.ts';

/** A literal of x's type that broadcasts against it; f32 where x is a float. */
export function literal(value: number, x: Node): Node {
  return constant(value, [], isFloat(x.dtype) ? 'f32' : x.dtype);
}
