/**
 * @file Evaluates a kernel's values: from SSA to locals of four 32-bit lanes. Where lanes run along an
 * axis (`wide`), loads of stride 1 are vector loads, of stride 0 splats, others lane by lane. Where they
 * do not, every lane holds the same element.
 */
import { bytesPerElement } from '../../dtype.ts';
import type { DType } from '../../dtype.ts';
import { closure, operandsOf } from '../../schedule/kernel.ts';
import type { Affine, Kernel, Store, Value, ValueId } from '../../schedule/kernel.ts';
import { f32x4, i32, i32x4, lane, laneMemory, load, op, plus, store, times } from './assembler.ts';
import type { Code, Expr, Local } from './assembler.ts';
import { narrowBf16, narrowF16, widenBf16, widenF16 } from './half.ts';
import { randomWord, uniform } from './philox.ts';
import { convert, EMIT } from './scalar.ts';

/** Memory that a kernel reads or writes, with the local that holds its address. */
export interface Region {
  readonly base: Local;
  readonly dtype: DType;
}

/** What a function's code knows. */
export interface Emission {
  readonly code: Code;
  readonly kernel: Kernel;
  readonly relaxed: boolean;
  /** By position in `kernel.buffers`. */
  readonly regions: readonly Region[];
  /** Address of the scalar words. */
  readonly scalars: Local;
  /** Current index on each loop axis; the first of the four where lanes run along it. */
  readonly indices: readonly Local[];
  /** Bits of the axes that each value depends on; `STAGE` bits for accumulators. */
  readonly varies: readonly number[];
  /** Memory that stands in for values: a matmul's product, or what an earlier pass kept. */
  readonly stored: Map<ValueId, { readonly region: Region; readonly at: Affine }>;
}

/** Bit of `varies` for a value that needs the accumulators of a stage, from 24 on. */
export function stageBit(stage: number): number {
  return 1 << (24 + stage);
}

/** Locals that hold values, with those of the enclosing loops behind them. */
export class Env {
  readonly #own = new Map<ValueId, Local>();
  readonly #outer: Env | undefined;

  constructor(outer?: Env) {
    this.#outer = outer;
  }

  get(id: ValueId): Local | undefined {
    return this.#own.get(id) ?? this.#outer?.get(id);
  }

  set(id: ValueId, local: Local): void {
    this.#own.set(id, local);
  }
}

/** Where values are evaluated. */
export interface Place {
  /** The axis the lanes run along, or undefined where all lanes hold one element. */
  readonly axis: number | undefined;
  /** Lanes already passed on that axis, from its index. */
  readonly start: number;
  /** Running addresses of the innermost loop, by `cursorKey`. */
  readonly cursors: ReadonlyMap<string, Local>;
}

/** The place of single elements outside any cursor loop. */
export const SINGLE: Place = { axis: undefined, start: 0, cursors: new Map() };

/** Names an address in a table of cursors. */
export function cursorKey(base: Local | undefined, at: Affine): string {
  return `${base?.index ?? 'i'}:${at.offset}:${at.strides.join()}`;
}

/** Bits of the axes with a nonzero stride. */
function axesOf(at: Affine): number {
  return at.strides.reduce((bits, stride, axis) => (stride === 0 ? bits : bits | (1 << axis)), 0);
}

function ownAxes(kernel: Kernel, value: Value): number {
  if (value.kind === 'random') return axesOf(value.counter);
  if (value.kind === 'accumulator') return stageBit(value.stage);
  if (value.kind === 'product') return (1 << kernel.loop.length) - 1;
  return 'at' in value ? axesOf(value.at) : 0;
}

/** For each value the axes it depends on; a row accumulator also varies with all outer axes. */
export function variation(kernel: Kernel): number[] {
  const outer = kernel.kind === 'row' ? (1 << (kernel.loop.length - kernel.rowAxes)) - 1 : 0;
  const result: number[] = [];
  for (const value of kernel.values) {
    const own = ownAxes(kernel, value) | (value.kind === 'accumulator' ? outer : 0);
    result.push(operandsOf(value).reduce((bits, id) => bits | result[id]!, own));
  }
  return result;
}

/** `offset + Σ stride · index` in elements, without `skip`'s term. */
export function affine(e: Emission, at: Affine, skip?: number): Expr {
  return at.strides.reduce<Expr>(
    (sum, stride, axis) =>
      stride === 0 || axis === skip ? sum : op('i32.add', sum, times(e.indices[axis]!, stride)),
    i32(at.offset),
  );
}

/** `affine` in bytes from a base; without a base, in elements. */
export function addressOf(
  e: Emission,
  region: Region | undefined,
  at: Affine,
  skip?: number,
): Expr {
  if (!region) return affine(e, at, skip);
  const bytes = bytesPerElement(region.dtype);
  const scaled = { offset: at.offset * bytes, strides: at.strides.map((s) => s * bytes) };
  return op('i32.add', region.base, affine(e, scaled, skip));
}

/** An address as a base and an offset that is not negative. */
interface Address {
  readonly base: Expr;
  readonly offset: number;
}

function shifted(address: Expr, offset: number): Address {
  return offset >= 0 ? { base: address, offset } : { base: plus(address, offset), offset: 0 };
}

function laneStride(place: Place, at: Affine): number {
  return place.axis === undefined ? 0 : at.strides[place.axis]!;
}

/** Address of the first lane, before `start`, from a cursor where there is one. */
function baseAddress(e: Emission, place: Place, region: Region | undefined, at: Affine): Expr {
  return place.cursors.get(cursorKey(region?.base, at)) ?? addressOf(e, region, at);
}

/** Reads four elements `stride` apart, or one into all lanes where the stride is 0. */
function readLanes(
  e: Emission,
  region: Region,
  lanes: (lane: number) => Address,
  stride: number,
): Expr {
  const { code } = e;
  const first = lanes(0);
  if (bytesPerElement(region.dtype) === 4) {
    if (stride === 0) return load('v128.load32_splat', first.base, first.offset);
    if (stride === 1) return load('v128.load', first.base, first.offset);
    return [1, 2, 3].reduce<Expr>(
      (vector, k) => {
        const { base, offset } = lanes(k);
        return laneMemory('v128.load32_lane', k, base, vector, offset);
      },
      load('v128.load32_splat', first.base, first.offset),
    );
  }
  const widen = region.dtype === 'f16' ? widenF16 : widenBf16;
  if (stride === 1) {
    const packed = load('v128.load64_zero', first.base, first.offset);
    return widen(code, op('i32x4.extend_low_i16x8_u', packed));
  }
  const splat = load('v128.load16_splat', first.base, first.offset);
  if (stride === 0) return widen(code, op('i32x4.extend_low_i16x8_u', splat));
  const packed = [1, 2, 3].reduce<Expr>((vector, k) => {
    const { base, offset } = lanes(k);
    return laneMemory('v128.load16_lane', k, base, vector, offset);
  }, splat);
  return widen(code, op('i32x4.extend_low_i16x8_u', packed));
}

/** Loaded bits as a value: bool words become masks. */
function asValue(region: Region, bits: Expr): Expr {
  return region.dtype === 'bool' ? op('i32x4.ne', bits, i32x4(0)) : bits;
}

/** Loads at an address; with a guard, lanes outside it read the region's beginning or a neighbour. */
function readAt(
  e: Emission,
  place: Place,
  region: Region,
  address: Expr,
  stride: number,
  guard: Local | undefined,
): Expr {
  const bytes = bytesPerElement(region.dtype);
  const from = e.code.let('i32', address);
  const lanes = (k: number): Address => shifted(from, (place.start + k) * stride * bytes);
  if (!guard) return asValue(region, readLanes(e, region, lanes, stride));
  const guarded = (k: number, test: Expr): Address => {
    const { base, offset } = lanes(k);
    return { base: op('select', plus(base, offset), region.base, test), offset: 0 };
  };
  // A contiguous vector with one valid lane lies within 12 bytes of the region: always inside the memory.
  const any = op('v128.any_true', guard);
  const one = (k: number): Address =>
    stride === 0 || stride === 1
      ? guarded(k, any)
      : guarded(k, lane('i32x4.extract_lane', k, guard));
  return asValue(region, readLanes(e, region, one, stride));
}

function loadValue(e: Emission, env: Env, place: Place, value: Value & { kind: 'load' }): Expr {
  const region = e.regions[value.from]!;
  const guard = value.guard === undefined ? undefined : env.get(value.guard)!;
  const address = baseAddress(e, place, region, value.at);
  return readAt(e, place, region, address, laneStride(place, value.at), guard);
}

function gatherValue(e: Emission, env: Env, place: Place, value: Value & { kind: 'gather' }): Expr {
  const region = e.regions[value.from]!;
  if (value.rows === 0) return i32x4(0);
  const { code } = e;
  const guard = value.guard === undefined ? undefined : env.get(value.guard)!;
  const bytes = bytesPerElement(region.dtype);
  const low = op('i32x4.max_s', env.get(value.index)!, i32x4(0));
  const row = op('i32x4.min_s', low, i32x4(value.rows - 1));
  const moved = code.let('v128', op('i32x4.mul', row, i32x4(value.stride * bytes)));
  const base = code.let('i32', baseAddress(e, place, region, value.at));
  const stride = laneStride(place, value.at);
  const moves = place.axis !== undefined && (e.varies[value.index]! & (1 << place.axis)) !== 0;
  const rowAddress = (k: number): Expr => op('i32.add', base, lane('i32x4.extract_lane', k, moved));
  if (!moves) return readAt(e, place, region, rowAddress(0), stride, guard);
  const lanes = (k: number): Address => {
    const address = plus(rowAddress(k), (place.start + k) * stride * bytes);
    const test = guard && lane('i32x4.extract_lane', k, guard);
    return { base: test ? op('select', address, region.base, test) : address, offset: 0 };
  };
  return asValue(region, readLanes(e, region, lanes, NaN));
}

/** The affine expression itself in each lane. */
function indexLanes(e: Emission, place: Place, at: Affine): Expr {
  const stride = laneStride(place, at);
  const splat = op('i32x4.splat', baseAddress(e, place, undefined, at));
  if (stride === 0) return splat;
  const steps = [0, 1, 2, 3].map((k) => (place.start + k) * stride);
  return op('i32x4.add', splat, i32x4(...steps));
}

/** The affine expression over a divisor; vectors of integers cannot be divided, so lane by lane. */
function quotientLanes(e: Emission, place: Place, at: Affine, divisor: number): Expr {
  const stride = laneStride(place, at);
  const first = e.code.let('i32', baseAddress(e, place, undefined, at));
  const quotient = (k: number): Expr =>
    op('i32.div_s', plus(first, (place.start + k) * stride), i32(divisor));
  const splat = op('i32x4.splat', quotient(0));
  if (stride === 0) return splat;
  return [1, 2, 3].reduce<Expr>(
    (vector, k) => lane('i32x4.replace_lane', k, vector, quotient(k)),
    splat,
  );
}

function scalarValue(e: Emission, value: Value & { kind: 'scalar' }): Expr {
  const word = load('v128.load32_splat', e.scalars, 4 * value.slot);
  return value.dtype === 'bool' ? op('i32x4.ne', word, i32x4(0)) : word;
}

function constantValue(value: Value & { kind: 'constant' }): Expr {
  if (value.dtype === 'f32') return f32x4(value.value);
  return i32x4(value.dtype === 'bool' ? -Number(value.value !== 0) : value.value);
}

function opValue(e: Emission, env: Env, place: Place, value: Value & { kind: 'op' }): Expr {
  const last = value.args.at(-1)!;
  const from = e.kernel.values[last]!.dtype;
  const operands = value.args.map((id) => env.get(id)!);
  const uniform = place.axis === undefined || (e.varies[last]! & (1 << place.axis)) === 0;
  return EMIT[value.op](e.code, e, operands, { dtype: value.dtype, from, uniform });
}

function expression(e: Emission, env: Env, place: Place, id: ValueId): Expr {
  const value = e.kernel.values[id]!;
  const stored = e.stored.get(id);
  if (stored) {
    const address = baseAddress(e, place, stored.region, stored.at);
    return readAt(e, place, stored.region, address, laneStride(place, stored.at), undefined);
  }
  if (value.kind === 'constant') return constantValue(value);
  if (value.kind === 'scalar') return scalarValue(e, value);
  if (value.kind === 'index')
    return value.divisor === undefined
      ? indexLanes(e, place, value.at)
      : quotientLanes(e, place, value.at, value.divisor);
  if (value.kind === 'load') return loadValue(e, env, place, value);
  if (value.kind === 'gather') return gatherValue(e, env, place, value);
  if (value.kind === 'op') return opValue(e, env, place, value);
  if (value.kind === 'random') {
    const keys = value.key.map((key) => env.get(key)!) as unknown as readonly [Expr, Expr];
    const draw = value.dtype === 'u32' ? randomWord : uniform;
    return draw(e.code, indexLanes(e, place, value.counter), keys);
  }
  throw new Error(`internal: wasm: value ${id} (${value.kind}) is not ready where it is used`);
}

/** Evaluates the values `ids` that `env` does not hold yet, in order, into it. */
export function evaluate(e: Emission, ids: readonly ValueId[], env: Env, place: Place): void {
  for (const id of ids) {
    if (env.get(id)) continue;
    env.set(id, e.code.let('v128', expression(e, env, place, id)));
  }
}

/** Ids that `roots` need, stopping at values that memory stands in for. */
export function needs(e: Emission, roots: readonly ValueId[]): ValueId[] {
  const cut = e.kernel.values.map((value, id): Value =>
    e.stored.has(id) ? { kind: 'product', dtype: 'f32' } : value,
  );
  return closure(cut, roots);
}

/** Writes a value: four lanes along the place's axis, or lane 0. */
export function writeStore(e: Emission, env: Env, place: Place, target: Store): void {
  const region = e.regions[target.to]!;
  writeLanes(e, place, region, target.at, storable(e, env, target.value, region));
}

/** A value in the form its region stores, widened to 32-bit lanes. */
function storable(e: Emission, env: Env, id: ValueId, region: Region): Local {
  const { code } = e;
  const value = env.get(id)!;
  const from = e.kernel.values[id]!.dtype;
  if (region.dtype === 'f16' || region.dtype === 'bf16') {
    const real = from === 'f32' ? value : code.let('v128', convert(value, from, 'f32'));
    return code.let('v128', (region.dtype === 'f16' ? narrowF16 : narrowBf16)(code, real));
  }
  const same = from === region.dtype ? value : code.let('v128', convert(value, from, region.dtype));
  return region.dtype === 'bool' ? code.let('v128', op('v128.and', same, i32x4(1))) : same;
}

/** Writes lanes that are already in storage form to `at`. */
export function writeLanes(
  e: Emission,
  place: Place,
  region: Region,
  at: Affine,
  value: Local,
): void {
  const { code } = e;
  const bytes = bytesPerElement(region.dtype);
  const stride = laneStride(place, at);
  const address = baseAddress(e, place, region, at);
  const { base, offset } = shifted(address, place.start * stride * bytes);
  if (place.axis !== undefined && stride === 1) {
    if (bytes === 4) return code.do(store('v128.store', base, value, offset));
    const packed = op('i16x8.narrow_i32x4_u', value, value);
    return code.do(laneMemory('v128.store64_lane', 0, base, packed, offset));
  }
  const name = bytes === 4 ? 'v128.store32_lane' : 'v128.store16_lane';
  // Where the stride is 0 every lane would write the same element: the last one counts.
  const lanes = place.axis === undefined ? [0] : stride === 0 ? [3] : [0, 1, 2, 3];
  for (const k of lanes) {
    const target = shifted(address, (place.start + k) * stride * bytes);
    const from = bytes === 4 ? k : 2 * k;
    code.do(laneMemory(name, from, target.base, value, target.offset));
  }
}
