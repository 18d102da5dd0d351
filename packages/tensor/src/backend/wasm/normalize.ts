/**
 * @file Fewer loop axes for the same work: axes of size 1 disappear, and neighbours that every address
 * walks as one become one. Longer inner loops, and more kernels with equal code.
 */
import type { Affine, Kernel, Value } from '../../schedule/kernel.ts';

/** A kernel over fewer axes; each old axis was merged into, or replaced by, the axes kept. */
interface Merge {
  /** Groups of old axes, outermost first; a group becomes one axis. */
  readonly groups: readonly (readonly number[])[];
}

function affinesOf(kernel: Kernel): Affine[] {
  const values = kernel.values.flatMap((value) =>
    value.kind === 'random' ? [value.counter] : 'at' in value ? [value.at] : [],
  );
  return [...values, ...kernel.stores.map(({ at }) => at)];
}

/** Every row of strides that must agree when axes merge: addresses, and the operands' batch strides. */
function strideRows(kernel: Kernel): (readonly number[])[] {
  const rows: (readonly number[])[] = affinesOf(kernel).map(({ strides }) => strides);
  if (kernel.kind === 'matmul') rows.push([...kernel.a.batch, 0, 0], [...kernel.b.batch, 0, 0]);
  return rows;
}

/** First axes of sections that must stay apart, ascending: rows apart from the row axes, M apart from N. */
function sections(kernel: Kernel): number[] {
  const rank = kernel.loop.length;
  if (kernel.kind === 'row') return [0, rank - kernel.rowAxes];
  if (kernel.kind === 'matmul') return [0, rank - 2, rank - 1];
  return [0];
}

function mergesWith(kernel: Kernel, rows: readonly (readonly number[])[], axis: number): boolean {
  const size = kernel.loop[axis]!;
  return rows.every((strides) => strides[axis - 1] === strides[axis]! * size);
}

function planMerge(kernel: Kernel): Merge {
  const rows = strideRows(kernel);
  const starts = sections(kernel);
  const groups: number[][] = [];
  starts.forEach((start, i) => {
    const end = starts[i + 1] ?? kernel.loop.length;
    let last: number[] | undefined;
    for (let axis = start; axis < end; axis++) {
      const fixed = kernel.kind === 'matmul' && i > 0;
      if (kernel.loop[axis] === 1 && !fixed) continue;
      const previous = last?.at(-1);
      if (previous === axis - 1 && mergesWith(kernel, rows, axis)) last!.push(axis);
      else groups.push((last = [axis]));
    }
  });
  return { groups };
}

function mergeStrides(merge: Merge, strides: readonly number[]): number[] {
  return merge.groups.map((group) => strides[group.at(-1)!]!);
}

function mergeAffine(merge: Merge, at: Affine): Affine {
  return { offset: at.offset, strides: mergeStrides(merge, at.strides) };
}

function mergeValue(merge: Merge, value: Value): Value {
  if (value.kind === 'random') return { ...value, counter: mergeAffine(merge, value.counter) };
  return 'at' in value ? { ...value, at: mergeAffine(merge, value.at) } : value;
}

/** Makes sure that rows have at least one row axis, and maps at least one axis. */
function padded(kernel: Kernel, rowAxes: number): Kernel {
  const wanted = kernel.kind === 'row' ? rowAxes === 0 : kernel.loop.length === 0;
  if (!wanted) return kernel;
  const pad = (at: Affine): Affine => ({ offset: at.offset, strides: [...at.strides, 0] });
  const values = kernel.values.map((value): Value => {
    if (value.kind === 'random') return { ...value, counter: pad(value.counter) };
    return 'at' in value ? { ...value, at: pad(value.at) } : value;
  });
  const stores = kernel.stores.map((store) => ({ ...store, at: pad(store.at) }));
  return { ...kernel, values, stores, loop: [...kernel.loop, 1] };
}

/** The same computation over as few axes as possible. Kernels without values come back as they are. */
export function normalize(kernel: Kernel): Kernel {
  if (kernel.kind === 'scatter' || kernel.kind === 'sort') return kernel;
  const merge = planMerge(kernel);
  const loop = merge.groups.map((group) =>
    group.reduce((product, axis) => product * kernel.loop[axis]!, 1),
  );
  const values = kernel.values.map((value) => mergeValue(merge, value));
  const stores = kernel.stores.map((store) => ({ ...store, at: mergeAffine(merge, store.at) }));
  const base = { ...kernel, loop, values, stores };
  if (base.kind === 'row') {
    const first = base.loop.length && kernel.loop.length - (kernel as typeof base).rowAxes;
    const rowAxes = merge.groups.filter((group) => group[0]! >= first).length;
    return { ...padded({ ...base, rowAxes }, rowAxes), rowAxes: Math.max(1, rowAxes) } as Kernel;
  }
  if (base.kind !== 'matmul') return padded(base, 0);
  const batch = (strides: readonly number[]): number[] =>
    mergeStrides(merge, [...strides, 0, 0]).slice(0, -2);
  return {
    ...base,
    a: { ...base.a, batch: batch(base.a.batch) },
    b: { ...base.b, batch: batch(base.b.batch) },
  };
}
