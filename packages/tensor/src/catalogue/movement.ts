/** @file Records of the views: each says which element of the input stands at an index of the result. */
import { sizeOf } from '../shape.ts';
import { at } from './host.ts';
import { REARRANGEMENTS } from './rearrange.ts';
import { list, positive, reshaping, view, type ViewRecords } from './view.ts';

/** Records of the views. */
export const MOVEMENT_OPS: ViewRecords = {
  ...REARRANGEMENTS,
  reshape: reshaping(0, (draw, from) => {
    const size = sizeOf(from);
    const divisors = [1, 2, 3, 4, 5, 7].filter((n) => size % n === 0);
    const first = size === 0 ? 0 : draw.pick(divisors);
    const shape = size === 0 ? [0, draw.int(0, 3)] : [first, size / first];
    return { call: `reshape(${list(shape)})`, run: (x) => x.reshape(shape), shape };
  }),
  permute: view(0, (draw, from) => {
    const order = from.map((_, axis) => axis).sort(() => draw.int(-1, 1));
    return {
      call: `permute(${list(order)})`,
      run: (x) => x.permute(order),
      shape: order.map((axis) => from[axis]!),
      element: (x, index) =>
        at(
          x,
          from.map((_, axis) => index[order.indexOf(axis)]!),
        ),
    };
  }),
  transpose: view(2, (draw, from) => {
    const [a, b] = [draw.axis(from.length), draw.axis(from.length)];
    const [i, j] = [positive(a, from.length), positive(b, from.length)];
    const swap = <T>(items: readonly T[]): T[] =>
      items.map((item, axis) => (axis === i ? items[j]! : axis === j ? items[i]! : item));
    return {
      call: `transpose(${a}, ${b})`,
      run: (x) => x.transpose(a, b),
      shape: swap(from),
      element: (x, index) => at(x, swap(index)),
    };
  }),
  expand: view(0, (draw, from) => {
    const shape = [
      ...(draw.flag() ? [draw.int(0, 3)] : []),
      ...from.map((n) => (n === 1 ? draw.int(0, 3) : n)),
    ];
    return {
      call: `expand(${list(shape)})`,
      run: (x) => x.expand(shape),
      shape,
      element: at,
    };
  }),
  slice: view(1, (draw, from) => {
    const axis = draw.axis(from.length);
    const a = positive(axis, from.length);
    const step = draw.pick([1, 1, 2, 3, -1, -2]);
    const size = from[a]!;
    const backwards = step < 0 && size > 0;
    const start = backwards ? draw.int(0, size - 1) : draw.int(0, size);
    const end = backwards ? undefined : draw.int(start, size);
    const stop = backwards ? -1 : end!;
    const by = backwards ? step : Math.abs(step);
    return {
      call: `slice(${axis}, ${start}, ${end}, ${by})`,
      run: (x) => x.slice(axis, start, end, by),
      shape: from.map((n, i) => (i === a ? Math.ceil((stop - start) / by) : n)),
      element: (x, index) => at(x, index.with(a, start + by * index[a]!)),
    };
  }),
  flip: view(0, (draw, from) => {
    const axes = from.map((_, axis) => axis).filter(() => draw.flag());
    return {
      call: `flip(${list(axes)})`,
      run: (x) => x.flip(axes),
      shape: from,
      element: (x, index) =>
        at(
          x,
          index.map((p, i) => (axes.includes(i) ? from[i]! - 1 - p : p)),
        ),
    };
  }),
  pad: view(0, (draw, from) => {
    const before = from.map(() => draw.int(0, 2));
    const after = from.map(() => draw.int(0, 2));
    const interior = from.map(() => draw.pick([0, 0, 1, 2]));
    return {
      call: `pad(${list(before)}, ${list(after)}, 1, ${list(interior)})`,
      run: (x) => x.pad(before, after, 1, interior),
      shape: from.map((n, i) => before[i]! + n + Math.max(0, n - 1) * interior[i]! + after[i]!),
      element: (x, index) => {
        const inner = index.map((p, i) => (p - before[i]!) / (from[i]! > 1 ? interior[i]! + 1 : 1));
        const inside = inner.every((p, i) => Number.isInteger(p) && p >= 0 && p < from[i]!);
        return inside ? at(x, inner) : 1;
      },
    };
  }),
  shear: view(2, (draw, from) => {
    const axis = draw.int(0, from.length - 1);
    const along = (axis + 1) % from.length;
    const span = Math.max(0, from[along]! - 1);
    const by = draw.pick([1, -1, 2, -2, 0].filter((n) => Math.abs(n) * span <= from[axis]!));
    const first = by < 0 ? -by * span : 0;
    return {
      call: `shear(${axis}, ${along}, ${by})`,
      run: (x) => x.shear(axis, along, by),
      shape: from.map((n, i) => (i === axis ? n - Math.abs(by) * span : n)),
      element: (x, index) => at(x, index.with(axis, index[axis]! + by * index[along]! + first)),
    };
  }),
  unsqueeze: reshaping(0, (draw, from) => {
    const axis = draw.int(0, from.length);
    const shape = [...from.slice(0, axis), 1, ...from.slice(axis)];
    return { call: `unsqueeze(${axis})`, run: (x) => x.unsqueeze(axis), shape };
  }),
  squeeze: reshaping(1, (draw, from) => {
    const axis = from.indexOf(1);
    if (axis < 0) return { call: 'flatten(0, 0)', run: (x) => x.flatten(0, 0), shape: from };
    const shape = from.filter((_, i) => i !== axis);
    return { call: `squeeze(${axis})`, run: (x) => x.squeeze(axis), shape };
  }),
  flatten: reshaping(0, (draw, from) => {
    const a = from.length === 0 ? 0 : draw.int(0, from.length - 1);
    const b = from.length === 0 ? 0 : draw.int(a, from.length - 1);
    const shape =
      from.length === 0
        ? [1]
        : [...from.slice(0, a), sizeOf(from.slice(a, b + 1)), ...from.slice(b + 1)];
    return { call: `flatten(${a}, ${b})`, run: (x) => x.flatten(a, b), shape };
  }),
};
