/**
 * @file Derived ops: each is a line or a few over primitives, with its source. The scheduler fuses them,
 * so a softmax written here still is one kernel.
 */
import { isFloat } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import {
  broadcastShapes,
  normalizeAxis,
  reducedShape,
  showShape,
  sizeOf,
  type Shape,
} from '../shape.ts';
import * as build from './build.ts';
import type { Node } from './node.ts';

const { elementwise } = build;

/** A literal of x's type that broadcasts against it. */
function literal(value: number, x: Node): Node {
  return build.constant(value, [], isFloat(x.dtype) ? 'f32' : x.dtype);
}

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

/** 1/(1+e⁻ˣ), written as (1 + tanh(x/2))/2, which neither overflows nor has a NaN gradient. */
export function sigmoid(x: Node): Node {
  const half = literal(0.5, x);
  const t = elementwise('tanh', [elementwise('mul', [x, half])]);
  return elementwise('add', [elementwise('mul', [t, half]), half]);
}

/** max(x, 0); written as a choice so that the gradient at 0 is 0, as in PyTorch. */
export function relu(x: Node): Node {
  return elementwise('where', [gt(x, literal(0, x)), x, literal(0, x)]);
}

/** x·σ(x). Elfwing et al. 2017, arXiv 1702.03118. */
export function silu(x: Node): Node {
  return elementwise('mul', [x, sigmoid(x)]);
}

/** x·Φ(x) with the error function. Hendrycks & Gimpel 2016, arXiv 1606.08415. */
export function gelu(x: Node): Node {
  const e = elementwise('erf', [elementwise('mul', [x, literal(Math.SQRT1_2, x)])]);
  const half = elementwise('mul', [x, literal(0.5, x)]);
  return elementwise('mul', [half, elementwise('add', [e, literal(1, x)])]);
}

/** GELU by its tanh approximation, arXiv 1606.08415 section 2; `gelu_new` of Hugging Face. */
export function geluTanh(x: Node): Node {
  const cube = elementwise('mul', [square(x), x]);
  const inner = elementwise('add', [x, elementwise('mul', [cube, literal(0.044715, x)])]);
  const t = elementwise('tanh', [elementwise('mul', [inner, literal(Math.sqrt(2 / Math.PI), x)])]);
  const half = elementwise('mul', [x, literal(0.5, x)]);
  return elementwise('mul', [half, elementwise('add', [t, literal(1, x)])]);
}

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
  const s = shifted(x, a);
  const total = sum(elementwise('exp', [s]), [a], true);
  const value = elementwise('sub', [s, elementwise('log', [total])]);
  return build.customGradient(value, [x], (_args, y, dy) => {
    const spread = elementwise('mul', [elementwise('exp', [y]), sum(dy, [a], true)]);
    return [elementwise('sub', [dy, spread])];
  });
}

/** Coordinate of each element along `axis`, i32, in a shape that broadcasts against `shape`. */
export function coordinate(shape: Shape, axis: number): Node {
  const ones = shape.map((n, i) => (i === axis ? n : 1));
  return build.reshape(build.iota([shape[axis]!]), ones);
}

/** Index of the first largest element along an axis, i32. */
export function argmax(x: Node, axis: number): Node {
  const a = normalizeAxis('argmax', axis, x.shape.length);
  const isMax = elementwise('eq', [x, max(x, [a], true)]);
  const none = build.constant(x.shape[a]! - 1, [], 'i32');
  return min(elementwise('where', [isMax, coordinate(x.shape, a), none]), [a], false);
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

/** Standard normal numbers by Box–Muller (1958) from two uniforms. */
export function normal(u1: Node, u2: Node): Node {
  const open = elementwise('sub', [literal(1, u1), u1]);
  const radius = elementwise('sqrt', [
    elementwise('mul', [elementwise('log', [open]), literal(-2, u1)]),
  ]);
  const angle = elementwise('mul', [u2, literal(2 * Math.PI, u2)]);
  return elementwise('mul', [radius, elementwise('cos', [angle])]);
}

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
