/** @file What both ways of writing row kernels share. */
import type { RowKernel, Store, ValueId } from '../../schedule/kernel.ts';
import { i32, op, plus, type Expr, type Local } from './assembler.ts';
import type { Emission } from './emission.ts';
import { combine, identity, type Reduction } from './reduction.ts';
import type { RowPlan } from './row-plan.ts';

/** Repeats `body` for every index of the row axes but the last. */
export function overRowAxes(e: Emission, first: number, body: () => void): void {
  const last = e.kernel.loop.length - 1;
  if (first >= last) return body();
  const index = e.indices[first]!;
  e.code.set(index, i32(0));
  const step = (): void => {
    overRowAxes(e, first + 1, body);
    e.code.set(index, plus(index, 1));
  };
  e.code.doWhile(step, op('i32.lt_s', index, i32(e.kernel.loop[first]!)));
}

/** Part of a row: `low` to `high` on its last axis, `known` long where the code may rely on it. */
export interface Run {
  readonly low: Expr;
  readonly high: Expr;
  readonly known: number | undefined;
}

/** Cuts the last axis into runs of `size` where it is more than two of them long. */
export function inRuns(e: Emission, size: number, body: (run: Run) => void): void {
  const { code } = e;
  const length = e.kernel.loop.at(-1)!;
  if (length <= 2 * size) return body({ low: i32(0), high: i32(length), known: length });
  const low = code.let('i32', i32(0));
  const step = (): void => {
    const end = code.let('i32', plus(low, size));
    code.set(end, op('select', end, i32(length), op('i32.lt_s', end, i32(length))));
    body({ low, high: end, known: length % size === 0 ? size : undefined });
    code.set(low, end);
  };
  code.doWhile(() => code.scope(step), op('i32.lt_s', low, i32(length)));
}

/**
 * Running results of one accumulator. Long rows have two levels: what a run adds up joins the total after
 * it, so that the error of a sum grows with the run's length and the number of runs, not their product.
 */
export interface Running {
  readonly how: Reduction;
  readonly partial: readonly Local[];
  readonly total: readonly Local[];
}

/** Running results at the identity, `count` side by side. */
export function startRunning(e: Emission, how: Reduction, count: number, long: boolean): Running {
  const fresh = (): Local[] =>
    Array.from({ length: count }, () => e.code.let('v128', identity(how)));
  const partial = fresh();
  return { how, partial, total: long ? fresh() : partial };
}

/** Moves what a run added up to the total. */
export function endRun(e: Emission, { how, partial, total }: Running): void {
  if (partial === total) return;
  partial.forEach((part, i) => {
    e.code.set(total[i]!, combine(how, total[i]!, part));
    e.code.set(part, identity(how));
  });
}

/** Ids of the values that stand for a finished accumulator. */
export function accumulatorIds(kernel: RowKernel, stageNumber: number, slot: number): ValueId[] {
  return kernel.values.flatMap((value, id) =>
    value.kind === 'accumulator' && value.stage === stageNumber && value.slot === slot ? [id] : [],
  );
}

/** Stores split into those an element and those a row. */
export function splitStores(
  e: Emission,
  plan: RowPlan,
  stores: readonly Store[],
): [Store[], Store[]] {
  const each = stores.filter(
    ({ value, at }) =>
      (e.varies[value]! & plan.rowBits) !== 0 || at.strides.slice(plan.outer).some((s) => s !== 0),
  );
  return [each, stores.filter((target) => !each.includes(target))];
}
