/** @file Products of matrices. */
import { ShapeError } from '../../errors.ts';
import { broadcastShapes, showShape, sizeOf } from '../../shape.ts';
import * as build from '../build.ts';
import type { Node } from '../node.ts';

/** matmul with batch broadcasting; a 2-D right operand is one product over all rows of a. */
export function matmul(a: Node, b: Node): Node {
  if (a.shape.length < 2 || b.shape.length < 2)
    throw new ShapeError(
      `matmul: both operands need two axes, got ${showShape(a.shape)} and ${showShape(b.shape)}`,
    );
  const [m, k] = a.shape.slice(-2) as [number, number];
  if (b.shape.length === 2 && a.shape.length > 2) {
    const rows = build.reshape(a, [sizeOf(a.shape.slice(0, -1)), k]);
    return build.reshape(build.matmul(rows, b), [...a.shape.slice(0, -1), b.shape[1]!]);
  }
  const batch = broadcastShapes('matmul (batch axes)', a.shape.slice(0, -2), b.shape.slice(0, -2));
  return build.matmul(
    build.expand(a, [...batch, m, k]),
    build.expand(b, [...batch, ...b.shape.slice(-2)]),
  );
}
