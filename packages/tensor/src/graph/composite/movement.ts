/** @file Views and rearrangements made of slices, padding and joins. */
import { ShapeError } from '../../errors.ts';
import { normalizeAxis, showShape } from '../../shape.ts';
import * as build from '../build.ts';
import type { Node, Range } from '../node.ts';

/** All of an axis. */
function whole(length: number): Range {
  return { start: 0, length, step: 1 };
}

/** One axis cut to a range. */
function sliceAxis(x: Node, axis: number, range: Range): Node {
  return build.slice(
    x,
    x.shape.map((n, i) => (i === axis ? range : whole(n))),
  );
}

/** `start:end:step` of an axis, positions counted from the end where negative. Throws ShapeError outside the axis. */
export function slice(
  x: Node,
  axis: number,
  start: number,
  end: number | undefined,
  step: number,
): Node {
  const a = normalizeAxis('slice', axis, x.shape.length);
  const size = x.shape[a]!;
  if (step === 0 || !Number.isInteger(step))
    throw new ShapeError(`slice: the step must be a whole number other than 0, not ${step}`);
  const from = start < 0 ? start + size : start;
  const stop = step < 0 ? -1 : size;
  const to = end === undefined ? stop : end < 0 ? end + size : end;
  const inside = step > 0 ? to <= size : from < size && to >= -1;
  const length = Math.ceil((to - from) / step);
  if (!inside || from < 0 || length < 0)
    throw new ShapeError(
      `slice: ${start}:${end ?? ''}:${step} leaves axis ${a} of ${showShape(x.shape)}`,
    );
  return sliceAxis(x, a, { start: from, length, step });
}

/** Axes back to front. */
export function flip(x: Node, axes: readonly number[]): Node {
  const backwards = (n: number): Range => ({ start: Math.max(0, n - 1), length: n, step: -1 });
  return build.slice(
    x,
    x.shape.map((n, i) => (axes.includes(i) ? backwards(n) : whole(n))),
  );
}
