/**
 * @file The meaning of `schedule/kernel.ts` in plain f64 JavaScript, point by point. It shares no code with any back end
 * and serves as oracle of all: the scheduler's plans and the kernels of wasm and WebGPU are compared with it, so a
 * fault is either the scheduler's or the back end's, never in doubt.
 */
import { ELEMENTWISE } from '../src/ops/elementwise.ts';
import { meaningOf } from '../src/ops/primitive.ts';
import { combiner, REDUCTIONS } from '../src/ops/reduction.ts';
import {
  closure,
  type Affine,
  type Kernel,
  type Operand,
  type Store,
  type Value,
  type ValueId,
} from '../src/schedule/kernel.ts';
import type { ScalarType } from '../src/dtype.ts';

/** Contents of a buffer as numbers, 16-bit storage included. */
export type Cells = number[] | Float64Array;

/** The host number in a slot. */
export type Scalars = (slot: number, dtype: ScalarType) => number;

/** Host numbers as the 32-bit words that a back end gets. */
export function scalarWords(words: Uint32Array): Scalars {
  const view = new DataView(words.buffer, words.byteOffset, words.byteLength);
  return (slot, dtype) => {
    if (dtype === 'f32') return view.getFloat32(4 * slot, true);
    return dtype === 'i32' ? view.getInt32(4 * slot, true) : view.getUint32(4 * slot, true);
  };
}

/** First word of Philox4x32-10, with 64-bit integers: slow, plain, and not the engine's own. */
export function philoxWord(counter: number, key0: number, key1: number): number {
  const low = (x: bigint): bigint => x & 0xffffffffn;
  let c = [BigInt(counter >>> 0), 0n, 0n, 0n] as [bigint, bigint, bigint, bigint];
  let k = [BigInt(key0 >>> 0), BigInt(key1 >>> 0)] as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const p = 0xd2511f53n * c[0];
    const q = 0xcd9e8d57n * c[2];
    c = [(q >> 32n) ^ c[1] ^ k[0], low(q), (p >> 32n) ^ c[3] ^ k[1], low(p)];
    k = [low(k[0] + 0x9e3779b9n), low(k[1] + 0xbb67ae85n)];
  }
  return Number(c[0]);
}

/** The uniform number in [0, 1) that a `random` value is. */
export function philox(counter: number, key0: number, key1: number): number {
  return (philoxWord(counter, key0, key1) >>> 8) * 2 ** -24;
}

interface Point {
  readonly index: readonly number[];
  readonly accumulators: readonly (readonly number[])[];
  readonly product: number;
}

/** Every index of the loops, the last axis fastest. */
function* points(loop: readonly number[]): Generator<number[]> {
  const total = loop.reduce((n, size) => n * size, 1);
  for (let flat = 0; flat < total; flat++) {
    const index = new Array<number>(loop.length);
    let rest = flat;
    for (let axis = loop.length - 1; axis >= 0; axis--) {
      index[axis] = rest % loop[axis]!;
      rest = Math.floor(rest / loop[axis]!);
    }
    yield index;
  }
}

function addressOf({ offset, strides }: Affine, index: readonly number[]): number {
  return strides.reduce((sum, stride, axis) => sum + stride * index[axis]!, offset);
}

/** What belongs to the type: integers wrap, floats saturate as integers, anything but 0 is true. */
function convert(dtype: ScalarType, x: number, fromFloat: boolean): number {
  if (dtype === 'f32') return x;
  if (dtype === 'bool') return Number(x !== 0);
  const [least, greatest] = dtype === 'i32' ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  const fitting = fromFloat ? Math.min(greatest, Math.max(least, Math.trunc(x))) : x;
  return dtype === 'i32' ? fitting | 0 : fitting >>> 0;
}

class Run {
  private readonly kernel: Kernel;
  private readonly memory: readonly Cells[];
  private readonly scalars: Scalars;

  constructor(kernel: Kernel, memory: readonly Cells[], scalars: Scalars) {
    this.kernel = kernel;
    this.memory = memory;
    this.scalars = scalars;
  }

  /** Values of `roots` and of all they need. */
  values(roots: readonly ValueId[], point: Point): Map<ValueId, number> {
    const known = new Map<ValueId, number>();
    for (const id of closure(this.kernel.values, roots))
      known.set(
        id,
        this.value(this.kernel.values[id]!, point, (other) => known.get(other)!),
      );
    return known;
  }

  private value(value: Value, point: Point, get: (id: ValueId) => number): number {
    const { index, accumulators, product } = point;
    // Nothing may be read where a guard is shut, and nothing may depend on what comes instead.
    if ('guard' in value && value.guard !== undefined && !get(value.guard)) return NaN;
    switch (value.kind) {
      case 'constant':
        return value.value;
      case 'scalar':
        return this.scalars(value.slot, value.dtype);
      case 'index':
        return Math.trunc(addressOf(value.at, index) / (value.divisor ?? 1));
      case 'load':
        return this.read(value.from, addressOf(value.at, index));
      case 'gather': {
        const row = Math.min(Math.max(get(value.index), 0), value.rows - 1);
        return this.read(value.from, addressOf(value.at, index) + row * value.stride);
      }
      case 'random': {
        const draw = value.dtype === 'u32' ? philoxWord : philox;
        return draw(addressOf(value.counter, index), get(value.key[0]), get(value.key[1]));
      }
      case 'accumulator':
        return accumulators[value.stage]![value.slot]!;
      case 'product':
        return product;
      case 'op':
        return this.operate(value, value.args.map(get));
    }
  }

  private operate(value: Extract<Value, { kind: 'op' }>, args: readonly number[]): number {
    const typeOf = (i: number): ScalarType => this.kernel.values[value.args.at(i)!]!.dtype;
    const result = meaningOf(ELEMENTWISE[value.op], typeOf(-1))(...args);
    return convert(value.dtype, result, value.op === 'cast' && typeOf(0) === 'f32');
  }

  read(buffer: number, address: number): number {
    const found = this.memory[buffer]![address];
    if (found === undefined) throw new Error(`${this.kernel.label} reads outside: ${address}`);
    return found;
  }

  /** Evaluates first, writes then: a kernel may read the element that it writes. */
  store(stores: readonly Store[], point: Point): void {
    const known = this.values(
      stores.map((store) => store.value),
      point,
    );
    for (const { to, at, value } of stores) {
      const address = addressOf(at, point.index);
      const cells = this.memory[to]!;
      if (!(address >= 0 && address < cells.length))
        throw new Error(`${this.kernel.label} writes outside: ${address}`);
      cells[address] = known.get(value)!;
    }
  }
}

function runRows(run: Run, kernel: Extract<Kernel, { kind: 'row' }>): void {
  const split = kernel.loop.length - kernel.rowAxes;
  const inner = kernel.loop.slice(split);
  const isElement = ({ at }: Store): boolean => at.strides.slice(split).some((s) => s !== 0);
  const perElement = kernel.stores.filter(isElement);
  const perRow = kernel.stores.filter((store) => !isElement(store));
  for (const outer of points(kernel.loop.slice(0, split))) {
    const accumulators: number[][] = [];
    const point = (column: readonly number[]): Point => {
      return { index: [...outer, ...column], accumulators, product: NaN };
    };
    for (const stage of kernel.stages) {
      const totals = stage.accumulators.map(({ reduce }) => REDUCTIONS[reduce].identity);
      const roots = stage.accumulators.map(({ value }) => value);
      for (const column of points(inner)) {
        const known = run.values(roots, point(column));
        stage.accumulators.forEach(({ reduce, dtype, value }, slot) => {
          totals[slot] = combiner(reduce, dtype)(totals[slot]!, known.get(value)!);
        });
      }
      accumulators.push(totals);
    }
    for (const column of points(inner)) run.store(perElement, point(column));
    run.store(perRow, point(inner.map(() => 0)));
  }
}

function runMatmul(run: Run, kernel: Extract<Kernel, { kind: 'matmul' }>): void {
  const { a, b, inner } = kernel;
  for (const index of points(kernel.loop)) {
    const batch = index.slice(0, -2);
    const start = ({ offset, batch: strides }: Operand): number =>
      addressOf({ offset, strides }, batch);
    const atA = start(a) + index.at(-2)! * a.row;
    const atB = start(b) + index.at(-1)! * b.column;
    let product = 0;
    for (let k = 0; k < inner; k++)
      product += run.read(a.from, atA + k * a.column) * run.read(b.from, atB + k * b.row);
    run.store(kernel.stores, { index, accumulators: [], product });
  }
}

function runScatter(
  { rows, width, count, keep }: Extract<Kernel, { kind: 'scatter' }>,
  memory: readonly Cells[],
): void {
  const [index, updates, out] = memory as readonly [Cells, Cells, Cells];
  out.fill(0, 0, rows * width);
  for (let n = 0; n < count; n++) {
    const row = index[n]!;
    if (row < 0 || row >= rows) continue;
    for (let c = 0; c < width; c++) {
      const before = keep === 'sum' ? out[row * width + c]! : 0;
      out[row * width + c] = before + updates[n * width + c]!;
    }
  }
}

/** Inserts each element before the first that belongs after it. */
function runSort(
  { rows, length, descending }: Extract<Kernel, { kind: 'sort' }>,
  memory: readonly Cells[],
): void {
  const [keys, out] = memory as readonly [Cells, Cells];
  const before = (a: number, b: number): boolean => {
    const [x, y] = descending ? [b, a] : [a, b];
    return Number.isNaN(y) ? !Number.isNaN(x) : x < y;
  };
  for (let start = 0; start < rows * length; start += length) {
    const row: number[] = [];
    for (let i = 0; i < length; i++) {
      const at = row.findIndex((j) => before(keys[start + i]!, keys[start + j]!));
      row.splice(at < 0 ? row.length : at, 0, i);
    }
    row.forEach((index, k) => (out[start + k] = index));
  }
}

/** Runs a kernel in place over the contents of its buffers, in the order of `kernel.buffers`. */
export function interpret(kernel: Kernel, memory: readonly Cells[], scalars: Scalars): void {
  const run = new Run(kernel, memory, scalars);
  if (kernel.kind === 'scatter') return runScatter(kernel, memory);
  if (kernel.kind === 'sort') return runSort(kernel, memory);
  if (kernel.kind === 'row') return runRows(run, kernel);
  if (kernel.kind === 'matmul') return runMatmul(run, kernel);
  for (const index of points(kernel.loop))
    run.store(kernel.stores, { index, accumulators: [], product: NaN });
}
