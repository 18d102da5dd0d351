/**
 * @file Look-up and update by index, made of rows of a table and of scatters into one. On the device an index
 * outside the axis is clamped where it reads and ignored where it writes, since a device cannot throw;
 * `checkIndices` looks at those that are still host data.
 */
import { isFloat } from '../../dtype.ts';
import { DTypeError, IndexError, ShapeError } from '../../errors.ts';
import {
  broadcastShapes,
  contiguousStrides,
  normalizeAxis,
  sameShape,
  showShape,
  sizeOf,
  type Shape,
} from '../../shape.ts';
import * as build from '../build.ts';
import type { Node, Range } from '../node.ts';
import { coordinate } from './join.ts';

const { elementwise } = build;

/**
 * `x[…, indices[…, i, …], …]`: along `axis` the element that the index names; the other axes of both broadcast
 * (NumPy's `take_along_axis`). Indices are clamped. Throws ShapeError unless the ranks are equal.
 */
export function takeAlongAxis(x: Node, indices: Node, axis: number): Node {
  const rank = x.shape.length;
  if (indices.shape.length !== rank)
    throw new ShapeError(
      `takeAlongAxis: x ${showShape(x.shape)} and indices ${showShape(indices.shape)} must have as many axes`,
    );
  const a = normalizeAxis('takeAlongAxis', axis, rank);
  checkIndices('takeAlongAxis', indices, x.shape[a]!);
  const others = broadcastShapes('takeAlongAxis', x.shape.with(a, 1), indices.shape.with(a, 1));
  const [n, count] = [x.shape[a]!, indices.shape[a]!];
  if (n === 0 && sizeOf(others) * count > 0)
    throw new ShapeError(`takeAlongAxis: axis ${a} of ${showShape(x.shape)} has no elements`);
  const chosen = build.expand(indices, others.with(a, count));
  const table = build.expand(x, others.with(a, n));
  const found = build.gather(
    build.reshape(table, [sizeOf(table.shape)]),
    build.reshape(positions(chosen, table.shape, a), [sizeOf(chosen.shape)]),
  );
  return build.customGradient(build.reshape(found, chosen.shape), [table], (_args, _y, dy) => [
    placed(dy, build.detach(chosen), table.shape, a),
  ]);
}

/**
 * Row-major positions in `shape` of the elements that indices along `axis` name; the other axes of `indices` may
 * be shorter. An index outside the axis is clamped, or with `drop` its position is −1.
 */
function positions(indices: Node, shape: Shape, axis: number, drop: boolean = false): Node {
  const whole = (value: number): Node => build.constant(value, [], 'i32');
  const strides = contiguousStrides(shape);
  const index = build.cast(indices, 'i32');
  const above = elementwise('maximum', [index, whole(0)]);
  const row = elementwise('minimum', [above, whole(Math.max(0, shape[axis]! - 1))]);
  const position = shape.reduce(
    (sum, _, i) => {
      const coordinates = i === axis ? row : coordinate(indices.shape, i);
      return elementwise('add', [sum, elementwise('mul', [coordinates, whole(strides[i]!)])]);
    },
    build.constant(0, indices.shape, 'i32'),
  );
  if (!drop) return position;
  return elementwise('where', [elementwise('eq', [index, row]), position, whole(-1)]);
}

/** Up to this many indices on the axis are compared with every place rather than scattered. */
const COMPARED = 8;

/**
 * Zeros of `shape` plus `updates` at the places along `axis` that `indices` name, in f32 for floats: the transpose
 * of `takeAlongAxis`, which is its gradient. Few indices are compared with every place, which runs in parallel
 * and fuses; a scatter takes its updates one after the other.
 */
function placed(updates: Node, indices: Node, shape: Shape, axis: number): Node {
  const others = (list: Shape): Shape => list.toSpliced(axis, 1);
  const few = indices.shape[axis]! <= COMPARED && sameShape(others(indices.shape), others(shape));
  const value = few
    ? compared(updates, indices, shape, axis)
    : scattered(updates, indices, shape, axis);
  return build.customGradient(value, [updates], (_args, _y, dy) => {
    const index = build.cast(build.detach(indices), 'i32');
    const zero = build.constant(0, [], 'i32');
    const last = build.constant(shape[axis]! - 1, [], 'i32');
    const inside = elementwise('and', [
      elementwise('le', [zero, index]),
      elementwise('le', [index, last]),
    ]);
    const cut = shape.map((_, i) => (i === axis ? whole(shape[i]!) : whole(indices.shape[i]!)));
    const found = takeAlongAxis(build.slice(dy, cut), index, axis);
    return [elementwise('where', [inside, found, build.constant(0, [], found.dtype)])];
  });
}

function whole(length: number): Range {
  return { start: 0, length, step: 1 };
}

function compared(updates: Node, indices: Node, shape: Shape, axis: number): Node {
  const split = (x: Node): Node => build.reshape(x, x.shape.toSpliced(axis, 0, 1));
  const places = coordinate(shape.toSpliced(axis + 1, 0, 1), axis);
  const here = elementwise('eq', [build.cast(split(indices), 'i32'), places]);
  const terms = elementwise('where', [here, split(updates), build.constant(0, [], updates.dtype)]);
  return build.reduce('sum', terms, [axis + 1]);
}

function scattered(updates: Node, indices: Node, shape: Shape, axis: number): Node {
  const n = sizeOf(indices.shape);
  const rows = build.reshape(updates, [n, 1]);
  const at = build.reshape(positions(indices, shape, axis, true), [n]);
  return build.reshape(build.scatter(at, rows, sizeOf(shape), 'sum'), shape);
}

/** Throws ShapeError unless `index` has x's rank and fits inside x but for `axis`; then the axis, counted from 0. */
function checkUpdate(op: string, x: Node, axis: number, index: Node): number {
  const a = normalizeAxis(op, axis, x.shape.length);
  const fits = index.shape.every((n, i) => i === a || n <= x.shape[i]!);
  if (index.shape.length !== x.shape.length || !fits)
    throw new ShapeError(
      `${op}: index ${showShape(index.shape)} must have the rank of ${showShape(x.shape)} and fit into it but for axis ${a}`,
    );
  checkIndices(op, index, x.shape[a]!);
  return a;
}

/** The part of `source` that `index` speaks of. Throws ShapeError where it is smaller. */
function sourceFor(op: string, source: Node, index: Node): Node {
  if (source.shape.length === 0) return build.expand(source, index.shape);
  const fits = source.shape.every((n, i) => index.shape[i]! <= n);
  if (source.shape.length !== index.shape.length || !fits)
    throw new ShapeError(
      `${op}: source ${showShape(source.shape)} is smaller than index ${showShape(index.shape)}`,
    );
  return build.slice(source, index.shape.map(whole));
}

/** x plus `source` at the places along `axis` that `index` names: PyTorch's scatter_add. Throws ShapeError. */
export function scatterAdd(x: Node, axis: number, index: Node, source: Node): Node {
  const a = checkUpdate('scatterAdd', x, axis, index);
  const sum = placed(sourceFor('scatterAdd', source, index), index, x.shape, a);
  return elementwise('add', [x, sum]);
}

/**
 * x with `source` at the places along `axis` that `index` names. Of several that name one place the last in the
 * row-major order of `index` stays. Throws ShapeError, DTypeError.
 */
export function scatter(x: Node, axis: number, index: Node, source: Node): Node {
  const a = checkUpdate('scatter', x, axis, index);
  const [n, size] = [sizeOf(index.shape), sizeOf(x.shape)];
  if (n === 0 || size === 0) return x;
  const updates = build.reshape(sourceFor('scatter', source, index), [n]);
  const one = build.constant(1, [], 'i32');
  const numbers = elementwise('add', [build.iota([n, 1]), one]);
  const at = build.reshape(positions(index, x.shape, a, true), [n]);
  // 1 + the number of the update that stays at each place; 0 where none goes.
  const winner = build.reshape(build.scatter(at, numbers, size, 'last'), x.shape);
  const chosen = build.gather(updates, elementwise('sub', [winner, one]));
  const taken = elementwise('lt', [build.constant(0, [], 'i32'), winner]);
  return elementwise('where', [taken, build.cast(chosen, x.dtype), x]);
}

/** Rows [outer · n, inner] of x where `axis` has n elements, and the row numbers that `index` [count] names. */
function rowsOf(x: Node, axis: number, index: Node): { table: Node; at: Node; outer: number } {
  const outer = sizeOf(x.shape.slice(0, axis));
  const n = x.shape[axis]!;
  const table = build.reshape(x, [outer * n, sizeOf(x.shape.slice(axis + 1))]);
  const spread = build.expand(index, [outer, index.shape[0]!]);
  const at = outer === 1 ? build.cast(spread, 'i32') : positions(spread, [outer, n], 1);
  return { table, at, outer };
}

function vector(op: string, index: Node): Node {
  if (index.shape.length > 1)
    throw new ShapeError(`${op}: the index must be a vector, got ${showShape(index.shape)}`);
  return build.reshape(index, [sizeOf(index.shape)]);
}

/** What stands at each index of an axis, in the order of the indices. Throws ShapeError. */
export function indexSelect(x: Node, axis: number, index: Node): Node {
  const a = normalizeAxis('indexSelect', axis, x.shape.length);
  const list = vector('indexSelect', index);
  checkIndices('indexSelect', list, x.shape[a]!);
  const { table, at } = rowsOf(x, a, list);
  return build.reshape(build.gather(table, at), x.shape.with(a, list.shape[0]!));
}

/** x plus the slices of `source` at the indices of an axis. Throws ShapeError. */
export function indexAdd(x: Node, axis: number, index: Node, source: Node): Node {
  const a = normalizeAxis('indexAdd', axis, x.shape.length);
  const list = vector('indexAdd', index);
  checkIndices('indexAdd', list, x.shape[a]!);
  if (!sameShape(source.shape, x.shape.with(a, list.shape[0]!)))
    throw new ShapeError(
      `indexAdd: source ${showShape(source.shape)} does not fit ${list.shape[0]} indices on axis ${a} of ${showShape(x.shape)}`,
    );
  const outer = sizeOf(x.shape.slice(0, a));
  const rows = outer * x.shape[a]!;
  const spread = (): Node => build.expand(list, [outer, list.shape[0]!]);
  // One block of rows: the scatter itself ignores what lies outside.
  const at = outer === 1 ? list : positions(spread(), [outer, x.shape[a]!], 1, true);
  const count = sizeOf(at.shape);
  const updates = build.reshape(source, [count, sizeOf(x.shape.slice(a + 1))]);
  const sums = build.scatter(build.reshape(at, [count]), updates, rows, 'sum');
  return elementwise('add', [x, build.reshape(sums, x.shape)]);
}

/**
 * Throws IndexError when `indices` are host data that was not uploaded yet and one lies outside [0, size); DTypeError
 * when they are no integers.
 */
export function checkIndices(op: string, indices: Node, size: number): void {
  if (isFloat(indices.dtype) || indices.dtype === 'bool')
    throw new DTypeError(`${op}: indices must be i32, got ${indices.dtype}`);
  let node = indices;
  while (node.op === 'reshape' || node.op === 'expand' || node.op === 'permute')
    node = node.inputs[0]!;
  const host = node.op === 'buffer' ? node.attrs.storage.host : undefined;
  const wrong = host?.find((index) => index < 0 || index >= size);
  if (wrong !== undefined)
    throw new IndexError(`${op}: index ${wrong} is outside an axis of ${size} elements`);
}
