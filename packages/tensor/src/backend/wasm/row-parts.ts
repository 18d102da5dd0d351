/** @file What both ways of writing row kernels share. */
import type { RowKernel, Store, ValueId } from '../../schedule/kernel.ts';
import { i32, op, plus } from './assembler.ts';
import type { Emission } from './emission.ts';
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
