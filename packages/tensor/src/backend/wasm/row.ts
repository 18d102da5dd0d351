/** @file Row kernels: stages of reductions over a row, then stores; one or several rows a unit. */
import type { RowKernel, ValueId } from '../../schedule/kernel.ts';
import type { Expr, Local } from './assembler.ts';
import { Env, evaluate, needs, SINGLE, writeLanes, writeStore } from './emission.ts';
import type { Emission, Place, Region } from './emission.ts';
import {
  kernelFunction,
  pointCost,
  unitLoop,
  type Frame,
  type KernelCode,
} from './kernel-function.ts';
import { combine, firstLane, joinLanes, type Reduction } from './reduction.ts';
import { writeRowsAcross } from './row-across.ts';
import {
  accumulatorIds,
  endRun,
  inRuns,
  overRowAxes,
  splitStores,
  startRunning,
} from './row-parts.ts';
import { planRow, type RowPlan } from './row-plan.ts';
import { emitSpan, unrollFor, type Span } from './span.ts';

/** Elements of a run; a multiple of every step. */
const RUN = 4096;

/** A row kernel's code while it is written. */
interface RowWriter {
  readonly kernel: RowKernel;
  readonly plan: RowPlan;
  readonly frame: Frame;
  readonly scratch: Region;
}

/** One pass over the row. Values of it that `plan.kept` names are written to scratch. */
function pass(
  w: RowWriter,
  env: Env,
  part: Pick<Span, 'roots' | 'stores' | 'unroll' | 'each'> & { after?: () => void },
): void {
  const { e } = w.frame;
  const axis = e.kernel.loop.length - 1;
  const roots = [...part.roots, ...part.stores.map(({ value }) => value)];
  const fresh = needs(e, roots).filter((id) => w.plan.kept.has(id) && !e.stored.has(id));
  const extra = fresh.map((id) => ({ region: w.scratch, at: w.plan.kept.get(id)! }));
  const each = (own: Env, place: Place, group: number): void => {
    for (const id of fresh) writeLanes(e, place, w.scratch, w.plan.kept.get(id)!, own.get(id)!);
    part.each?.(own, place, group);
  };
  overRowAxes(e, w.plan.outer, () =>
    inRuns(e, RUN, ({ low, high, known: length }) => {
      const span = { axis, low, high, length, ...part, extra, each };
      e.code.scope(() => emitSpan(e, span, env));
      part.after?.();
    }),
  );
  for (const id of fresh) e.stored.set(id, { region: w.scratch, at: w.plan.kept.get(id)! });
}

/** Runs a stage and puts its finished accumulators, in all lanes, into `env`. */
function stage(w: RowWriter, number: number, env: Env): void {
  const { e } = w.frame;
  const { code } = e;
  const { accumulators } = w.kernel.stages[number]!;
  const roots = accumulators.map(({ value }) => value);
  const unroll = unrollFor(e, roots, 4);
  const long = e.kernel.loop.at(-1)! > 2 * RUN;
  const running = accumulators.map((how) => startRunning(e, how, unroll, long));
  const each = (own: Env, place: Place, group: number): void =>
    running.forEach(({ how, partial }, slot) => {
      const value = own.get(accumulators[slot]!.value)!;
      const sum = partial[group]!;
      const counted = place.axis === undefined ? firstLane(how, value) : value;
      code.set(sum, combine(how, sum, counted));
    });
  const after = (): void => running.forEach((one) => endRun(e, one));
  pass(w, env, { roots, stores: [], unroll, each, after });
  running.forEach(({ how, total }, slot) => finish(w, env, number, slot, joined(e, how, total)));
}

function joined(e: Emission, how: Reduction, parts: readonly Local[]): Expr {
  const total = parts.slice(1).reduce<Expr>((sum, part) => combine(how, sum, part), parts[0]!);
  return joinLanes(e.code, how, e.code.let('v128', total));
}

function finish(w: RowWriter, env: Env, number: number, slot: number, result: Expr): void {
  const local = w.frame.e.code.let('v128', result);
  for (const id of accumulatorIds(w.kernel, number, slot)) env.set(id, local);
}

function oneRow(w: RowWriter): void {
  const { e, uniforms } = w.frame;
  e.stored.clear();
  const env = new Env(uniforms);
  w.kernel.stages.forEach((_, number) => {
    const roots = w.kernel.stages[number]!.accumulators.map(({ value }) => value);
    rowValues(w, env, roots);
    stage(w, number, env);
  });
  const [elements, rows] = splitStores(e, w.plan, w.kernel.stores);
  rowValues(
    w,
    env,
    w.kernel.stores.map(({ value }) => value),
  );
  if (elements.length > 0) {
    const unroll = unrollFor(
      e,
      elements.map(({ value }) => value),
      2,
    );
    pass(w, env, { roots: [], stores: elements, unroll });
  }
  for (const target of rows) writeStore(e, env, SINGLE, target);
}

/** Evaluates what is the same for the whole row, before a pass. */
function rowValues(w: RowWriter, env: Env, roots: readonly ValueId[]): void {
  const { e } = w.frame;
  const ids = needs(e, roots).filter((id) => !(e.varies[id]! & w.plan.rowBits));
  evaluate(e, ids, env, SINGLE);
}

function writeRows(kernel: RowKernel, plan: RowPlan, frame: Frame): void {
  const { e } = frame;
  const scratch: Region = { base: frame.scratch, dtype: 'f32' };
  const digits = kernel.loop
    .slice(0, plan.outer)
    .map((size, i) => ({ local: e.indices[i]!, size }));
  unitLoop(frame, digits, () => oneRow({ kernel, plan, frame, scratch }));
}

/** Code of a row kernel. */
export function rowCode(kernel: RowKernel, relaxed: boolean): KernelCode {
  const plan = planRow(kernel);
  const passes = kernel.stages.length + 0.5;
  const rows = kernel.loop.slice(0, plan.outer).reduce((product, size) => product * size, 1);
  const rowCost =
    plan.length * pointCost(kernel) * (plan.acrossRows ? 1 : Math.min(passes, 1.5)) + 20;
  if (plan.acrossRows) return writeRowsAcross(kernel, plan, relaxed, rowCost);
  const body = kernelFunction(kernel, relaxed, (frame) => writeRows(kernel, plan, frame));
  return { phases: [{ function: body, units: rows, unitCost: rowCost }], workspace: 0 };
}
