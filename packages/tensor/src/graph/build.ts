/**
 * @file Builders of primitive nodes: they check operands, broadcast, promote and fold what is trivial.
 * Everything above (composites, Tensor methods) goes through these functions.
 */
import type { ReduceName } from '../ops/reduction.ts';
import { computeType, isFloat, promote, toElement, type DType, type ScalarType } from '../dtype.ts';
import { DTypeError, ShapeError } from '../errors.ts';
import { ELEMENTWISE, type ElementwiseName } from '../ops/elementwise.ts';
import type { ElementwiseOp } from '../ops/primitive.ts';
import {
  broadcastShapes,
  normalizeAxes,
  reducedShape,
  sameShape,
  showShape,
  sizeOf,
  type Shape,
} from '../shape.ts';
import {
  makeNode,
  nodeSize,
  type CustomBackward,
  type Keep,
  type Node,
  type Range,
} from './node.ts';

/** The same literal everywhere, written into the program's text; the value as an element of the type. */
export function constant(value: number, shape: Shape, dtype: DType): Node {
  return makeNode('constant', [], { value: toElement(value, dtype) }, shape, dtype);
}

/** A host number as data, shape []; the value as an element of the type. */
export function scalar(value: number, dtype: ScalarType): Node {
  return makeNode('scalar', [], { value: toElement(value, dtype) }, [], dtype);
}

/** Row-major index of each element, i32. */
export function iota(shape: Shape): Node {
  return makeNode('iota', [], {}, shape, 'i32');
}

/** Uniform f32 in [0, 1), or all 32 random bits as u32; `key` are two u32 nodes of shape []. */
export function random(
  shape: Shape,
  key: readonly [Node, Node],
  dtype: 'f32' | 'u32' = 'f32',
): Node {
  return makeNode('random', key, {}, shape, dtype);
}

/** Repeats axes of size 1 and adds leading axes. Throws ShapeError when the shapes do not broadcast. */
export function expand(x: Node, shape: Shape): Node {
  if (sameShape(x.shape, shape)) return x;
  const aligned = [
    ...new Array<number>(Math.max(0, shape.length - x.shape.length)).fill(1),
    ...x.shape,
  ];
  if (aligned.length !== shape.length || aligned.some((n, i) => n !== 1 && n !== shape[i]))
    throw new ShapeError(`expand: ${showShape(x.shape)} does not expand to ${showShape(shape)}`);
  if (x.op === 'constant') return constant(x.attrs.value, shape, x.dtype);
  return makeNode('expand', [reshape(x, aligned)], {}, shape, x.dtype);
}

/** Same elements in row-major order under another shape. Throws ShapeError when the sizes differ. */
export function reshape(x: Node, shape: Shape): Node {
  if (sameShape(x.shape, shape)) return x;
  if (sizeOf(shape) !== sizeOf(x.shape))
    throw new ShapeError(
      `reshape: ${showShape(x.shape)} has ${sizeOf(x.shape)} elements, ${showShape(shape)} has ${sizeOf(shape)}`,
    );
  if (x.op === 'constant') return constant(x.attrs.value, shape, x.dtype);
  return makeNode('reshape', [x.op === 'reshape' ? x.inputs[0]! : x], {}, shape, x.dtype);
}

/** Axis i of the result is axis `order[i]` of `x`. Throws ShapeError unless `order` is a permutation. */
export function permute(x: Node, order: readonly number[]): Node {
  const sorted = normalizeAxes('permute', order, x.shape.length);
  if (sorted.length !== x.shape.length)
    throw new ShapeError(`permute: order ${showShape(order)} must name all ${x.shape.length} axes`);
  const axes = order.map((a) => (a < 0 ? a + x.shape.length : a));
  if (axes.every((a, i) => a === i)) return x;
  const shape = axes.map((a) => x.shape[a]!);
  if (x.op === 'constant') return constant(x.attrs.value, shape, x.dtype);
  return makeNode('permute', [x], { order: axes }, shape, x.dtype);
}

/** A range of every axis. Throws ShapeError when a range leaves its axis or stands still. */
export function slice(x: Node, ranges: readonly Range[]): Node {
  ranges.forEach((range, axis) => checkRange(x.shape, axis, range));
  const plain = ranges.map(({ start, length, step }): Range => {
    if (length > 1) return { start, length, step };
    return { start: length === 0 ? 0 : start, length, step: 1 };
  });
  const shape = ranges.map((range) => range.length);
  if (plain.every(({ step }) => step === 1) && sameShape(shape, x.shape)) return x;
  if (x.op === 'constant') return constant(x.attrs.value, shape, x.dtype);
  return makeNode('slice', [x], { ranges: plain }, shape, x.dtype);
}

function checkRange(shape: Shape, axis: number, { start, length, step }: Range): void {
  const size = shape[axis]!;
  const last = length > 0 ? start + step * (length - 1) : 0;
  const inside = (i: number): boolean => i >= 0 && i < size;
  const fits = length === 0 ? start >= 0 && start <= size : inside(start) && inside(last);
  if (!fits || length < 0 || step === 0 || ![start, length, step].every(Number.isInteger))
    throw new ShapeError(
      `slice: ${length} elements from ${start} in steps of ${step} do not lie on axis ${axis} of ${showShape(shape)}`,
    );
}

/**
 * Adds `before` and `after` elements of `value` to each axis and `interior` between neighbours (the
 * Pad of XLA, openxla.org/xla/operation_semantics#pad). Throws ShapeError on negative counts.
 */
export function pad(
  x: Node,
  before: readonly number[],
  after: readonly number[],
  value: number,
  interior: readonly number[] = x.shape.map(() => 0),
): Node {
  const rank = x.shape.length;
  const counts = [before, after, interior];
  if (
    counts.some((list) => list.length !== rank || list.some((n) => n < 0 || !Number.isInteger(n)))
  )
    throw new ShapeError(
      `pad: counts ${counts.map(showShape).join(', ')} must be one for each of ${rank} axes, none negative`,
    );
  const between = x.shape.map((n, i) => (n > 1 ? interior[i]! : 0));
  if ([...before, ...after, ...between].every((n) => n === 0)) return x;
  const shape = x.shape.map((n, i) => before[i]! + n + (n - 1) * between[i]! + after[i]!);
  if (sizeOf(x.shape) === 0) return constant(value, shape, x.dtype);
  const attrs = { before, after, interior: between, value: toElement(value, x.dtype) };
  return makeNode('pad', [x], attrs, shape, x.dtype);
}

/** Skews `axis` against `along`: see the op's attributes. Throws ShapeError where `axis` is too short. */
export function shear(x: Node, axis: number, along: number, by: number): Node {
  const shift = Math.abs(by) * Math.max(0, x.shape[along]! - 1);
  if (axis === along || !Number.isInteger(by) || x.shape[axis]! < shift)
    throw new ShapeError(
      `shear: axis ${axis} of ${showShape(x.shape)} cannot be skewed by ${by} against axis ${along}`,
    );
  if (shift === 0) return x;
  const shape = x.shape.map((n, i) => (i === axis ? n - shift : n));
  if (x.op === 'constant') return constant(x.attrs.value, shape, x.dtype);
  return makeNode('shear', [x], { axis, along, by }, shape, x.dtype);
}

/** An elementwise op of the table on broadcast, promoted operands. `dtype` only for `cast`. */
export function elementwise(name: ElementwiseName, operands: readonly Node[], dtype?: DType): Node {
  const op: ElementwiseOp = ELEMENTWISE[name];
  const shape = operands.map((x) => x.shape).reduce((a, b) => broadcastShapes(name, a, b));
  const typed = name === 'cast' ? operands : promoteOperands(name, op, operands);
  const result = resultType(op, typed, dtype);
  const folded = fold(name, typed);
  if (folded) return expand(folded, shape);
  const inputs = typed.map((x) => expand(x, shape));
  return makeNode('elementwise', inputs, { name }, shape, result);
}

/** Conversion to another type; the same node when it has it already. */
export function cast(x: Node, dtype: DType): Node {
  return x.dtype === dtype ? x : elementwise('cast', [x], dtype);
}

function resultType(op: ElementwiseOp, typed: readonly Node[], dtype: DType | undefined): DType {
  if (op.result === 'bool') return 'bool';
  if (op.result === 'attr') return dtype!;
  return typed.at(-1)!.dtype;
}

/** The type among those of the op that operands which meet in `common` are computed in. */
function typeOf(op: ElementwiseOp, common: ScalarType): ScalarType | undefined {
  if (op.types.includes(common)) return common;
  if (common === 'bool' && op.types.includes('i32')) return 'i32';
  return op.types.includes('f32') ? 'f32' : undefined;
}

/** Brings operands to one type that the op knows; 16-bit floats compute in f32. */
function promoteOperands(
  name: ElementwiseName,
  op: ElementwiseOp,
  operands: readonly Node[],
): readonly Node[] {
  const free = name === 'where' ? operands.slice(1) : operands;
  const common = typeOf(op, computeType(free.map((x) => x.dtype).reduce(promote)));
  if (!common)
    throw new DTypeError(
      `${name}: takes ${op.types.join(', ')}; got ${free.map((x) => x.dtype).join(', ')}`,
    );
  const typed = free.map((x) => literalCast(x, common));
  if (name !== 'where') return typed;
  if (operands[0]!.dtype !== 'bool')
    throw new DTypeError(`where: the condition must be bool, got ${operands[0]!.dtype}`);
  return [operands[0]!, ...typed];
}

function literalCast(x: Node, dtype: DType): Node {
  if (x.dtype === dtype) return x;
  if (x.op === 'constant' && isFloat(dtype)) return constant(x.attrs.value, x.shape, dtype);
  return cast(x, dtype);
}

/** `x·1`, `x+0`, `x−0`, `x/1` are x: gradients begin with ones and sums with zeros. */
function fold(name: ElementwiseName, [a, b]: readonly Node[]): Node | undefined {
  const neutral = name === 'mul' || name === 'div' ? 1 : name === 'add' || name === 'sub' ? 0 : NaN;
  const isNeutral = (x: Node | undefined): boolean =>
    x?.op === 'constant' && x.attrs.value === neutral;
  if (isNeutral(b) && a) return a;
  return isNeutral(a) && (name === 'mul' || name === 'add') ? b : undefined;
}

/**
 * Reduces `axes` away. Over no elements a sum is 0 and a product 1; max and min throw ShapeError. Sums and
 * products of bools are i32, their max and min bools.
 */
export function reduce(name: ReduceName, x: Node, axes: readonly number[]): Node {
  if (x.dtype === 'bool') return reduceBools(name, x, axes);
  if (axes.length === 0) return x;
  const input = isFloat(x.dtype) ? cast(x, 'f32') : x;
  const shape = reducedShape(x.shape, axes, false);
  const count = axes.reduce((n, axis) => n * x.shape[axis]!, 1);
  if (count === 0) return reduceNothing(name, x, axes, constant(NOTHING[name], shape, input.dtype));
  if (count === 1) return reshape(input, shape);
  if (input.op === 'constant' && name === 'sum')
    return constant(times(input.attrs.value, count, input.dtype), shape, input.dtype);
  return makeNode('reduce', [input], { name, axes }, shape, input.dtype);
}

const NOTHING: Readonly<Record<ReduceName, number>> = {
  sum: 0,
  prod: 1,
  max: NaN,
  min: NaN,
  peak: NaN,
};

function reduceBools(name: ReduceName, x: Node, axes: readonly number[]): Node {
  const result = reduce(name, cast(x, 'i32'), axes);
  return name === 'max' || name === 'min' ? cast(result, 'bool') : result;
}

function reduceNothing(name: ReduceName, x: Node, axes: readonly number[], nothing: Node): Node {
  if (Number.isNaN(NOTHING[name]) && nodeSize(nothing) > 0)
    throw new ShapeError(
      `${name}: no elements along axes ${showShape(axes)} of ${showShape(x.shape)}`,
    );
  return nothing;
}

/** The product in a type: integers wrap. */
function times(value: number, count: number, dtype: DType): number {
  if (isFloat(dtype)) return value * count;
  const product = Math.imul(value, count);
  return dtype === 'u32' ? product >>> 0 : product;
}

/** [...batch, M, K] · [...batch, K, N] → [...batch, M, N], equal batch axes. */
export function matmul(a: Node, b: Node): Node {
  const batch = a.shape.slice(0, -2);
  const [m, k] = a.shape.slice(-2) as [number, number];
  const [inner, n] = b.shape.slice(-2) as [number, number];
  if (k !== inner)
    throw new ShapeError(
      `matmul: inner sizes differ: a ${showShape(a.shape)} · b ${showShape(b.shape)} (${k} ≠ ${inner})`,
    );
  if (!isFloat(a.dtype) || !isFloat(b.dtype))
    throw new DTypeError(`matmul: takes floats, got ${a.dtype} and ${b.dtype}`);
  const shape = [...batch, m, n];
  if (k === 0) return constant(0, shape, 'f32');
  return makeNode('matmul', [a, b], {}, shape, 'f32');
}

/** Rows of `table` [V, ...rest] at i32 `indices` [...n] → [...n, ...rest]. */
export function gather(table: Node, indices: Node): Node {
  if (table.shape.length === 0) throw new ShapeError('gather: the table has no axis to look up');
  if (isFloat(indices.dtype) || indices.dtype === 'bool')
    throw new DTypeError(`gather: indices must be i32, got ${indices.dtype}`);
  if (table.shape[0] === 0 && sizeOf(indices.shape) > 0)
    throw new ShapeError(`gather: the table ${showShape(table.shape)} has no rows`);
  const shape = [...indices.shape, ...table.shape.slice(1)];
  return makeNode('gather', [table, cast(indices, 'i32')], {}, shape, computeType(table.dtype));
}

/**
 * Rows of `updates` [n, C] brought to i32 `indices` [n] → [rows, C], 0 where none goes: their sum or the last.
 * Indices outside are ignored. Sums of 16-bit floats are f32, of bools i32.
 */
export function scatter(indices: Node, updates: Node, rows: number, keep: Keep): Node {
  if (
    indices.shape.length !== 1 ||
    updates.shape.length !== 2 ||
    indices.shape[0] !== updates.shape[0]
  )
    throw new ShapeError(
      `scatter: wants indices [n] and updates [n, C], got ${showShape(indices.shape)} and ${showShape(updates.shape)}`,
    );
  const computed = computeType(updates.dtype);
  const dtype = computed === 'bool' ? 'i32' : computed;
  const shape = [rows, updates.shape[1]!];
  if (indices.shape[0] === 0) return constant(0, shape, dtype);
  const inputs = [cast(indices, 'i32'), cast(updates, dtype)];
  return makeNode('scatter', inputs, { rows, keep }, shape, dtype);
}

/** Indices that sort each row (the last axis) stably, i32; NaN counts as the largest. */
export function argsort(x: Node, descending: boolean): Node {
  if (x.shape.length === 0) throw new ShapeError('argsort: a scalar has no axis to sort');
  const keys = x.dtype === 'bool' ? cast(x, 'i32') : isFloat(x.dtype) ? cast(x, 'f32') : x;
  return makeNode('argsort', [keys], { descending }, x.shape, 'i32');
}

/** The same value with no gradient through it. */
export function detach(x: Node): Node {
  return makeNode('detach', [x], {}, x.shape, x.dtype);
}

/** The same value, apart from equal ones and not computed before `after` is; see `AttrsOf.barrier`. */
export function barrier(x: Node, after: Node): Node {
  return makeNode('barrier', [x], { after }, x.shape, x.dtype);
}

/** `value` with a gradient rule of its own: `backward` gives the gradients of `args`. */
export function customGradient(value: Node, args: readonly Node[], backward: CustomBackward): Node {
  return makeNode('customGradient', [value, ...args], { backward }, value.shape, value.dtype);
}
