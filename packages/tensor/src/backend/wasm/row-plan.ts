/**
 * @file How a row kernel uses the lanes, and which values a row keeps from one pass to the next. Lanes run
 * along the row where its elements are neighbours, else along the fastest outer axis (each lane another
 * row: a column sum). Values that are dear to compute and needed again are kept in the thread's scratch.
 */
import { ELEMENTWISE } from '../../ops/elementwise.ts';
import { contiguousStrides, sizeOf } from '../../shape.ts';
import { closure, type Affine, type RowKernel, type ValueId } from '../../schedule/kernel.ts';
import { variation } from './emission.ts';
import { SCRATCH_BYTES } from './kernel-function.ts';

/** The facts of a row kernel that its code is built from. */
export interface RowPlan {
  /** Number of outer axes. */
  readonly outer: number;
  /** Elements of a row. */
  readonly length: number;
  /** Bits of the row axes. */
  readonly rowBits: number;
  /** Lanes run along the fastest outer axis. */
  readonly acrossRows: boolean;
  /** Values of an earlier pass that later passes read back, with their place in scratch (in elements). */
  readonly kept: ReadonlyMap<ValueId, Affine>;
}

/** An op of this cost is not computed twice. */
const DEAR = 8;

/** Addresses that would be lane-by-lane if lanes ran along `axis`, weighed by passes. */
function scattered(kernel: RowKernel, axis: number, rowBits: number): number {
  const varies = variation(kernel);
  const bad = (at: Affine): boolean => at.strides[axis] !== 0 && at.strides[axis] !== 1;
  const reads = kernel.values.filter(
    (value, id) =>
      (value.kind === 'load' || value.kind === 'gather') &&
      (varies[id]! & rowBits) !== 0 &&
      bad(value.at),
  ).length;
  const writes = kernel.stores.filter(
    ({ at, value }) => varies[value]! & rowBits && bad(at),
  ).length;
  return reads + writes;
}

function runsAcross(kernel: RowKernel, outer: number, rowBits: number): boolean {
  if (outer === 0) return false;
  const along = scattered(kernel, kernel.loop.length - 1, rowBits);
  const across = scattered(kernel, outer - 1, rowBits);
  if (along !== across) return across < along;
  return kernel.loop.at(-1)! < 8 && kernel.loop[outer - 1]! >= 8;
}

/** Values first computed in one pass that a later pass needs again and that are worth keeping. */
function keptValues(kernel: RowKernel, rowBits: number, length: number): ValueId[] {
  const varies = variation(kernel);
  const passes = [
    ...kernel.stages.map((stage) => stage.accumulators.map(({ value }) => value)),
    kernel.stores.map(({ value }) => value),
  ].map((roots) => closure(kernel.values, roots));
  const dear = (id: ValueId): boolean => {
    const value = kernel.values[id]!;
    const isOp = value.kind === 'op' && ELEMENTWISE[value.op].cost >= DEAR;
    const costly = value.kind === 'random' || isOp;
    return costly && (varies[id]! & rowBits) !== 0;
  };
  const again = kernel.values.flatMap((_, id) =>
    dear(id) && passes.filter((pass) => pass.includes(id)).length > 1 ? [id] : [],
  );
  const most = Math.floor(SCRATCH_BYTES / (4 * length));
  // Later values in SSA order are nearer to the results: with them kept, earlier ones are not needed.
  return again.slice(Math.max(0, again.length - most));
}

/** Decides. */
export function planRow(kernel: RowKernel): RowPlan {
  const outer = kernel.loop.length - kernel.rowAxes;
  const rowBits = ((1 << kernel.loop.length) - 1) & ~((1 << outer) - 1);
  const row = kernel.loop.slice(outer);
  const length = sizeOf(row);
  const acrossRows = runsAcross(kernel, outer, rowBits);
  const strides = [...new Array<number>(outer).fill(0), ...contiguousStrides(row)];
  const kept = acrossRows ? [] : keptValues(kernel, rowBits, length);
  return {
    outer,
    length,
    rowBits,
    acrossRows,
    kept: new Map(kept.map((id, i) => [id, { offset: i * length, strides }])),
  };
}
