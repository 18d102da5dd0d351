/** @file Records of the views and rearrangements made of simpler ones. */
import { sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { DIAGONALS } from './diagonal.ts';
import { at, fromIndex, type HostArray } from './host.ts';
import type { OpRecord } from './record.ts';
import { cutting, list, positive, reshaping, view, type ViewRecords } from './view.ts';

/** Sizes of pieces that an axis is cut into, each `size` but for the last. */
function sizesOf(total: number, size: number): number[] {
  const sizes: number[] = [];
  for (let rest = total; rest > 0 || sizes.length === 0; rest -= size)
    sizes.push(Math.min(size, Math.max(0, rest)));
  return sizes;
}

/** The element of a row-major array at a position. */
const flat = (x: HostArray, position: number): number => x.data[position]!;

function positionOf(shape: readonly number[], index: readonly number[]): number {
  return index.reduce((p, i, axis) => p * shape[axis]! + i, 0);
}

const ONE_HOT: OpRecord = {
  dtypes: ['i32', 'u32'],
  gradient: 'none',
  tolerance: 0,
  sample: (draw) => {
    const shape = draw.shape(0, 3);
    const classes = draw.int(1, 6);
    return {
      inputs: [draw.indices(shape, classes + 1)],
      call: `x.oneHot(${classes})`,
      run: ([x]) => x!.oneHot(classes),
      reference: ([x]) =>
        fromIndex([...shape, classes], 'i32', (index) =>
          Number(at(x!, index.slice(0, -1)) === index.at(-1)),
        ),
    };
  },
};

/** Records of what is made of simpler views. */
export const REARRANGEMENTS: Pick<
  ViewRecords,
  | 'tril'
  | 'triu'
  | 'diagEmbed'
  | 'diag'
  | 'diagonal'
  | 'trace'
  | 'narrow'
  | 'select'
  | 'split'
  | 'chunk'
  | 'unbind'
  | 'movedim'
  | 'swapaxes'
  | 'broadcastTo'
  | 'unflatten'
  | 'roll'
  | 'tile'
  | 'repeat'
  | 'repeatInterleave'
  | 'unfold'
  | 'oneHot'
> = {
  ...DIAGONALS,
  narrow: view(1, (draw, from) => {
    const axis = draw.axis(from.length);
    const a = positive(axis, from.length);
    const start = draw.int(0, from[a]!);
    const length = draw.int(0, from[a]! - start);
    return {
      call: `narrow(${axis}, ${start}, ${length})`,
      run: (x) => x.narrow(axis, start, length),
      shape: from.with(a, length),
      element: (x, index) => at(x, index.with(a, index[a]! + start)),
    };
  }),
  select: view(1, (draw, from) => {
    const axis = from.findIndex((n) => n > 0);
    if (axis < 0) return { call: 'flip()', run: (x) => x.flip(), shape: from, element: at };
    const index = draw.int(-from[axis]!, from[axis]! - 1);
    const place = positive(index, from[axis]!);
    return {
      call: `select(${axis}, ${index})`,
      run: (x) => x.select(axis, index),
      shape: from.toSpliced(axis, 1),
      element: (x, i) => at(x, i.toSpliced(axis, 0, place)),
    };
  }),
  split: cutting(
    (draw, total) => {
      const first = draw.int(0, total);
      const sizes = draw.flag() ? [first, total - first] : sizesOf(total, draw.int(1, 4));
      return { arguments: [list(sizes)], sizes };
    },
    'split',
    (x, axis, sizes) => x.split(sizes as readonly number[], axis),
  ),
  chunk: cutting(
    (draw, total) => {
      const count = draw.int(1, 4);
      const size = Math.max(1, Math.ceil(total / count));
      return { arguments: [`${count}`], sizes: sizesOf(total, size) };
    },
    'chunk',
    (x, axis, sizes) => x.chunk(sizes.length, axis),
  ),
  unbind: cutting(
    (_draw, total) => ({ arguments: [], sizes: new Array<undefined>(total).fill(undefined) }),
    'unbind',
    (x, axis) => x.unbind(axis),
    true,
  ),
  movedim: view(1, (draw, from) => {
    const [source, target] = [draw.axis(from.length), draw.axis(from.length)];
    const [s, t] = [positive(source, from.length), positive(target, from.length)];
    return {
      call: `movedim(${source}, ${target})`,
      run: (x) => x.movedim(source, target),
      shape: from.toSpliced(s, 1).toSpliced(t, 0, from[s]!),
      element: (x, index) => at(x, index.toSpliced(t, 1).toSpliced(s, 0, index[t]!)),
    };
  }),
  swapaxes: view(2, (draw, from) => {
    const a = draw.int(0, from.length - 2);
    const swap = (items: readonly number[]): number[] =>
      items.with(a, items.at(-1)!).with(-1, items[a]!);
    return {
      call: `swapaxes(${a}, -1)`,
      run: (x) => x.swapaxes(a, -1),
      shape: swap(from),
      element: (x, index) => at(x, swap(index)),
    };
  }),
  broadcastTo: view(0, (draw, from) => {
    const shape = [draw.int(0, 3), ...from.map((n) => (n === 1 ? draw.int(1, 3) : n))];
    return {
      call: `broadcastTo(${list(shape)})`,
      run: (x) => x.broadcastTo(shape),
      shape,
      element: at,
    };
  }),
  unflatten: reshaping(1, (draw, from) => {
    const axis = draw.int(0, from.length - 1);
    const size = from[axis]!;
    const inner = draw.pick([1, 2, 4].filter((n) => size % n === 0));
    const call = `unflatten(${axis}, [-1, ${inner}])`;
    const run = (x: Tensor): Tensor => x.unflatten(axis, [-1, inner]);
    return { call, run, shape: from.toSpliced(axis, 1, size / inner, inner) };
  }),
  roll: view(0, (draw, from) => {
    const shift = draw.int(-5, 5);
    const size = Math.max(1, sizeOf(from));
    if (from.length === 0 || draw.flag())
      return {
        call: `roll(${shift})`,
        run: (x) => x.roll(shift),
        shape: from,
        element: (x, index) => flat(x, (positionOf(from, index) - (shift % size) + size) % size),
      };
    const axis = draw.int(0, from.length - 1);
    const n = from[axis]!;
    return {
      call: `roll([${shift}], [${axis}])`,
      run: (x) => x.roll([shift], [axis]),
      shape: from,
      element: (x, index) => at(x, index.with(axis, (index[axis]! - (shift % n) + n) % n)),
    };
  }),
  tile: view(0, (draw, from) => {
    const times = Array.from({ length: draw.int(0, from.length + 1) }, () => draw.int(0, 3));
    const rank = Math.max(times.length, from.length);
    const full = (items: readonly number[]): number[] => [
      ...new Array<number>(rank - items.length).fill(1),
      ...items,
    ];
    const [sizes, counts] = [full(from), full(times)];
    return {
      call: `tile(${list(times)})`,
      run: (x) => x.tile(times),
      shape: sizes.map((n, i) => n * counts[i]!),
      element: (x, index) =>
        at(
          x,
          index.map((p, i) => p % sizes[i]!),
        ),
    };
  }),
  repeat: view(1, (draw, from) => {
    const times = from.map(() => draw.int(1, 3));
    return {
      call: `repeat(${list(times)})`,
      run: (x) => x.repeat(times),
      shape: from.map((n, i) => n * times[i]!),
      element: (x, index) =>
        at(
          x,
          index.map((p, i) => p % from[i]!),
        ),
    };
  }),
  repeatInterleave: view(1, (draw, from) => {
    const count = draw.int(0, 3);
    if (draw.flag())
      return {
        call: `repeatInterleave(${count})`,
        run: (x) => x.repeatInterleave(count),
        shape: [sizeOf(from) * count],
        element: (x, [p]) => flat(x, Math.floor(p! / count)),
      };
    const axis = draw.int(0, from.length - 1);
    return {
      call: `repeatInterleave(${count}, ${axis})`,
      run: (x) => x.repeatInterleave(count, axis),
      shape: from.with(axis, from[axis]! * count),
      element: (x, index) => at(x, index.with(axis, Math.floor(index[axis]! / count))),
    };
  }),
  unfold: view(1, (draw, from) => {
    const axis = from.findIndex((n) => n > 0);
    if (axis < 0) return { call: 'flip()', run: (x) => x.flip(), shape: from, element: at };
    const n = from[axis]!;
    const dilation = draw.int(1, 2);
    const size = draw.int(1, Math.min(4, Math.floor((n - 1) / dilation) + 1));
    const step = draw.int(1, 3);
    const count = Math.floor((n - dilation * (size - 1) - 1) / step) + 1;
    return {
      call: `unfold(${axis}, ${size}, ${step}, ${dilation})`,
      run: (x) => x.unfold(axis, size, step, dilation),
      shape: [...from.with(axis, count), size],
      element: (x, index) => {
        const place = index[axis]! * step + index.at(-1)! * dilation;
        return at(x, index.slice(0, -1).with(axis, place));
      },
    };
  }),
  oneHot: ONE_HOT,
};
