/** @file Views made of slices, reshapes and broadcasts: none of them copies. */
import { ShapeError } from '../../errors.ts';
import { normalizeAxes, normalizeAxis, showShape, sizeOf, type Shape } from '../../shape.ts';
import * as build from '../build.ts';
import type { Node, Range } from '../node.ts';

/** All of an axis. */
function whole(length: number): Range {
  return { start: 0, length, step: 1 };
}

/** One axis cut to a range. */
export function sliceAxis(x: Node, axis: number, range: Range): Node {
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

/** `length` elements of an axis from `start` on. Throws ShapeError outside the axis. */
export function narrow(x: Node, axis: number, start: number, length: number): Node {
  const a = normalizeAxis('narrow', axis, x.shape.length);
  const from = start < 0 ? start + x.shape[a]! : start;
  return sliceAxis(x, a, { start: from, length, step: 1 });
}

/** Index `index` of an axis, which disappears. Throws ShapeError outside the axis. */
export function select(x: Node, axis: number, index: number): Node {
  const a = normalizeAxis('select', axis, x.shape.length);
  return build.reshape(narrow(x, a, index, 1), x.shape.toSpliced(a, 1));
}

/** Pieces of these sizes along an axis. Throws ShapeError unless they fill it. */
export function split(x: Node, sizes: readonly number[], axis: number): Node[] {
  const a = normalizeAxis('split', axis, x.shape.length);
  if (sizes.reduce((sum, n) => sum + n, 0) !== x.shape[a])
    throw new ShapeError(
      `split: sizes ${showShape(sizes)} do not add up to axis ${a} of ${showShape(x.shape)}`,
    );
  let start = 0;
  return sizes.map((n) => narrow(x, a, (start += n) - n, n));
}

/** `size` again and again until `total` is reached; the last piece may be smaller. */
export function pieces(op: string, total: number, size: number): number[] {
  if (!Number.isInteger(size) || size < 1)
    throw new ShapeError(`${op}: a piece must hold at least one element, not ${size}`);
  const count = Math.max(1, Math.ceil(total / size));
  return Array.from({ length: count }, (_, i) => Math.min(size, total - i * size));
}

/** Axes `from[i]` moved to `to[i]`, the others in their order. Throws ShapeError. */
export function movedim(x: Node, from: readonly number[], to: readonly number[]): Node {
  const rank = x.shape.length;
  const sources = from.map((axis) => normalizeAxis('movedim', axis, rank));
  const targets = to.map((axis) => normalizeAxis('movedim', axis, rank));
  const distinct = new Set(sources).size === from.length && new Set(targets).size === to.length;
  if (from.length !== to.length || !distinct)
    throw new ShapeError(
      `movedim: wants as many axes as places, each once, got ${showShape(from)} and ${showShape(to)}`,
    );
  const others = x.shape.map((_, axis) => axis).filter((axis) => !sources.includes(axis));
  const order = x.shape.map((_, axis) => {
    const i = targets.indexOf(axis);
    return i >= 0 ? sources[i]! : others.shift()!;
  });
  return build.permute(x, order);
}

/** The whole tensor repeated `times[i]` times along axis i; missing leading axes are added. */
export function tile(x: Node, times: readonly number[]): Node {
  if (times.some((n) => !Number.isInteger(n) || n < 0))
    throw new ShapeError(`tile: counts must be whole and not negative, got ${showShape(times)}`);
  const rank = Math.max(times.length, x.shape.length);
  const padTo = (list: readonly number[]): number[] => [
    ...new Array<number>(rank - list.length).fill(1),
    ...list,
  ];
  const [shape, counts] = [padTo(x.shape), padTo(times)];
  const apart = build.reshape(
    x,
    shape.flatMap((n) => [1, n]),
  );
  const repeated = build.expand(
    apart,
    shape.flatMap((n, i) => [counts[i]!, n]),
  );
  return build.reshape(
    repeated,
    shape.map((n, i) => n * counts[i]!),
  );
}

/** Each element of an axis `count` times in a row. */
export function repeatEach(x: Node, count: number, axis: number): Node {
  if (!Number.isInteger(count) || count < 0)
    throw new ShapeError(
      `repeatInterleave: the count must be whole and not negative, not ${count}`,
    );
  const apart = build.reshape(x, x.shape.toSpliced(axis + 1, 0, 1));
  const repeated = build.expand(apart, x.shape.toSpliced(axis + 1, 0, count));
  return build.reshape(repeated, x.shape.with(axis, x.shape[axis]! * count));
}

/** An axis as several. Throws ShapeError unless they hold as many elements. */
export function unflatten(x: Node, axis: number, sizes: Shape): Node {
  const a = normalizeAxis('unflatten', axis, x.shape.length);
  if (sizeOf(sizes) !== x.shape[a])
    throw new ShapeError(
      `unflatten: ${showShape(sizes)} does not fit axis ${a} of ${showShape(x.shape)}`,
    );
  return build.reshape(x, x.shape.toSpliced(a, 1, ...sizes));
}

/**
 * The diagonal of two axes, which go; it becomes the last axis. `offset` > 0 lies above the main diagonal.
 * In row-major order of an [m, n] matrix its elements are n + 1 apart.
 */
export function diagonal(x: Node, offset: number, axis1: number, axis2: number): Node {
  normalizeAxes('diagonal', [axis1, axis2], x.shape.length);
  const last = movedim(x, [axis1, axis2], [-2, -1]);
  const [m, n] = last.shape.slice(-2) as [number, number];
  const length = Math.max(0, offset < 0 ? Math.min(m + offset, n) : Math.min(m, n - offset));
  const start = length === 0 ? 0 : offset < 0 ? -offset * n : offset;
  const outer = last.shape.slice(0, -2);
  const flat = build.reshape(last, [...outer, m * n]);
  return sliceAxis(flat, outer.length, { start, length, step: n + 1 });
}

/**
 * Windows of `size` elements along an axis, `step` apart, whose elements are `dilation` apart: the axis counts
 * windows and a new last axis their elements. A skewed view of the axis repeated: element (i, j) is
 * x[i·step + j·dilation]. Throws ShapeError where not even one window fits.
 */
export function unfold(
  x: Node,
  axis: number,
  size: number,
  step: number,
  dilation: number = 1,
): Node {
  const a = normalizeAxis('unfold', axis, x.shape.length);
  const span = dilation * (size - 1) + 1;
  const whole = [size, step, dilation].every((n) => Number.isInteger(n) && n >= 1);
  if (!whole || span > x.shape[a]!)
    throw new ShapeError(
      `unfold: windows of ${size}, step ${step}, dilation ${dilation} do not fit axis ${a} of ${showShape(x.shape)}`,
    );
  const repeated = build.expand(build.reshape(x, [...x.shape, 1]), [...x.shape, size]);
  const skewed = build.shear(repeated, a, x.shape.length, dilation);
  const length = Math.floor((x.shape[a]! - span) / step) + 1;
  return sliceAxis(skewed, a, { start: 0, length, step });
}

/**
 * The sum of windows where they lie: [..., n, ..., size] → [..., (n − 1)·step + dilation·(size − 1) + 1, ...], the transpose of
 * `unfold`. The windows are spread by `step`, skewed into place and summed over the last axis.
 */
export function fold(x: Node, axis: number, step: number, dilation: number): Node {
  const last = x.shape.length - 1;
  const only = (n: number): number[] => x.shape.map((_, i) => (i === axis ? n : 0));
  const around = only(dilation * (x.shape[last]! - 1));
  const spread = build.pad(x, around, around, 0, only(step - 1));
  return build.reduce('sum', build.shear(spread, axis, last, -dilation), [last]);
}
