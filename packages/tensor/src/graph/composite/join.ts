/** @file Joining tensors and naming positions. */
import { ShapeError } from '../../errors.ts';
import { normalizeAxis, showShape, type Shape } from '../../shape.ts';
import * as build from '../build.ts';
import type { Node } from '../node.ts';

const { elementwise } = build;

/** Coordinate of each element along `axis`, i32, in a shape that broadcasts against `shape`. */
export function coordinate(shape: Shape, axis: number): Node {
  const ones = shape.map((n, i) => (i === axis ? n : 1));
  return build.reshape(build.iota([shape[axis]!]), ones);
}

/** Joins along an axis. Throws ShapeError when other axes differ. */
export function concat(parts: readonly Node[], axis: number): Node {
  const first = parts[0];
  if (!first) throw new ShapeError('concat: no tensors given');
  const a = normalizeAxis('concat', axis, first.shape.length);
  for (const part of parts)
    if (
      part.shape.length !== first.shape.length ||
      part.shape.some((n, i) => i !== a && n !== first.shape[i])
    )
      throw new ShapeError(
        `concat: ${showShape(part.shape)} does not join ${showShape(first.shape)} along axis ${a}`,
      );
  return parts.reduce((left, right) => join(left, right, a));
}

function join(left: Node, right: Node, axis: number): Node {
  const n = left.shape[axis]!;
  const only = (count: number): number[] => left.shape.map((_, i) => (i === axis ? count : 0));
  const a = build.pad(left, only(0), only(right.shape[axis]!), 0);
  const b = build.pad(right, only(n), only(0), 0);
  const inLeft = elementwise('lt', [coordinate(a.shape, axis), build.constant(n, [], 'i32')]);
  return elementwise('where', [inLeft, a, b]);
}
