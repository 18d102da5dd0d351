/** @file Joining tensors, naming positions, and what is made of both. */
import { promote } from '../../dtype.ts';
import { ShapeError } from '../../errors.ts';
import { normalizeAxis, showShape, type Shape } from '../../shape.ts';
import * as build from '../build.ts';
import type { Node } from '../node.ts';
import { flip, narrow } from './movement.ts';

const { elementwise } = build;

/** Coordinate of each element along `axis`, i32, in a shape that broadcasts against `shape`. */
export function coordinate(shape: Shape, axis: number): Node {
  return build.iota(shape.map((n, i) => (i === axis ? n : 1)));
}

/**
 * Parts joined by one kernel: fewer than the 8 storage buffers a device may be limited to. More parts are joined
 * in groups, so that an element is copied log₆(parts) times and not once for every part.
 */
const GROUP = 6;

/** Joins along an axis, in the type all parts meet in. Throws ShapeError when other axes differ. */
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
  const dtype = parts.map((part) => part.dtype).reduce(promote);
  const filled = parts.filter((part) => part.shape[a]! > 0);
  const typed = (filled.length > 0 ? filled : [first]).map((part) => build.cast(part, dtype));
  return joinAll(typed, a);
}

function joinAll(parts: readonly Node[], axis: number): Node {
  if (parts.length === 1) return parts[0]!;
  if (parts.length <= GROUP) return join(parts, axis);
  let size = GROUP;
  while (size * GROUP < parts.length) size *= GROUP;
  const groups: Node[] = [];
  for (let i = 0; i < parts.length; i += size) groups.push(joinAll(parts.slice(i, i + size), axis));
  return join(groups, axis);
}

/** Each part padded to the whole, and of these at each place the one that lies there. */
function join(parts: readonly Node[], axis: number): Node {
  const total = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
  const shape = parts[0]!.shape.with(axis, total);
  const only = (count: number): number[] => shape.map((_, i) => (i === axis ? count : 0));
  const place = coordinate(shape, axis);
  let end = total;
  return parts.reduceRight<Node | undefined>((rest, part) => {
    const start = end - part.shape[axis]!;
    const here = build.pad(part, only(start), only(total - end), 0);
    const before = build.constant(end, [], 'i32');
    end = start;
    return rest ? elementwise('where', [elementwise('lt', [place, before]), here, rest]) : here;
  }, undefined)!;
}

/** An axis turned: what leaves at its end comes in at its beginning. */
export function roll(x: Node, shift: number, axis: number): Node {
  const a = normalizeAxis('roll', axis, x.shape.length);
  const n = x.shape[a]!;
  if (!Number.isInteger(shift))
    throw new ShapeError(`roll: shifts must be whole numbers, not ${shift}`);
  const by = n === 0 ? 0 : ((shift % n) + n) % n;
  if (by === 0) return x;
  return join([narrow(x, a, n - by, by), narrow(x, a, 0, n - by)], a);
}

/** What padding holds besides one value. */
export type PadMode = 'reflect' | 'replicate' | 'circular';

/**
 * An axis with its own elements around it: mirrored without repeating the edge, the edge repeated, or from
 * the other end. Throws ShapeError where the axis has too few.
 */
function padAxis(x: Node, axis: number, before: number, after: number, mode: PadMode): Node {
  const n = x.shape[axis]!;
  const most = mode === 'reflect' ? n - 1 : mode === 'circular' ? n : n > 0 ? Infinity : 0;
  if (before > most || after > most)
    throw new ShapeError(
      `pad: ${mode} cannot take ${Math.max(before, after)} elements from axis ${axis} of ${showShape(x.shape)}`,
    );
  const cut = (start: number, length: number): Node => narrow(x, axis, start, length);
  const edge = (start: number, length: number): Node =>
    build.expand(cut(start, 1), x.shape.with(axis, length));
  const around = {
    reflect: () => [flip(cut(1, before), [axis]), flip(cut(n - 1 - after, after), [axis])],
    circular: () => [cut(n - before, before), cut(0, after)],
    replicate: () => [edge(0, before), edge(n - 1, after)],
  }[mode]();
  return concat([around[0]!, x, around[1]!], axis);
}

/** Every axis padded with elements of its own. Throws ShapeError as `pad` does. */
export function padAround(
  x: Node,
  before: readonly number[],
  after: readonly number[],
  mode: PadMode,
): Node {
  build.pad(x, before, after, 0); // the same checks
  return before.reduce(
    (padded, count, axis) =>
      count === 0 && after[axis] === 0 ? padded : padAxis(padded, axis, count, after[axis]!, mode),
    x,
  );
}

/** Row index minus column index plus `offset` of the last two axes; 0 on that diagonal. */
function below(shape: Shape, offset: number): Node {
  const [row, column] = [shape.length - 2, shape.length - 1];
  const shift = build.constant(offset, [], 'i32');
  const rows = elementwise('add', [coordinate(shape, row), shift]);
  return elementwise('sub', [rows, coordinate(shape, column)]);
}

/** The last two axes with zeros above (`lower`) or below the diagonal `offset`. Throws ShapeError. */
export function triangle(op: string, x: Node, offset: number, lower: boolean): Node {
  if (x.shape.length < 2)
    throw new ShapeError(`${op}: wants a matrix or more axes, got ${showShape(x.shape)}`);
  const distance = below(x.shape, offset);
  const zero = build.constant(0, [], 'i32');
  const kept = elementwise('le', lower ? [zero, distance] : [distance, zero]);
  return elementwise('where', [kept, x, build.constant(0, [], x.dtype)]);
}

/** The last axis as diagonal `offset` of square matrices over two new last axes. */
export function diagEmbed(x: Node, offset: number): Node {
  const n = x.shape.at(-1)!;
  const outer = x.shape.slice(0, -1);
  const shape = [...outer, n + Math.abs(offset), n + Math.abs(offset)];
  // Row r holds element r, or r + offset below the main diagonal.
  const around: [number, number] = offset < 0 ? [-offset, 0] : [0, offset];
  const zeros = outer.map(() => 0);
  const rows = build.pad(x, [...zeros, around[0]], [...zeros, around[1]], 0);
  const column = build.reshape(rows, [...rows.shape, 1]);
  const on = elementwise('eq', [below(shape, offset), build.constant(0, [], 'i32')]);
  return elementwise('where', [on, column, build.constant(0, [], x.dtype)]);
}

/** [n, m] with ones on the main diagonal. */
export function eye(n: number, m: number): Node {
  return elementwise('eq', [below([n, m], 0), build.constant(0, [], 'i32')]);
}

/** 1 where the class on the new last axis is the element's, i32. */
export function oneHot(x: Node, classes: number): Node {
  const shape = [...x.shape, classes];
  const equal = elementwise('eq', [
    build.cast(build.reshape(x, [...x.shape, 1]), 'i32'),
    coordinate(shape, x.shape.length),
  ]);
  return build.cast(equal, 'i32');
}
