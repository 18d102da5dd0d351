/** @file Derived elementwise maths. */
import { elementwise } from '../build.ts';
import type { Node } from '../node.ts';

/** a > b. */
export function gt(a: Node, b: Node): Node {
  return elementwise('lt', [b, a]);
}

/** a ≥ b. */
export function ge(a: Node, b: Node): Node {
  return elementwise('le', [b, a]);
}

/** x². */
export function square(x: Node): Node {
  return elementwise('mul', [x, x]);
}
