/** @file Products of vectors and matrices. */
import { ShapeError } from '../../errors.ts';
import { broadcastShapes, normalizeAxes, showShape, sizeOf } from '../../shape.ts';
import * as build from '../build.ts';
import type { Node } from '../node.ts';
import { movedim } from './movement.ts';

const { elementwise } = build;

/**
 * The product after NumPy's and PyTorch's rule: a vector on the left is a row, on the right a column, and the axis it lacked
 * goes again; leading axes are batch axes that broadcast. Throws ShapeError.
 */
export function matmul(a: Node, b: Node): Node {
  if (a.shape.length === 0 || b.shape.length === 0)
    throw new ShapeError(
      `matmul: takes vectors and matrices, got ${showShape(a.shape)} and ${showShape(b.shape)}; use mul with scalars`,
    );
  const left = a.shape.length === 1 ? build.reshape(a, [1, ...a.shape]) : a;
  const right = b.shape.length === 1 ? build.reshape(b, [...b.shape, 1]) : b;
  const product = matrices(left, right);
  let shape = product.shape;
  if (b.shape.length === 1) shape = shape.slice(0, -1);
  if (a.shape.length === 1) shape = shape.toSpliced(b.shape.length === 1 ? -1 : -2, 1);
  return build.reshape(product, shape);
}

/** Matrices with batch broadcasting; a 2-D right operand is one product over all rows of a. */
function matrices(a: Node, b: Node): Node {
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

/** Σ aᵢ·bᵢ of two vectors. Throws ShapeError. */
export function dot(a: Node, b: Node): Node {
  if (a.shape.length !== 1 || b.shape.length !== 1 || a.shape[0] !== b.shape[0])
    throw new ShapeError(
      `dot: takes two vectors of one length, got ${showShape(a.shape)} and ${showShape(b.shape)}`,
    );
  return build.reduce('sum', elementwise('mul', [a, b]), [0]);
}

/** aᵢ·bⱼ of two vectors. Throws ShapeError. */
export function outer(a: Node, b: Node): Node {
  if (a.shape.length !== 1 || b.shape.length !== 1)
    throw new ShapeError(
      `outer: takes two vectors, got ${showShape(a.shape)} and ${showShape(b.shape)}`,
    );
  return elementwise('mul', [build.reshape(a, [a.shape[0]!, 1]), b]);
}

/** Every element of a times all of b, as blocks: axis i has the product of both sizes (NumPy's kron). */
export function kron(a: Node, b: Node): Node {
  const rank = Math.max(a.shape.length, b.shape.length);
  const full = (x: Node): number[] => [
    ...new Array<number>(rank - x.shape.length).fill(1),
    ...x.shape,
  ];
  const [left, right] = [full(a), full(b)];
  const apart = elementwise('mul', [
    build.reshape(
      a,
      left.flatMap((n) => [n, 1]),
    ),
    build.reshape(
      b,
      right.flatMap((n) => [1, n]),
    ),
  ]);
  return build.reshape(
    apart,
    left.map((n, i) => n * right[i]!),
  );
}

/**
 * The sum of products over axes of `a` and as many of `b`, of equal sizes in order: a's other axes, then b's. A number
 * names so many last axes of a and first axes of b. Throws ShapeError.
 */
export function tensordot(
  a: Node,
  b: Node,
  axes: number | readonly [readonly number[], readonly number[]],
): Node {
  const count = typeof axes === 'number' ? axes : 0;
  const range = (from: number): number[] => Array.from({ length: count }, (_, i) => from + i);
  const [left, right] =
    typeof axes === 'number' ? [range(a.shape.length - count), range(0)] : [axes[0], axes[1]];
  normalizeAxes('tensordot', left, a.shape.length);
  normalizeAxes('tensordot', right, b.shape.length);
  const sizes = left.map((axis) => a.shape.at(axis)!);
  if (left.length !== right.length || sizes.some((n, i) => n !== b.shape.at(right[i]!)))
    throw new ShapeError(
      `tensordot: axes ${showShape(left)} of ${showShape(a.shape)} do not fit axes ${showShape(right)} of ${showShape(b.shape)}`,
    );
  const last = left.map((_, i) => i - left.length);
  const first = right.map((_, i) => i);
  const [x, y] = [movedim(a, left, last), movedim(b, right, first)];
  const outerA = x.shape.slice(0, x.shape.length - left.length);
  const outerB = y.shape.slice(right.length);
  const inner = sizeOf(sizes);
  const product = build.matmul(
    build.reshape(x, [sizeOf(outerA), inner]),
    build.reshape(y, [inner, sizeOf(outerB)]),
  );
  return build.reshape(product, [...outerA, ...outerB]);
}
