/**
 * @file The handle users hold. A Tensor names a node of the lazy graph; methods build nodes and return at
 * once. Nothing runs until a value is read (`data`, `item`) or asked for (`realize`).
 */
import { isFloat, type DType, type TypedArray } from './dtype.ts';
import { InputError, ShapeError } from './errors.ts';
import * as build from './graph/build.ts';
import * as composite from './graph/composite.ts';
import type { Node } from './graph/node.ts';
import type { ElementwiseName } from './ops/elementwise.ts';
import { discard, queueAssign, readHolder, realizeNodes, type Holder } from './realize.ts';
import {
  normalizeAxes,
  normalizeAxis,
  reducedShape,
  sameShape,
  showShape,
  sizeOf,
  type Shape,
} from './shape.ts';

/** What binary methods take: a number is a host number, data that is never compiled in. */
export type Operand = Tensor | number;

/** Axes of a reduction; all when undefined. */
export type Axes = number | readonly number[] | undefined;

/** A multi-dimensional array, computed lazily on the current device. */
export class Tensor implements Holder {
  /** The value in the graph. Changes only by `assign` and when memory takes the place of a computation. */
  node: Node;

  constructor(node: Node) {
    this.node = node;
  }

  /** Wraps a graph node. */
  static of(node: Node): Tensor {
    return new Tensor(node);
  }

  /** Sizes of the axes. */
  get shape(): Shape {
    return this.node.shape;
  }

  /** Element type. */
  get dtype(): DType {
    return this.node.dtype;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.node.shape);
  }

  /** Number of axes. */
  get rank(): number {
    return this.node.shape.length;
  }

  private unary(name: ElementwiseName): Tensor {
    return new Tensor(build.elementwise(name, [this.node]));
  }

  private binary(name: ElementwiseName, other: Operand): Tensor {
    return new Tensor(build.elementwise(name, [this.node, operand(other, this)]));
  }

  /** this + other. */
  add(other: Operand): Tensor {
    return this.binary('add', other);
  }
  /** this − other. */
  sub(other: Operand): Tensor {
    return this.binary('sub', other);
  }
  /** this · other, elementwise. */
  mul(other: Operand): Tensor {
    return this.binary('mul', other);
  }
  /** this / other, true division of floats. */
  div(other: Operand): Tensor {
    return this.binary('div', other);
  }
  /** this to the power of other; NaN for a negative base (WGSL's rule). */
  pow(other: Operand): Tensor {
    return this.binary('pow', other);
  }
  /** The larger of both. */
  maximum(other: Operand): Tensor {
    return this.binary('maximum', other);
  }
  /** The smaller of both. */
  minimum(other: Operand): Tensor {
    return this.binary('minimum', other);
  }
  /** this < other, bool. */
  lt(other: Operand): Tensor {
    return this.binary('lt', other);
  }
  /** this ≤ other, bool. */
  le(other: Operand): Tensor {
    return this.binary('le', other);
  }
  /** this > other, bool. */
  gt(other: Operand): Tensor {
    return new Tensor(composite.gt(this.node, operand(other, this)));
  }
  /** this ≥ other, bool. */
  ge(other: Operand): Tensor {
    return new Tensor(composite.ge(this.node, operand(other, this)));
  }
  /** this = other, bool. */
  eq(other: Operand): Tensor {
    return this.binary('eq', other);
  }
  /** this ≠ other, bool. */
  ne(other: Operand): Tensor {
    return this.binary('ne', other);
  }
  /** Both hold; bools. */
  and(other: Tensor): Tensor {
    return this.binary('and', other);
  }
  /** Either holds; bools. */
  or(other: Tensor): Tensor {
    return this.binary('or', other);
  }
  /** Negation of a bool. */
  not(): Tensor {
    return this.unary('not');
  }
  /** −this. */
  neg(): Tensor {
    return this.unary('neg');
  }
  /** e to this. */
  exp(): Tensor {
    return this.unary('exp');
  }
  /** Natural logarithm. */
  log(): Tensor {
    return this.unary('log');
  }
  /** Square root. */
  sqrt(): Tensor {
    return this.unary('sqrt');
  }
  /** 1/√this. */
  rsqrt(): Tensor {
    return this.unary('rsqrt');
  }
  /** 1/this. */
  reciprocal(): Tensor {
    return this.unary('reciprocal');
  }
  /** Sine, radians. */
  sin(): Tensor {
    return this.unary('sin');
  }
  /** Cosine, radians. */
  cos(): Tensor {
    return this.unary('cos');
  }
  /** Hyperbolic tangent. */
  tanh(): Tensor {
    return this.unary('tanh');
  }
  /** Error function. */
  erf(): Tensor {
    return this.unary('erf');
  }
  /** Absolute value. */
  abs(): Tensor {
    return this.unary('abs');
  }
  /** Largest integer not above. */
  floor(): Tensor {
    return this.unary('floor');
  }
  /** this². */
  square(): Tensor {
    return new Tensor(composite.square(this.node));
  }
  /** Logistic function. */
  sigmoid(): Tensor {
    return new Tensor(composite.sigmoid(this.node));
  }
  /** max(this, 0). */
  relu(): Tensor {
    return new Tensor(composite.relu(this.node));
  }
  /** GELU with the error function, arXiv 1606.08415. */
  gelu(): Tensor {
    return new Tensor(composite.gelu(this.node));
  }
  /** GELU by its tanh approximation, arXiv 1606.08415. */
  geluTanh(): Tensor {
    return new Tensor(composite.geluTanh(this.node));
  }
  /** this · sigmoid(this), arXiv 1702.03118. */
  silu(): Tensor {
    return new Tensor(composite.silu(this.node));
  }
  /** Conversion of the element type. */
  cast(dtype: DType): Tensor {
    return new Tensor(build.cast(this.node, dtype));
  }
  /** The same value; no gradient passes. */
  detach(): Tensor {
    return new Tensor(build.detach(this.node));
  }

  /** Sum over axes. */
  sum(axes?: Axes, keepDims = false): Tensor {
    return new Tensor(composite.sum(this.node, this.axes('sum', axes), keepDims));
  }
  /** Mean over axes. Throws ShapeError over no elements. */
  mean(axes?: Axes, keepDims = false): Tensor {
    return new Tensor(composite.mean(this.node, this.axes('mean', axes), keepDims));
  }
  /** Largest element over axes. Throws ShapeError over no elements. */
  max(axes?: Axes, keepDims = false): Tensor {
    return new Tensor(composite.max(this.node, this.axes('max', axes), keepDims));
  }
  /** Smallest element over axes. Throws ShapeError over no elements. */
  min(axes?: Axes, keepDims = false): Tensor {
    return new Tensor(composite.min(this.node, this.axes('min', axes), keepDims));
  }
  /** Population variance over axes (divides by the count). */
  variance(axes?: Axes, keepDims = false): Tensor {
    return new Tensor(composite.variance(this.node, this.axes('variance', axes), keepDims));
  }
  /** Index of the first largest element along an axis, i32. */
  argmax(axis = -1): Tensor {
    return new Tensor(composite.argmax(this.node, axis));
  }
  /** Softmax along an axis. */
  softmax(axis = -1): Tensor {
    return new Tensor(composite.softmax(this.node, axis));
  }
  /** Logarithm of the softmax along an axis. */
  logSoftmax(axis = -1): Tensor {
    return new Tensor(composite.logSoftmax(this.node, axis));
  }
  /** log Σ exp along an axis. */
  logSumExp(axis = -1, keepDims = false): Tensor {
    return new Tensor(composite.logSumExp(this.node, axis, keepDims));
  }

  /** The same elements under another shape; one size may be −1. */
  reshape(shape: Shape): Tensor {
    return new Tensor(build.reshape(this.node, inferSize(shape, this.shape)));
  }
  /** Axis i of the result is axis `order[i]`. */
  permute(order: readonly number[]): Tensor {
    return new Tensor(build.permute(this.node, order));
  }
  /** Exchanges two axes. */
  transpose(a = -2, b = -1): Tensor {
    const order = this.shape.map((_, i) => i);
    const x = normalizeAxis('transpose', a, this.rank);
    const y = normalizeAxis('transpose', b, this.rank);
    [order[x], order[y]] = [y, x];
    return this.permute(order);
  }
  /** Broadcasts to a shape without copying. */
  expand(shape: Shape): Tensor {
    return new Tensor(build.expand(this.node, shape));
  }
  /** Elements `start` to `end` (exclusive) of an axis; negative positions count from its end. */
  slice(axis: number, start: number, end: number = this.shape.at(axis) ?? 0): Tensor {
    const a = normalizeAxis('slice', axis, this.rank);
    const size = this.shape[a]!;
    const from = start < 0 ? start + size : start;
    const to = end < 0 ? end + size : end;
    const ranges = this.shape.map((n, i) =>
      i === a ? { start: from, length: to - from } : { start: 0, length: n },
    );
    return new Tensor(build.slice(this.node, ranges));
  }
  /** Adds elements of `value` before and after each axis. */
  pad(before: readonly number[], after: readonly number[], value = 0): Tensor {
    return new Tensor(build.pad(this.node, before, after, value));
  }
  /** Inserts an axis of size 1. */
  unsqueeze(axis: number): Tensor {
    const a = normalizeAxis('unsqueeze', axis, this.rank + 1);
    return this.reshape([...this.shape.slice(0, a), 1, ...this.shape.slice(a)]);
  }
  /** Removes an axis of size 1. Throws ShapeError when it has another size. */
  squeeze(axis: number): Tensor {
    const a = normalizeAxis('squeeze', axis, this.rank);
    if (this.shape[a] !== 1)
      throw new ShapeError(`squeeze: axis ${axis} of ${showShape(this.shape)} is not 1`);
    return this.reshape(reducedShape(this.shape, [a], false));
  }
  /** Joins axes `from` to `to` (inclusive) into one; a scalar becomes [1]. */
  flatten(from = 0, to = -1): Tensor {
    if (this.rank === 0) return this.reshape([1]);
    const a = normalizeAxis('flatten', from, this.rank);
    const b = normalizeAxis('flatten', to, this.rank);
    const joined = sizeOf(this.shape.slice(a, b + 1));
    return this.reshape([...this.shape.slice(0, a), joined, ...this.shape.slice(b + 1)]);
  }

  /** [..., M, K] · [..., K, N] → [..., M, N] with batch broadcasting. Throws ShapeError. */
  matmul(other: Tensor): Tensor {
    return new Tensor(composite.matmul(this.node, other.node));
  }
  /** Rows of this table [V, ...rest] by i32 indices [...n] → [...n, ...rest]. Indices are clamped. */
  gather(indices: Tensor): Tensor {
    return new Tensor(build.gather(this.node, indices.node));
  }

  /**
   * An effect: after the next run this tensor's memory holds `value`; from now on the tensor reads as it.
   * Throws ShapeError unless shape and dtype agree.
   */
  assign(value: Tensor): void {
    if (!sameShape(this.shape, value.shape) || this.dtype !== value.dtype)
      throw new ShapeError(
        `assign: ${value.dtype} ${showShape(value.shape)} does not fit ${this.dtype} ${showShape(this.shape)}`,
      );
    queueAssign(this, value.node);
  }

  /** Computes this value now and keeps it in device memory. Runs pending assigns too. */
  async realize(): Promise<this> {
    await realizeNodes([this]);
    return this;
  }
  /** The elements, row-major: Float32Array for floats, Int32Array, Uint32Array (bool: 0 and 1). */
  async data(): Promise<TypedArray> {
    return readHolder(this);
  }
  /** The only element. Throws ShapeError when there are several. */
  async item(): Promise<number> {
    if (this.size !== 1)
      throw new ShapeError(`item: ${showShape(this.shape)} has ${this.size} elements; use data()`);
    return (await this.data())[0]!;
  }
  /** Gives the memory back now instead of when the tensor is collected. The tensor must not be used again. */
  dispose(): void {
    discard(this.node);
  }
  /** `using` support. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  private axes(op: string, axes: Axes): number[] {
    return normalizeAxes(op, axes, this.rank);
  }
}

/** A number meets a float tensor as f32, an integer tensor as its type when it is whole. */
function operand(other: Operand, self: Tensor): Node {
  if (typeof other !== 'number') return other.node;
  const whole = Number.isInteger(other) && !isFloat(self.dtype) && self.dtype !== 'bool';
  return build.scalar(other, whole ? self.dtype : 'f32');
}

function inferSize(shape: Shape, from: Shape): Shape {
  const unknown = shape.indexOf(-1);
  if (unknown < 0) return shape;
  const known = sizeOf(shape.filter((_, i) => i !== unknown));
  const size = sizeOf(from) / known;
  if (!Number.isInteger(size) || shape.lastIndexOf(-1) !== unknown)
    throw new ShapeError(`reshape: ${showShape(from)} does not fit ${showShape(shape)}`);
  return shape.map((n, i) => (i === unknown ? size : n));
}

/** Computes many tensors, and all pending assigns, in one program. */
export async function realize(tensors: readonly Tensor[]): Promise<void> {
  for (const x of tensors)
    if (!(x instanceof Tensor)) throw new InputError('realize: wants a list of tensors');
  await realizeNodes(tensors);
}
