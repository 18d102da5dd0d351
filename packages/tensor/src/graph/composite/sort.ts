/** @file Sorting along an axis, and what is read off a sorted axis. */
import { isFloat } from '../../dtype.ts';
import { InputError, ShapeError } from '../../errors.ts';
import { normalizeAxis, showShape } from '../../shape.ts';
import * as build from '../build.ts';
import type { Node } from '../node.ts';
import { takeAlongAxis } from './indexing.ts';
import { literal } from './literal.ts';
import { movedim, narrow } from './movement.ts';
import { restore } from './reduction.ts';

const { elementwise } = build;

/** Indices that sort an axis stably, i32. */
export function argsort(x: Node, axis: number, descending: boolean): Node {
  const a = normalizeAxis('argsort', axis, x.shape.length);
  return movedim(build.argsort(movedim(x, [a], [-1]), descending), [-1], [a]);
}

/** The elements of an axis in order, and the indices they had. */
export function sort(x: Node, axis: number, descending: boolean): [values: Node, indices: Node] {
  const a = normalizeAxis('sort', axis, x.shape.length);
  const order = argsort(x, a, descending);
  return [reordered(x, order, a), order];
}

/** An axis in the order of a permutation. Its gradient is the inverse order, for which nothing is scattered. */
function reordered(x: Node, order: Node, axis: number): Node {
  if (x.shape[axis]! <= 1) return x;
  const value = takeAlongAxis(x, order, axis);
  return build.customGradient(value, [x], (_args, _y, dy) => [
    reordered(dy, argsort(build.detach(order), axis, false), axis),
  ]);
}

/** The `k` largest (or smallest) of an axis in order, and their indices. Throws ShapeError unless there are k. */
export function topk(
  x: Node,
  k: number,
  axis: number,
  largest: boolean,
): [values: Node, indices: Node] {
  const a = normalizeAxis('topk', axis, x.shape.length);
  if (!Number.isInteger(k) || k < 0 || k > x.shape[a]!)
    throw new ShapeError(
      `topk: k must be from 0 to the ${x.shape[a]} elements along axis ${a} of ${showShape(x.shape)}, not ${k}`,
    );
  const [values, indices] = sort(x, a, largest);
  return [narrow(values, a, 0, k), narrow(indices, a, 0, k)];
}

/**
 * The elements at `places` (whole numbers) of the sorted axis, which has size 1 then; NaN where the axis has
 * one. Throws ShapeError over no elements.
 */
function sortedAt(op: string, x: Node, axis: number, places: readonly number[]): Node[] {
  const n = x.shape[axis]!;
  if (n === 0)
    throw new ShapeError(`${op}: no elements along axis ${axis} of ${showShape(x.shape)}`);
  const [values] = sort(x, axis, false);
  const found = places.map((place) => narrow(values, axis, place, 1));
  if (!isFloat(x.dtype)) return found;
  const last = narrow(values, axis, n - 1, 1);
  const missing = build.detach(elementwise('isNaN', [last]));
  return found.map((value) => elementwise('where', [missing, last, value]));
}

/** The middle element of an axis, of two the lower. */
export function median(x: Node, axis: number, keepDims: boolean): Node {
  const a = normalizeAxis('median', axis, x.shape.length);
  const [value] = sortedAt('median', x, a, [(x.shape[a]! - 1) >> 1]);
  return restore(value!, x, [a], keepDims);
}

/** The value below which the share q of an axis lies, interpolated between neighbours. */
export function quantile(x: Node, q: number, axis: number, keepDims: boolean): Node {
  const a = normalizeAxis('quantile', axis, x.shape.length);
  if (!(q >= 0 && q <= 1)) throw new InputError(`quantile: q must be from 0 to 1, got ${q}`);
  const place = q * Math.max(0, x.shape[a]! - 1);
  const low = Math.floor(place);
  const ends = place === low ? [low] : [low, low + 1];
  const [below, above] = sortedAt('quantile', build.cast(x, 'f32'), a, ends);
  if (!above) return restore(below!, x, [a], keepDims);
  const step = elementwise('mul', [
    elementwise('sub', [above, below!]),
    literal(place - low, above),
  ]);
  return restore(elementwise('add', [below!, step]), x, [a], keepDims);
}
