/**
 * @file The innermost loop of map kernels, of rows along their own axis and of matmul epilogues: values
 * and stores for every index of one axis from `low` to `high`, four lanes at a time, then one at a time.
 */
import { bytesPerElement } from '../../dtype.ts';
import type { Affine, Store, ValueId } from '../../schedule/kernel.ts';
import { i32, op, plus, type Expr, type Local } from './assembler.ts';
import { addressOf, cursorKey, Env, evaluate, needs, SINGLE, writeStore } from './emission.ts';
import type { Emission, Place, Region } from './emission.ts';

/** An inner loop. */
export interface Span {
  readonly axis: number;
  readonly low: Expr;
  readonly high: Expr;
  /** `high − low` where the code may rely on it. */
  readonly length: number | undefined;
  /** Vectors one step of the loop handles. */
  readonly unroll: number;
  /** Values that the loop needs besides those of its stores. */
  readonly roots: readonly ValueId[];
  readonly stores: readonly Store[];
  /** Further addresses that `each` uses. */
  readonly extra?: readonly Access[];
  /** Written after the values of one vector; `group` is its number within the step. */
  readonly each?: (env: Env, place: Place, group: number) => void;
}

/** An address in a region, or an affine index where there is no region. */
export interface Access {
  readonly region: Region | undefined;
  readonly at: Affine;
}

/** Running addresses with their bytes (or index units) a lane. */
interface Cursors {
  readonly table: Map<string, Local>;
  readonly steps: readonly { readonly local: Local; readonly step: number }[];
}

/** The address that evaluating a value reads, if any. */
export function accessOf(e: Emission, id: ValueId): Access | undefined {
  const stored = e.stored.get(id);
  if (stored) return stored;
  const value = e.kernel.values[id]!;
  if (value.kind === 'load' || value.kind === 'gather')
    return { region: e.regions[value.from]!, at: value.at };
  if (value.kind === 'index') return { region: undefined, at: value.at };
  if (value.kind === 'random') return { region: undefined, at: value.counter };
  return undefined;
}

/** Starts a running address for each distinct access, at the current indices with `axis` at `low`. */
export function startCursors(
  e: Emission,
  accesses: readonly Access[],
  axis: number,
  low: Expr | undefined,
): Cursors {
  const table = new Map<string, Local>();
  const steps: { local: Local; step: number }[] = [];
  for (const { region, at } of accesses) {
    const key = cursorKey(region?.base, at);
    if (table.has(key)) continue;
    const step = at.strides[axis]! * (region ? bytesPerElement(region.dtype) : 1);
    const base = addressOf(e, region, at, axis);
    const start = low && step !== 0 ? op('i32.add', base, op('i32.mul', low, i32(step))) : base;
    const local = e.code.let('i32', start);
    table.set(key, local);
    if (step !== 0) steps.push({ local, step });
  }
  return { table, steps };
}

/** Moves all cursors by `count` indices. */
export function advance(e: Emission, cursors: Cursors, count: number): void {
  for (const { local, step } of cursors.steps) e.code.set(local, plus(local, step * count));
}

function bodyOnce(
  e: Emission,
  span: Span,
  env: Env,
  ids: readonly ValueId[],
  place: Place,
  group: number,
): void {
  const own = new Env(env);
  evaluate(e, ids, own, place);
  for (const target of span.stores) writeStore(e, own, place, target);
  span.each?.(own, place, group);
}

/** Repeats a step of `width` indices while that many are left. */
function stepLoop(e: Emission, span: Span, width: number, left: Local, step: () => void): void {
  const { code } = e;
  const { length } = span;
  if (length !== undefined && remaining(span, width) < width) return;
  const body = (): void => code.scope(step);
  const next = (): void => {
    body();
    code.set(left, plus(left, -width));
  };
  code.while(op('i32.ge_s', left, i32(width)), next);
}

/** Indices still left when steps of `width` begin, where the length is known. */
function remaining(span: Span, width: number): number {
  const length = span.length ?? 0;
  const wide = 4 * span.unroll;
  if (width === wide) return length;
  return width === 4 ? length % wide : length % 4;
}

/** Writes the loop. Values that do not vary along the axis are evaluated once, into `env`. */
export function emitSpan(e: Emission, span: Span, env: Env): void {
  const { code } = e;
  const ids = needs(e, [...span.roots, ...span.stores.map(({ value }) => value)]);
  const bit = 1 << span.axis;
  const entry = new Env(env);
  evaluate(
    e,
    ids.filter((id) => !(e.varies[id]! & bit)),
    entry,
    SINGLE,
  );
  const inner = ids.filter((id) => e.varies[id]! & bit);
  const accesses = [
    ...inner.flatMap((id) => accessOf(e, id) ?? []),
    ...span.stores.map(({ to, at }) => ({ region: e.regions[to]!, at })),
    ...(span.extra ?? []),
  ];
  const cursors = startCursors(e, accesses, span.axis, span.low);
  const left = code.let('i32', op('i32.sub', span.high, span.low));
  const run = (groups: number, wide: boolean) => (): void => {
    for (let group = 0; group < groups; group++) {
      const axis = wide ? span.axis : undefined;
      const place = { axis, start: wide ? 4 * group : 0, cursors: cursors.table };
      code.scope(() => bodyOnce(e, span, entry, inner, place, group));
    }
    advance(e, cursors, wide ? 4 * groups : 1);
  };
  if (span.unroll > 1) stepLoop(e, span, 4 * span.unroll, left, run(span.unroll, true));
  stepLoop(e, span, 4, left, run(1, true));
  stepLoop(e, span, 1, left, run(1, false));
}

/** How many vectors a step should handle: more where a vector's work is small. */
export function unrollFor(e: Emission, roots: readonly ValueId[], most: number): number {
  const work = needs(e, roots).filter((id) => e.kernel.values[id]!.kind !== 'constant').length;
  if (work <= 6) return most;
  return work <= 14 ? Math.min(2, most) : 1;
}
