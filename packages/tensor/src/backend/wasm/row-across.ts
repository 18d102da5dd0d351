/**
 * @file Row kernels with each lane another row: lanes run along the fastest outer axis, up to four vectors
 * side by side, and the loops run along the rows. A unit is 16 neighbouring rows, or what is left of them.
 */
import type { RowKernel, ValueId } from '../../schedule/kernel.ts';
import { i32, op, plus, type Local } from './assembler.ts';
import { Env, evaluate, needs, writeStore, type Emission, type Place } from './emission.ts';
import { kernelFunction, unitLoop, type Frame, type KernelCode } from './kernel-function.ts';
import { combine } from './reduction.ts';
import {
  accumulatorIds,
  endRun,
  inRuns,
  overRowAxes,
  splitStores,
  startRunning,
} from './row-parts.ts';
import type { RowPlan } from './row-plan.ts';
import { accessOf, advance, startCursors, type Access } from './span.ts';

/** Rows of a full unit. */
const BLOCK = 16;
/** Elements of a row that are added up before they join the total. */
const RUN = 256;

/** Rows side by side: `groups` vectors, or one row in all lanes. */
interface Strip {
  readonly kernel: RowKernel;
  readonly plan: RowPlan;
  readonly e: Emission;
  readonly groups: number;
  readonly wide: boolean;
}

function placeOf(strip: Strip, group: number, cursors: ReadonlyMap<string, Local>): Place {
  return { axis: strip.wide ? strip.plan.outer - 1 : undefined, start: 4 * group, cursors };
}

/** Evaluates values that are the same in all lanes once, and hands them to every group. */
function evaluateShared(
  strip: Strip,
  ids: readonly ValueId[],
  envs: readonly Env[],
  cursors: ReadonlyMap<string, Local>,
): ValueId[] {
  const { e, plan } = strip;
  const lanes = 1 << (plan.outer - 1);
  const shared = envs.length > 1 ? ids.filter((id) => !(e.varies[id]! & lanes)) : [];
  evaluate(e, shared, envs[0]!, placeOf(strip, 0, cursors));
  for (const env of envs.slice(1)) for (const id of shared) env.set(id, envs[0]!.get(id)!);
  return ids.filter((id) => !shared.includes(id));
}

/** Evaluates values for every group, in environments inside the given ones. */
function evaluateAll(
  strip: Strip,
  ids: readonly ValueId[],
  outside: readonly Env[],
  cursors: ReadonlyMap<string, Local>,
  each?: (env: Env, place: Place, group: number) => void,
): Env[] {
  const envs = outside.map((env) => new Env(env));
  const own = evaluateShared(strip, ids, envs, cursors);
  const one = (env: Env, group: number): void => {
    const place = placeOf(strip, group, cursors);
    evaluate(strip.e, own, env, place);
    each?.(env, place, group);
  };
  // What `each` does not use lives no longer than its group.
  envs.forEach((env, group) =>
    each ? strip.e.code.scope(() => one(env, group)) : one(env, group),
  );
  return envs;
}

/** One pass along the rows: the element values that `roots` need, then `each`, for every group. */
function pass(
  strip: Strip,
  envs: readonly Env[],
  roots: readonly ValueId[],
  extra: readonly Access[],
  each: (env: Env, place: Place, group: number) => void,
  after?: () => void,
): void {
  const { e, plan } = strip;
  const { code } = e;
  const axis = e.kernel.loop.length - 1;
  const ids = needs(e, roots);
  const varies = (id: ValueId, bits: number): boolean => (e.varies[id]! & bits) !== 0;
  const rows = ids.filter((id) => !varies(id, plan.rowBits));
  envs.forEach((env, group) => evaluate(e, rows, env, placeOf(strip, group, new Map())));
  const inner = ids.filter((id) => varies(id, 1 << axis));
  // Of an element's values those that only outer axes of the row change.
  const middle = ids.filter((id) => varies(id, plan.rowBits) && !varies(id, 1 << axis));
  const accesses = [...inner.flatMap((id) => accessOf(e, id) ?? []), ...extra];
  overRowAxes(e, plan.outer, () =>
    code.scope(() => {
      const known = evaluateAll(strip, middle, envs, new Map());
      const cursors = startCursors(e, accesses, axis, undefined);
      const step = (): void => {
        code.scope(() => evaluateAll(strip, inner, known, cursors.table, each));
        advance(e, cursors, 1);
      };
      inRuns(e, RUN, ({ low, high }) => {
        const left = code.let('i32', op('i32.sub', high, low));
        const next = (): void => {
          step();
          code.set(left, plus(left, -1));
        };
        code.doWhile(next, left);
        after?.();
      });
    }),
  );
}

function stage(strip: Strip, number: number, envs: readonly Env[]): void {
  const { e, kernel } = strip;
  const { accumulators } = kernel.stages[number]!;
  const long = e.kernel.loop.at(-1)! > 2 * RUN;
  const running = accumulators.map((how) => startRunning(e, how, envs.length, long));
  const roots = accumulators.map(({ value }) => value);
  const each = (env: Env, _place: Place, group: number): void =>
    running.forEach(({ how, partial }, slot) => {
      const sum = partial[group]!;
      e.code.set(sum, combine(how, sum, env.get(accumulators[slot]!.value)!));
    });
  const after = (): void => running.forEach((one) => endRun(e, one));
  pass(strip, envs, roots, [], each, after);
  running.forEach(({ total }, slot) => {
    for (const id of accumulatorIds(kernel, number, slot))
      envs.forEach((env, group) => env.set(id, total[group]!));
  });
}

function writeStrip(strip: Strip, uniforms: Env): void {
  const { e, plan, kernel } = strip;
  const envs = Array.from({ length: strip.groups }, () => new Env(uniforms));
  kernel.stages.forEach((_, number) => stage(strip, number, envs));
  const [elements, rows] = splitStores(e, plan, kernel.stores);
  if (elements.length > 0) {
    const extra = elements.map(({ to, at }) => ({ region: e.regions[to]!, at }));
    const roots = elements.map(({ value }) => value);
    pass(strip, envs, roots, extra, (env, place) => {
      for (const target of elements) writeStore(e, env, place, target);
    });
  }
  const last = needs(
    e,
    rows.map(({ value }) => value),
  );
  envs.forEach((env, group) => {
    const place = placeOf(strip, group, new Map());
    evaluate(e, last, env, place);
    for (const target of rows) writeStore(e, env, place, target);
  });
}

/** Code for one unit: a full block, or the vectors and then the single rows of the last one. */
function writeBlock(strip: Omit<Strip, 'groups' | 'wide'>, block: Local, uniforms: Env): void {
  const { e, plan } = strip;
  const { code } = e;
  const size = e.kernel.loop[plan.outer - 1]!;
  const index = e.indices[plan.outer - 1]!;
  const full = Math.floor(size / BLOCK);
  const groups = Math.floor((size % BLOCK) / 4);
  const emit = (count: number, wide: boolean): void =>
    code.scope(() => writeStrip({ ...strip, groups: count, wide }, uniforms));
  code.set(index, op('i32.mul', block, i32(BLOCK)));
  const rest = (): void => {
    if (groups > 0) emit(groups, true);
    if (size % 4 === 0) return;
    code.set(index, i32(size - (size % 4)));
    const single = (): void => {
      emit(1, false);
      code.set(index, plus(index, 1));
    };
    code.doWhile(single, op('i32.lt_s', index, i32(size)));
  };
  if (full === 0) return rest();
  if (size % BLOCK === 0) return emit(4, true);
  code.if(op('i32.lt_s', block, i32(full)), () => emit(4, true), rest);
}

function writeUnits(kernel: RowKernel, plan: RowPlan, frame: Frame): void {
  const { e, uniforms } = frame;
  const block = e.code.let('i32', i32(0));
  const blocks = Math.ceil(kernel.loop[plan.outer - 1]! / BLOCK);
  const outer = kernel.loop.slice(0, plan.outer - 1);
  const digits = outer.map((size, i) => ({ local: e.indices[i]!, size }));
  unitLoop(frame, [...digits, { local: block, size: blocks }], () =>
    writeBlock({ kernel, plan, e }, block, uniforms),
  );
}

/** Code of a row kernel whose lanes are rows; `rowCost` in nanoseconds. */
export function writeRowsAcross(
  kernel: RowKernel,
  plan: RowPlan,
  relaxed: boolean,
  rowCost: number,
): KernelCode {
  const size = kernel.loop[plan.outer - 1]!;
  const outer = kernel.loop.slice(0, plan.outer - 1).reduce((product, n) => product * n, 1);
  const units = outer * Math.ceil(size / BLOCK);
  const body = kernelFunction(kernel, relaxed, (frame) => writeUnits(kernel, plan, frame));
  const unitCost = (rowCost * outer * size) / units;
  return { phases: [{ function: body, units, unitCost }], workspace: 0 };
}
