/**
 * @file Writes a kernel's values and stores as statements. A body covers one point of the loop, or four
 * neighbours on the last axis (`lanes` = 4): values that do not vary along it are then written once.
 */
import { ELEMENTWISE } from '../../../ops/elementwise.ts';
import type { Affine, Kernel, Store, Value, ValueId } from '../../../schedule/kernel.ts';
import { operandsOf } from '../../../schedule/kernel.ts';
import { computeType } from '../../../dtype.ts';
import { affineText, LETTERS, literal } from './text.ts';
import * as views from './views.ts';

/** What a body needs to know around it. */
export interface Frame {
  readonly kernel: Kernel;
  readonly views: readonly views.View[];
  /** The i32 variable of each loop axis; with four lanes the last one holds a multiple of four. */
  readonly axes: readonly string[];
  readonly lanes: 1 | 4;
  /** Whether each value differs between lanes. */
  readonly varies: readonly boolean[];
}

/** A value that reads memory. */
type Memory = Extract<Value, { kind: 'load' | 'gather' }>;

/** Name of the scalar buffer. */
export const SCALARS = 'scalars';

/** For each value, whether it changes along the last axis of the loop. */
export function variesOnLastAxis(kernel: Kernel): boolean[] {
  const result: boolean[] = [];
  for (const value of kernel.values)
    result.push(ownVaries(value) || operandsOf(value).some((id) => result[id]!));
  return result;
}

function ownVaries(value: Value): boolean {
  if (value.kind === 'product') return true;
  const at = value.kind === 'random' ? value.counter : 'at' in value ? value.at : undefined;
  return at !== undefined && at.strides.at(-1) !== 0;
}

/** A frame over `axes`; `packed`: positions of the buffers that are declared as vectors. */
export function makeFrame(
  kernel: Kernel,
  axes: readonly string[],
  lanes: 1 | 4,
  packed: ReadonlySet<number>,
): Frame {
  const varies = variesOnLastAxis(kernel);
  return { kernel, axes, lanes, varies, views: views.viewsOf(kernel, packed) };
}

/** The value when it reads all four lanes at once. */
function quadOf(frame: Frame, id: ValueId): Memory | undefined {
  const value = frame.kernel.values[id]!;
  if (value.kind !== 'load' && value.kind !== 'gather') return undefined;
  const packed = frame.lanes === 4 && frame.views[value.from]!.mode === 'packed';
  return packed ? value : undefined;
}

/** The name of a value in a lane. */
export function nameOf(frame: Frame, id: ValueId, lane: number): string {
  if (quadOf(frame, id)) return `v${id}.${LETTERS[lane]}`;
  return frame.lanes === 4 && frame.varies[id] ? `v${id}_${lane}` : `v${id}`;
}

/** Statements that compute one value in every lane; its operands come before. */
export function emitValue(frame: Frame, id: ValueId): string[] {
  const quad = quadOf(frame, id);
  if (quad) return [`let v${id} = ${quadLoad(frame, quad)};`];
  const lanes = frame.lanes === 4 && frame.varies[id] ? [0, 1, 2, 3] : [0];
  const value = frame.kernel.values[id]!;
  return lanes.map((lane) => `let ${nameOf(frame, id, lane)} = ${expression(frame, value, lane)};`);
}

/** Address of an affine expression in a lane. */
function address(frame: Frame, at: Affine, lane: number): string {
  return affineText(at, frame.axes, lane * (at.strides.at(-1) ?? 0));
}

function rowOf(frame: Frame, index: ValueId, rows: number, lane: number): string {
  return `clamp(i32(${nameOf(frame, index, lane)}), 0, ${Math.max(rows - 1, 0)})`;
}

function quadLoad(frame: Frame, value: Memory): string {
  const at = value.kind === 'load' ? address(frame, value.at, 0) : gatherAddress(frame, value, 0);
  return views.loadQuadText(frame.views[value.from]!, `(${at}) >> 2u`);
}

/** Guarded addresses fall back to element 0, which always exists; any value will do there. */
function memory(frame: Frame, value: Memory, at: string, lane: number): string {
  const guarded =
    value.guard === undefined ? at : `select(0, ${at}, ${nameOf(frame, value.guard, lane)})`;
  const view = frame.views[value.from]!;
  return views.convertText(views.loadText(view, guarded), computeType(view.dtype), value.dtype);
}

function gatherAddress(
  frame: Frame,
  value: Extract<Value, { kind: 'gather' }>,
  lane: number,
): string {
  const row = rowOf(frame, value.index, value.rows, lane);
  return `${address(frame, value.at, lane)} + ${row} * ${value.stride}`;
}

/** A literal 0 of floats: compilers take its product with NaN for 0. */
function isZero(frame: Frame, id: ValueId): boolean {
  const value = frame.kernel.values[id]!;
  return value.kind === 'constant' && value.dtype === 'f32' && value.value === 0;
}

function opText(frame: Frame, value: Extract<Value, { kind: 'op' }>, lane: number): string {
  const args = value.args.map((id) => nameOf(frame, id, lane));
  const from = frame.kernel.values[value.args[0]!]!.dtype;
  const zero = value.op === 'mul' ? value.args.findIndex((id) => isZero(frame, id)) : -1;
  if (zero >= 0) return `camada_times_zero(${args[1 - zero]})`;
  return ELEMENTWISE[value.op].wgsl(args, value.dtype, from);
}

function randomText(frame: Frame, value: Extract<Value, { kind: 'random' }>, lane: number): string {
  const [k0, k1] = value.key.map((id) => `u32(${nameOf(frame, id, lane)})`);
  const draw = value.dtype === 'u32' ? 'camada_philox' : 'camada_random';
  return `${draw}(u32(${address(frame, value.counter, lane)}), ${k0}, ${k1})`;
}

function scalarText(value: Extract<Value, { kind: 'scalar' }>): string {
  const word = `${SCALARS}[${value.slot}]`;
  if (value.dtype === 'u32') return word;
  return value.dtype === 'bool' ? `(${word} != 0u)` : `bitcast<${value.dtype}>(${word})`;
}

function expression(frame: Frame, value: Value, lane: number): string {
  switch (value.kind) {
    case 'constant':
      return literal(value.dtype, value.value);
    case 'scalar':
      return scalarText(value);
    case 'index':
      return value.divisor === undefined
        ? address(frame, value.at, lane)
        : `(${address(frame, value.at, lane)}) / ${value.divisor}`;
    case 'load':
      return memory(frame, value, address(frame, value.at, lane), lane);
    case 'gather':
      return memory(frame, value, gatherAddress(frame, value, lane), lane);
    case 'random':
      return randomText(frame, value, lane);
    case 'accumulator':
      return `acc${value.stage}_${value.slot}`;
    case 'product':
      return frame.lanes === 4 ? `product.${LETTERS[lane]}` : 'product';
    case 'op':
      return opText(frame, value, lane);
  }
}

/** Statements that perform a store in every lane, or once when nothing varies along the last axis. */
export function emitStore(frame: Frame, store: Store): string[] {
  const view = frame.views[store.to]!;
  const dtype = frame.kernel.values[store.value]!.dtype;
  const lanes = frame.lanes === 4 && store.at.strides.at(-1) !== 0 ? [0, 1, 2, 3] : [0];
  const texts = lanes.map((lane) => nameOf(frame, store.value, lane));
  if (view.mode === 'packed' && frame.lanes === 4)
    return [views.storeQuadText(view, `(${address(frame, store.at, 0)}) >> 2u`, texts, dtype)];
  return lanes.flatMap((lane, i) =>
    views.storeText(view, address(frame, store.at, lane), texts[i]!, dtype),
  );
}
