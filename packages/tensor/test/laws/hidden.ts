/**
 * @file Operands that lie in memory in another way than they are used: permuted, inside a larger buffer, or
 * stored once and repeated. What an op sees is the same array.
 */
import { tensor } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import type { Draw, HostArray } from '@camada/tensor/catalogue';

/** Fills memory around the operand; an op that reads it is off by far. */
const GARBAGE = 77;

/** A way to store an operand and to get it back. */
export interface Hidden {
  /** What the op sees; differs from the drawn array where an axis repeats. */
  readonly seen: HostArray;
  readonly make: () => Tensor;
}

/** Draws a way to store `x`. */
export function hide(draw: Draw, x: HostArray): Hidden {
  const seen = draw.int(0, 4) === 4 ? repeated(draw, x) : { array: x, axis: -1 };
  const order = draw.int(0, 2) === 2 ? shuffle(draw, x.shape.length) : x.shape.map((_, i) => i);
  const around = draw.int(0, 2) === 2 ? x.shape.map(() => [draw.int(0, 2), draw.int(0, 2)]) : [];
  return { seen: seen.array, make: () => stored(seen.array, seen.axis, order, around) };
}

/** The array with one axis made constant. */
function repeated(draw: Draw, x: HostArray): { array: HostArray; axis: number } {
  if (x.data.length === 0 || x.shape.length === 0) return { array: x, axis: -1 };
  const axis = draw.int(0, x.shape.length - 1);
  const inner = x.shape.slice(axis + 1).reduce((n, m) => n * m, 1);
  const n = x.shape[axis]!;
  const data = x.data.map((_, i) => x.data[i - (Math.floor(i / inner) % n) * inner]!);
  return { array: { ...x, data }, axis };
}

function shuffle(draw: Draw, n: number): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = draw.int(0, i);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

function stored(
  x: HostArray,
  axis: number,
  order: readonly number[],
  around: readonly number[][],
): Tensor {
  const once = x.shape.map((n, i) => (i === axis ? Math.min(n, 1) : n));
  const margin = (i: number): readonly number[] => around[i] ?? [0, 0];
  const outer = once.map((n, i) => n + margin(i)[0]! + margin(i)[1]!);
  const layout = order.map((from) => outer[from]!);
  const data = new Array<number>(layout.reduce((n, m) => n * m, 1)).fill(GARBAGE);
  walk(once, (index) => {
    const place = order.reduce((p, from) => p * outer[from]! + index[from]! + margin(from)[0]!, 0);
    data[place] = x.data[index.reduce((p, i, a) => p * x.shape[a]! + i, 0)]!;
  });
  const back = order.map((_, i) => order.indexOf(i));
  let view = tensor(data, layout, x.dtype).permute(back);
  once.forEach((n, i) => {
    const start = margin(i)[0]!;
    view = view.slice(i, start, start + n);
  });
  return view.expand(x.shape);
}

function walk(shape: readonly number[], visit: (index: number[]) => void): void {
  const index = shape.map(() => 0);
  if (shape.includes(0)) return;
  for (;;) {
    visit(index);
    let axis = shape.length - 1;
    while (axis >= 0 && ++index[axis]! === shape[axis]) index[axis--] = 0;
    if (axis < 0) return;
  }
}
