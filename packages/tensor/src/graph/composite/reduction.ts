/** @file Derived reductions. */
import { isFloat } from '../../dtype.ts';
import { InputError, ShapeError } from '../../errors.ts';
import type { ReduceName } from '../../ops/reduction.ts';
import { normalizeAxis, reducedShape, showShape, sizeOf } from '../../shape.ts';
import * as build from '../build.ts';
import { nodeSize, type Node } from '../node.ts';
import { square } from './elementwise.ts';
import { coordinate } from './join.ts';
import { literal } from './literal.ts';

const { elementwise } = build;

/** A reduction of `x` in its final shape: reduced axes gone, or back with size 1. */
export function restore(result: Node, x: Node, axes: readonly number[], keepDims: boolean): Node {
  return build.reshape(result, reducedShape(x.shape, axes, keepDims));
}

/** This many elements into one are reduced in two steps, so that it can run in parallel. */
const LONG = 8192;

function reduce(name: ReduceName, x: Node, axes: readonly number[], keepDims: boolean): Node {
  const size = sizeOf(x.shape);
  const rows = axes.length === x.shape.length && size > LONG ? divisorNear(size) : 1;
  if (rows === 1) return restore(build.reduce(name, x, axes), x, axes, keepDims);
  const parts = build.reduce(name, build.reshape(x, [rows, size / rows]), [1]);
  return restore(build.reduce(name, parts, [0]), x, axes, keepDims);
}

/** The divisor of n nearest below √n. */
function divisorNear(n: number): number {
  let d = Math.floor(Math.sqrt(n));
  while (n % d !== 0) d--;
  return d;
}

/** Sum over axes. */
export function sum(x: Node, axes: readonly number[], keepDims: boolean): Node {
  return reduce('sum', x, axes, keepDims);
}

/** Product over axes. */
export function prod(x: Node, axes: readonly number[], keepDims: boolean): Node {
  return reduce('prod', x, axes, keepDims);
}

/** Largest element over axes. */
export function max(x: Node, axes: readonly number[], keepDims: boolean): Node {
  return reduce('max', x, axes, keepDims);
}

/** About the largest element, axes kept, where NaN may be overlooked; no gradient passes. */
export function peak(x: Node, axes: readonly number[]): Node {
  return build.detach(reduce('peak', build.cast(x, 'f32'), axes, true));
}

/** Smallest element over axes. */
export function min(x: Node, axes: readonly number[], keepDims: boolean): Node {
  return reduce('min', x, axes, keepDims);
}

/** Whether any element (`any`) or every one (`all`) over axes is not 0; false and true over no elements. */
export function truth(
  name: 'any' | 'all',
  x: Node,
  axes: readonly number[],
  keepDims: boolean,
): Node {
  const nothing = countOf(x, axes) === 0;
  const shape = reducedShape(x.shape, axes, keepDims);
  if (nothing) return build.constant(name === 'any' ? 0 : 1, shape, 'bool');
  return reduce(name === 'any' ? 'max' : 'min', build.cast(x, 'bool'), axes, keepDims);
}

function countOf(x: Node, axes: readonly number[]): number {
  return axes.reduce((n, axis) => n * x.shape[axis]!, 1);
}

/** Arithmetic mean over axes. Throws ShapeError over no elements. */
export function mean(x: Node, axes: readonly number[], keepDims: boolean): Node {
  const count = countOf(x, axes);
  if (count === 0) throw new ShapeError(`mean: no elements in ${showShape(x.shape)}`);
  const total = sum(build.cast(x, 'f32'), axes, keepDims);
  return elementwise('mul', [total, literal(1 / count, total)]);
}

/**
 * Squared distance from the mean, summed and divided by the count less `correction`, in two passes.
 * Throws ShapeError unless more elements than `correction` meet.
 */
export function variance(
  x: Node,
  axes: readonly number[],
  keepDims: boolean,
  correction: number,
): Node {
  const count = countOf(x, axes);
  if (!(count > correction))
    throw new ShapeError(
      `variance: ${count} elements along axes ${showShape(axes)} of ${showShape(x.shape)} are not more ` +
        `than the correction ${correction}`,
    );
  const distance = elementwise('sub', [x, mean(x, axes, true)]);
  const total = sum(square(distance), axes, keepDims);
  return elementwise('mul', [total, literal(1 / (count - correction), total)]);
}

/** Square root of the variance; its gradient is 0 where that is 0. */
export function std(x: Node, axes: readonly number[], keepDims: boolean, correction: number): Node {
  return root(variance(x, axes, keepDims, correction), 2);
}

/** x^(1/p) of x ≥ 0, with gradient 0 where x is 0. */
function root(x: Node, p: number): Node {
  const zero = elementwise('eq', [build.detach(x), literal(0, x)]);
  const safe = elementwise('where', [zero, literal(1, x), x]);
  const value =
    p === 2 ? elementwise('sqrt', [safe]) : elementwise('pow', [safe, literal(1 / p, x)]);
  return elementwise('where', [zero, literal(0, x), value]);
}

/**
 * p-norm over axes, (Σ |x|ᵖ)^(1/p): for p = 0 the number of elements that are not 0, for p = ±∞ the
 * largest or smallest |x|. Throws InputError for other p below 0.
 */
export function norm(x: Node, p: number, axes: readonly number[], keepDims: boolean): Node {
  if (!(p >= 0 || p === -Infinity))
    throw new InputError(`norm: p must be at least 0, or ±Infinity; got ${p}`);
  const real = build.cast(x, 'f32');
  const size = elementwise('abs', [real]);
  if (p === Infinity) return max(size, axes, keepDims);
  if (p === -Infinity) return min(size, axes, keepDims);
  if (p === 1) return sum(size, axes, keepDims);
  if (p === 2) return root(sum(square(real), axes, keepDims), 2);
  const zero = elementwise('eq', [build.detach(real), literal(0, real)]);
  if (p === 0) return sum(build.cast(elementwise('not', [zero]), 'f32'), axes, keepDims);
  // |x|ᵖ has no gradient at 0 for p < 1, and PyTorch gives 0 there for all p.
  const safe = elementwise('where', [zero, literal(1, real), size]);
  const power = elementwise('pow', [safe, literal(p, real)]);
  const terms = elementwise('where', [zero, literal(0, real), power]);
  return root(sum(terms, axes, keepDims), p);
}

/** Index of the first largest or smallest element along an axis, i32. A NaN counts as both. */
export function argExtremum(
  name: 'argmax' | 'argmin',
  x: Node,
  axis: number,
  keepDims: boolean,
): Node {
  const a = normalizeAxis(name, axis, x.shape.length);
  if (x.shape[a] === 0 && nodeSize(x) !== sizeOf(reducedShape(x.shape, [a], false)))
    throw new ShapeError(`${name}: no elements along axis ${a} of ${showShape(x.shape)}`);
  const keys = x.dtype === 'bool' ? build.cast(x, 'i32') : x;
  const best = (name === 'argmax' ? max : min)(keys, [a], true);
  const none = build.constant(x.shape[a]! - 1, [], 'i32');
  const places = elementwise('where', [holds(keys, best), coordinate(x.shape, a), none]);
  return min(places, [a], keepDims);
}

/** Where x is the extremum `best`; NaN is where x is NaN. */
function holds(x: Node, best: Node): Node {
  const equal = elementwise('eq', [x, best]);
  return isFloat(x.dtype) ? elementwise('or', [equal, elementwise('isNaN', [x])]) : equal;
}
