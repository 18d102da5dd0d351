/**
 * @file Host arrays and the few ways to compute with them that plain meanings of ops are written in: slow,
 * in f64, and obviously right.
 */
import { broadcastShapes, reducedShape, sizeOf, type Shape } from '../shape.ts';

/** Element types that a record may draw. */
export type ElementType = 'f32' | 'i32' | 'u32' | 'bool';

/** A row-major array of f64 numbers that stand for elements of `dtype`; bools are 0 and 1. */
export interface HostArray {
  readonly shape: Shape;
  readonly dtype: ElementType;
  readonly data: readonly number[];
}

/** Every index of a shape, row-major. */
export function indicesOf(shape: Shape): number[][] {
  return shape.reduce<number[][]>(
    (found, n) => found.flatMap((index) => Array.from({ length: n }, (_, i) => [...index, i])),
    [[]],
  );
}

/** The array whose element at each index is `element(index)`. */
export function fromIndex(
  shape: Shape,
  dtype: ElementType,
  element: (index: readonly number[]) => number,
): HostArray {
  return { shape, dtype, data: indicesOf(shape).map(element) };
}

/** Element of `x` at an index; axes of size 1 and missing leading axes repeat. */
export function at(x: HostArray, index: readonly number[]): number {
  const own = index.slice(index.length - x.shape.length);
  const position = own.reduce(
    (p, i, axis) => p * x.shape[axis]! + (x.shape[axis] === 1 ? 0 : i),
    0,
  );
  return x.data[position]!;
}

/** A whole number as an element of the type: integers wrap modulo 2³². */
export function wrapped(value: number, dtype: ElementType): number {
  if (dtype === 'i32') return value | 0;
  return dtype === 'u32' ? value >>> 0 : value;
}

/** `f` of the broadcast elements. */
export function map(
  dtype: ElementType,
  f: (...x: number[]) => number,
  ...arrays: readonly HostArray[]
): HostArray {
  const shape = arrays.map((x) => x.shape).reduce((a, b) => broadcastShapes('map', a, b));
  const element = (index: readonly number[]): number => f(...arrays.map((x) => at(x, index)));
  return fromIndex(shape, dtype, (index) => wrapped(element(index), dtype));
}

/** `f` of the elements along `axes` (in row-major order) for every index of the other axes. */
export function reduceAlong(
  x: HostArray,
  axes: readonly number[],
  keepDims: boolean,
  f: (elements: readonly number[]) => number,
  dtype: ElementType = x.dtype,
): HostArray {
  const groups = new Map<number, number[]>();
  const kept = reducedShape(x.shape, axes, true);
  const position = (index: readonly number[]): number =>
    index.reduce((p, i, axis) => p * kept[axis]! + (axes.includes(axis) ? 0 : i), 0);
  for (let i = 0; i < sizeOf(kept); i++) groups.set(i, []);
  indicesOf(x.shape).forEach((index, i) => groups.get(position(index))!.push(x.data[i]!));
  const data = [...groups.values()].map(f);
  return { shape: keepDims ? kept : reducedShape(x.shape, axes, false), dtype, data };
}

/** The lists of elements along an axis, each replaced by `f` of it: equally many elements. */
export function transformAlong(
  x: HostArray,
  axis: number,
  f: (elements: readonly number[]) => readonly number[],
  dtype: ElementType = x.dtype,
): HostArray {
  const a = axis < 0 ? axis + x.shape.length : axis;
  const inner = sizeOf(x.shape.slice(a + 1));
  const n = x.shape[a]!;
  const data = [...x.data];
  for (let start = 0; start < data.length; start += n * inner)
    for (let offset = 0; offset < inner; offset++) {
      const places = Array.from({ length: n }, (_, i) => start + offset + i * inner);
      f(places.map((p) => x.data[p]!)).forEach((value, i) => (data[places[i]!] = value));
    }
  return { ...x, dtype, data };
}
