/** @file Derived reductions. The scheduler fuses them: a softmax written here is one kernel. */
import { normalizeAxis, reducedShape, showShape, sizeOf } from '../../shape.ts';
import { ShapeError } from '../../errors.ts';
import * as build from '../build.ts';
import type { Node } from '../node.ts';
import { square } from './elementwise.ts';
import { coordinate } from './join.ts';
import { literal } from './literal.ts';

const { elementwise } = build;

/** Puts reduced axes back with size 1. */
function keep(result: Node, x: Node, axes: readonly number[], keepDims: boolean): Node {
  return keepDims ? build.reshape(result, reducedShape(x.shape, axes, true)) : result;
}

/** A sum of this many elements into one is done in two steps, so that it can run in parallel. */
const LONG_SUM = 8192;

/** Sum over axes. */
export function sum(x: Node, axes: readonly number[], keepDims: boolean): Node {
  const size = sizeOf(x.shape);
  const rows = axes.length === x.shape.length && size > LONG_SUM ? divisorNear(size) : 1;
  const once = (y: Node, a: readonly number[]): Node => build.reduce('sum', y, a);
  const whole = (): Node => once(once(build.reshape(x, [rows, size / rows]), [1]), [0]);
  return keep(rows > 1 ? whole() : once(x, axes), x, axes, keepDims);
}

/** The divisor of n nearest below √n. */
function divisorNear(n: number): number {
  let d = Math.floor(Math.sqrt(n));
  while (n % d !== 0) d--;
  return d;
}

/** Largest element over axes. */
export function max(x: Node, axes: readonly number[], keepDims: boolean): Node {
  return keep(build.reduce('max', x, axes), x, axes, keepDims);
}

/** Smallest element over axes. */
export function min(x: Node, axes: readonly number[], keepDims: boolean): Node {
  return keep(build.reduce('min', x, axes), x, axes, keepDims);
}

/** Arithmetic mean over axes. Throws ShapeError over no elements. */
export function mean(x: Node, axes: readonly number[], keepDims: boolean): Node {
  const count = axes.reduce((n, axis) => n * x.shape[axis]!, 1);
  if (count === 0) throw new ShapeError(`mean: no elements in ${showShape(x.shape)}`);
  const total = sum(build.cast(x, 'f32'), axes, keepDims);
  return elementwise('mul', [total, literal(1 / count, total)]);
}

/** Mean squared distance from the mean (population variance, as in LayerNorm), in two passes. */
export function variance(x: Node, axes: readonly number[], keepDims: boolean): Node {
  return mean(square(elementwise('sub', [x, mean(x, axes, true)])), axes, keepDims);
}

/** x minus its largest element on the axis, through which no gradient need pass. */
function shifted(x: Node, axis: number): Node {
  return elementwise('sub', [x, build.detach(max(x, [axis], true))]);
}

/** eˣ / Σ eˣ along an axis, shifted by the maximum. Its gradient y·(dy − Σ dy·y) needs the result only. */
export function softmax(x: Node, axis: number): Node {
  const a = normalizeAxis('softmax', axis, x.shape.length);
  if (x.shape[a] === 0) return x;
  const e = elementwise('exp', [shifted(x, a)]);
  const value = elementwise('div', [e, sum(e, [a], true)]);
  return build.customGradient(value, [x], (_args, y, dy) => {
    const inner = sum(elementwise('mul', [dy, y]), [a], true);
    return [elementwise('mul', [y, elementwise('sub', [dy, inner])])];
  });
}

/** log Σ eˣ along an axis, shifted by the maximum. */
export function logSumExp(x: Node, axis: number, keepDims: boolean): Node {
  const a = normalizeAxis('logSumExp', axis, x.shape.length);
  const total = sum(elementwise('exp', [shifted(x, a)]), [a], true);
  const result = elementwise('add', [elementwise('log', [total]), build.detach(max(x, [a], true))]);
  return keepDims ? result : build.reshape(result, reducedShape(x.shape, [a], false));
}

/** log softmax along an axis. Its gradient dy − eʸ·Σ dy needs the result only. */
export function logSoftmax(x: Node, axis: number): Node {
  const a = normalizeAxis('logSoftmax', axis, x.shape.length);
  if (x.shape[a] === 0) return x;
  const s = shifted(x, a);
  const total = sum(elementwise('exp', [s]), [a], true);
  const value = elementwise('sub', [s, elementwise('log', [total])]);
  return build.customGradient(value, [x], (_args, y, dy) => {
    const spread = elementwise('mul', [elementwise('exp', [y]), sum(dy, [a], true)]);
    return [elementwise('sub', [dy, spread])];
  });
}

/** Index of the first largest element along an axis, i32. */
export function argmax(x: Node, axis: number): Node {
  const a = normalizeAxis('argmax', axis, x.shape.length);
  const isMax = elementwise('eq', [x, max(x, [a], true)]);
  const none = build.constant(x.shape[a]! - 1, [], 'i32');
  return min(elementwise('where', [isMax, coordinate(x.shape, a), none]), [a], false);
}
