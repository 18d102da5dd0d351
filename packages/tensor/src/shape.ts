/**
 * @file Shapes: sizes, strides, axes and NumPy broadcasting. A shape is a list of non-negative
 * integers; the last axis is the fastest in memory.
 */
import { ShapeError } from './errors.ts';

/** Sizes of the axes, outermost first. */
export type Shape = readonly number[];

/** Number of elements; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let product = 1;
  for (let i = 0; i < shape.length; i++) product *= shape[i]!;
  return product;
}

/** Row-major strides in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** True when both have the same axes. */
export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** `[2, 3]`, for messages. */
export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** Counts a negative axis from the end. Throws ShapeError when it is out of range. */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  const result = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || result < 0 || result >= rank)
    throw new ShapeError(`${op}: axis ${axis} is outside a tensor of ${rank} axes`);
  return result;
}

/** Sorted distinct axes; all of them when `axes` is undefined. Throws ShapeError on a bad or doubled axis. */
export function normalizeAxes(
  op: string,
  axes: number | readonly number[] | undefined,
  rank: number,
): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  const list = (typeof axes === 'number' ? [axes] : axes).map((a) => normalizeAxis(op, a, rank));
  if (new Set(list).size !== list.length)
    throw new ShapeError(`${op}: axes ${showShape(list)} name an axis twice`);
  return list.sort((a, b) => a - b);
}

/**
 * The shape two operands broadcast to, by NumPy's rule: align at the last axis; sizes must be equal
 * or one of them 1. Throws ShapeError otherwise.
 */
export function broadcastShapes(op: string, a: Shape, b: Shape): Shape {
  if (b.length === 0 || sameShape(a, b)) return a;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1)
      throw new ShapeError(
        `${op}: shapes ${showShape(a)} and ${showShape(b)} do not broadcast (${x} ≠ ${y} at axis ${i})`,
      );
    return x === 1 ? y : x;
  });
}

/** The shape left when `axes` are reduced: removed, or kept with size 1. */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  if (keepDims) return shape.map((size, i) => (axes.includes(i) ? 1 : size));
  return shape.filter((_, i) => !axes.includes(i));
}

/** `shape` with its one −1, if any, replaced so that it holds as many elements as `from`. Throws ShapeError. */
export function inferSize(shape: Shape, from: Shape): Shape {
  const unknown = shape.indexOf(-1);
  if (unknown < 0) return shape;
  const known = sizeOf(shape.filter((_, i) => i !== unknown));
  const size = sizeOf(from) / known;
  if (!Number.isInteger(size) || shape.lastIndexOf(-1) !== unknown)
    throw new ShapeError(`reshape: ${showShape(from)} does not fit ${showShape(shape)}`);
  return shape.map((n, i) => (i === unknown ? size : n));
}
