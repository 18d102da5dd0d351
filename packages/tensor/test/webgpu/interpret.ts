/**
 * @file The meaning of a Kernel in straightforward f64 JavaScript: the oracle of the WGSL tests. Memory is
 * plain arrays of numbers, 16-bit storage included.
 */
import type { ReduceName } from '../../src/ops/reduction.ts';
import { ELEMENTWISE, type ElementwiseOp } from '../../src/ops/elementwise.ts';
import type { Affine, Kernel, MatmulKernel, RowKernel, Value } from '../../src/schedule/kernel.ts';

/** What the values of one point may see. */
interface Point {
  readonly kernel: Kernel;
  readonly memory: number[][];
  readonly scalars: Uint32Array;
  readonly at: readonly number[];
  readonly accumulators: number[][];
  readonly product: number;
}

/** Runs a kernel over `memory`, in place. */
export function interpret(kernel: Kernel, memory: number[][], scalars: Uint32Array): void {
  if (kernel.kind === 'scatter') return scatter(kernel, memory);
  if (kernel.kind === 'row') return rows(kernel, memory, scalars);
  for (const at of points(kernel.loop)) {
    const product = kernel.kind === 'matmul' ? dot(kernel, memory, at) : 0;
    storeAll(kernel, { kernel, memory, scalars, at, accumulators: [], product });
  }
}

/** Philox4x32-10 with 64-bit integers; the first output word as a float in [0, 1). */
export function philox(counter: number, k0: number, k1: number): number {
  let c = [BigInt(counter >>> 0), 0n, 0n, 0n];
  let k = [BigInt(k0 >>> 0), BigInt(k1 >>> 0)];
  const mask = 0xffffffffn;
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c[0]!;
    const p1 = 0xcd9e8d57n * c[2]!;
    c = [(p1 >> 32n) ^ c[1]! ^ k[0]!, p1 & mask, (p0 >> 32n) ^ c[3]! ^ k[1]!, p0 & mask];
    k = [(k[0]! + 0x9e3779b9n) & mask, (k[1]! + 0xbb67ae85n) & mask];
  }
  return Number(c[0]! >> 8n) * 2 ** -24;
}

function* points(loop: readonly number[]): Generator<number[]> {
  const total = loop.reduce((a, b) => a * b, 1);
  for (let t = 0; t < total; t++) {
    const at = new Array<number>(loop.length);
    let rest = t;
    for (let i = loop.length - 1; i >= 0; i--) {
      at[i] = rest % loop[i]!;
      rest = Math.floor(rest / loop[i]!);
    }
    yield at;
  }
}

function address({ offset, strides }: Affine, at: readonly number[]): number {
  return strides.reduce((sum, stride, i) => sum + stride * (at[i] ?? 0), offset);
}

function evaluate(point: Point, id: number): number {
  const value = point.kernel.values[id]!;
  const of = (other: number): number => evaluate(point, other);
  if ('guard' in value && value.guard !== undefined && !of(value.guard)) return 12345;
  switch (value.kind) {
    case 'constant':
      return value.dtype === 'f32' ? Math.fround(value.value) : value.value;
    case 'scalar':
      return scalar(point.scalars, value);
    case 'index':
      return address(value.at, point.at);
    case 'load':
      return read(point.memory[value.from]!, address(value.at, point.at));
    case 'gather': {
      const row = Math.min(Math.max(of(value.index), 0), value.rows - 1);
      return read(point.memory[value.from]!, address(value.at, point.at) + row * value.stride);
    }
    case 'random':
      return philox(address(value.counter, point.at), of(value.key[0]), of(value.key[1]));
    case 'accumulator':
      return point.accumulators[value.stage]![value.slot]!;
    case 'product':
      return point.product;
    case 'op':
      return operate(value, value.args.map(of));
  }
}

function read(memory: readonly number[], at: number): number {
  const found = memory[at];
  if (found === undefined) throw new Error(`address ${at} outside ${memory.length} elements`);
  return found;
}

function scalar(words: Uint32Array, value: Extract<Value, { kind: 'scalar' }>): number {
  const word = words.slice(value.slot, value.slot + 1);
  if (value.dtype === 'f32') return new Float32Array(word.buffer)[0]!;
  return value.dtype === 'i32' ? new Int32Array(word.buffer)[0]! : word[0]!;
}

function operate(value: Extract<Value, { kind: 'op' }>, args: number[]): number {
  const op: ElementwiseOp = ELEMENTWISE[value.op];
  const result = op.reference(...args);
  if (value.op !== 'cast' || value.dtype === 'f32') return result;
  return value.dtype === 'bool' ? Number(result !== 0) : Math.trunc(result);
}

function storeAll(kernel: Kernel, point: Point): void {
  for (const store of kernel.stores)
    point.memory[store.to]![address(store.at, point.at)] = evaluate(point, store.value);
}

function dot({ a, b, inner }: MatmulKernel, memory: number[][], at: readonly number[]): number {
  const [m, n] = [at.at(-2)!, at.at(-1)!];
  const base = (operand: typeof a): number =>
    address({ offset: operand.offset, strides: operand.batch }, at);
  let sum = 0;
  for (let k = 0; k < inner; k++)
    sum +=
      read(memory[a.from]!, base(a) + m * a.row + k * a.column) *
      read(memory[b.from]!, base(b) + k * b.row + n * b.column);
  return sum;
}

const START: Record<ReduceName, number> = { sum: 0, max: -Infinity, min: Infinity };
const FOLD: Record<ReduceName, (a: number, b: number) => number> = {
  sum: (a, b) => a + b,
  max: Math.max,
  min: Math.min,
};

function rows(kernel: RowKernel, memory: number[][], scalars: Uint32Array): void {
  const outer = kernel.loop.slice(0, kernel.loop.length - kernel.rowAxes);
  const inner = kernel.loop.slice(outer.length);
  const moves = (at: Affine): boolean => at.strides.slice(outer.length).some((s) => s !== 0);
  for (const row of points(outer)) {
    const accumulators: number[][] = [];
    const point = (element: readonly number[]): Point => {
      return { kernel, memory, scalars, at: [...row, ...element], accumulators, product: 0 };
    };
    for (const stage of kernel.stages) {
      const sums = stage.accumulators.map(({ reduce }) => START[reduce]);
      for (const element of points(inner))
        stage.accumulators.forEach(({ reduce, value }, slot) => {
          sums[slot] = FOLD[reduce](sums[slot]!, evaluate(point(element), value));
        });
      accumulators.push(sums);
    }
    const once = kernel.stores.filter(({ at }) => !moves(at));
    if (inner.includes(0)) storeAll({ ...kernel, stores: once }, point(inner.map(() => 0)));
    for (const element of points(inner)) {
      const first = element.every((x) => x === 0);
      const stores = kernel.stores.filter(({ at }) => moves(at) || first);
      storeAll({ ...kernel, stores }, point(element));
    }
  }
}

function scatter(kernel: Extract<Kernel, { kind: 'scatter' }>, memory: number[][]): void {
  const [index, updates, out] = memory as [number[], number[], number[]];
  out.fill(0);
  for (let n = 0; n < kernel.count; n++) {
    const row = index[n]!;
    if (row < 0 || row >= kernel.rows) continue;
    for (let c = 0; c < kernel.width; c++)
      out[row * kernel.width + c]! += updates[n * kernel.width + c]!;
  }
}
