/**
 * @file Merges neighbouring loop axes that every address walks as one, and drops axes of size 1, so
 * that kernels divide less and find runs that are divisible by four.
 */
import type { Affine, Kernel, MapKernel, RowKernel, Value } from '../../../schedule/kernel.ts';

/** The same kernel over fewer axes. A row kernel keeps its outer and row axes apart. */
export function collapse(kernel: MapKernel): MapKernel;
export function collapse(kernel: RowKernel): RowKernel;
export function collapse(kernel: MapKernel | RowKernel): MapKernel | RowKernel {
  const rank = kernel.loop.length;
  const outer = kernel.kind === 'row' ? rank - kernel.rowAxes : 0;
  const affines = affinesOf(kernel);
  const before = mergeAxes(kernel.loop, affines, 0, outer);
  const inside = mergeAxes(kernel.loop, affines, outer, rank);
  if (inside.length === 0) inside.push([rank - 1]);
  const rebuilt = rebuild(kernel, [...before, ...inside]);
  return rebuilt.kind === 'row' ? { ...rebuilt, rowAxes: inside.length } : rebuilt;
}

function affineOf(value: Value): Affine | undefined {
  if (value.kind === 'random') return value.counter;
  return 'at' in value ? value.at : undefined;
}

function affinesOf(kernel: Kernel): Affine[] {
  const all = [...kernel.values.map(affineOf), ...kernel.stores.map((store) => store.at)];
  return all.filter((at) => at !== undefined);
}

/** Runs of axes in [from, to) that can be walked as one; axes of size 1 belong to none. */
function mergeAxes(
  loop: readonly number[],
  affines: readonly Affine[],
  from: number,
  to: number,
): number[][] {
  const runs: number[][] = [];
  for (let axis = from; axis < to; axis++) {
    if (loop[axis] === 1) continue;
    const previous = runs.at(-1)?.at(-1);
    if (previous !== undefined && chained(loop, affines, previous, axis)) runs.at(-1)!.push(axis);
    else runs.push([axis]);
  }
  return runs;
}

function chained(
  loop: readonly number[],
  affines: readonly Affine[],
  outer: number,
  inner: number,
): boolean {
  return affines.every(({ strides }) => strides[outer] === strides[inner]! * loop[inner]!);
}

function rebuild<K extends MapKernel | RowKernel>(kernel: K, runs: readonly number[][]): K {
  const loop = runs.map((run) => run.reduce((size, axis) => size * kernel.loop[axis]!, 1));
  const remap = (at: Affine): Affine => ({
    offset: at.offset,
    strides: runs.map((run) => at.strides[run.at(-1)!]!),
  });
  const values = kernel.values.map((value) => withAffine(value, remap));
  const stores = kernel.stores.map((store) => ({ ...store, at: remap(store.at) }));
  return { ...kernel, loop, values, stores };
}

/** The value with its address changed by `remap`. */
export function withAffine(value: Value, remap: (at: Affine) => Affine): Value {
  if (value.kind === 'random') return { ...value, counter: remap(value.counter) };
  return 'at' in value ? { ...value, at: remap(value.at) } : value;
}
