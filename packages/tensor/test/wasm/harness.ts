/**
 * @file Runs kernels on the wasm back end and interprets the same kernels in plain f64 JavaScript, point by
 * point. The interpreter follows the comments of schedule/kernel.ts and shares no code with the back end.
 */
import { ELEMENTWISE } from '../../src/ops/elementwise.ts';
import { fromBf16, fromF16, hostArray, type DType, type TypedArray } from '../../src/dtype.ts';
import type { Affine, Kernel, Value, ValueId } from '../../src/schedule/kernel.ts';
import type { Plan } from '../../src/schedule/plan.ts';
import type { Backend } from '../../src/backend/backend.ts';

/** Host elements with their type. */
export interface HostBuffer {
  readonly dtype: DType;
  readonly data: TypedArray;
}

/** A buffer of zeros, or of `f(i)`; 16-bit patterns are given as patterns. */
export function host(dtype: DType, size: number, f: (i: number) => number = () => 0): HostBuffer {
  const data = hostArray(dtype, size);
  for (let i = 0; i < size; i++) data[i] = f(i);
  return { dtype, data };
}

/** A plan of one kernel, or several, all of whose buffers the caller binds. */
export function planOf(
  kernels: readonly Kernel[],
  buffers: readonly HostBuffer[],
  scalars = 0,
): Plan {
  return {
    graph: {
      nodes: [],
      outputs: [],
      inputs: [],
      scalars: new Array<never>(scalars).fill(undefined as never),
    },
    kernels,
    buffers: buffers.map(({ dtype, data }, index) => ({
      role: 'input' as const,
      index,
      size: data.length,
      dtype,
    })),
    outputs: [],
    scratchBytes: 0,
  };
}

/** Runs kernels and returns the contents of all buffers. */
export async function runWasm(
  backend: Backend,
  kernels: readonly Kernel[],
  buffers: readonly HostBuffer[],
  scalars: Uint32Array = new Uint32Array(0),
): Promise<TypedArray[]> {
  const bound = buffers.map(({ dtype, data }) => {
    const buffer = backend.allocate(data.length, dtype);
    backend.write(buffer, data);
    return buffer;
  });
  const program = backend.compile(planOf(kernels, buffers, scalars.length));
  backend.run(program, bound, scalars);
  const results = [];
  for (const buffer of bound) results.push(await backend.read(buffer));
  program.dispose();
  for (const buffer of bound) backend.free(buffer);
  return results;
}

type State = {
  readonly kernel: Kernel;
  readonly memory: readonly TypedArray[];
  readonly scalars: Uint32Array;
  readonly finished: Map<string, number>;
};

function at({ offset, strides }: Affine, point: readonly number[]): number {
  return strides.reduce((sum, stride, axis) => sum + stride * point[axis]!, offset);
}

function element(s: State, from: number, index: number): number {
  const dtype = s.kernel.buffers[from]!.dtype;
  const data = s.memory[from]!;
  if (index < 0 || index >= data.length) throw new Error(`reference reads outside: ${index}`);
  const bits = data[index]!;
  if (dtype === 'f16') return fromF16(bits);
  return dtype === 'bf16' ? fromBf16(bits) : bits;
}

/** First word of Philox4x32-10, with 64-bit integers: slow and plain. */
export function philox(counter: number, key0: number, key1: number): number {
  let c = [BigInt(counter >>> 0), 0n, 0n, 0n] as [bigint, bigint, bigint, bigint];
  let k = [BigInt(key0 >>> 0), BigInt(key1 >>> 0)] as [bigint, bigint];
  const low = (x: bigint): bigint => x & 0xffffffffn;
  for (let round = 0; round < 10; round++) {
    const p = 0xd2511f53n * c[0];
    const q = 0xcd9e8d57n * c[2];
    c = [(q >> 32n) ^ c[1] ^ k[0], low(q), (p >> 32n) ^ c[3] ^ k[1], low(p)];
    k = [low(k[0] + 0x9e3779b9n), low(k[1] + 0xbb67ae85n)];
  }
  return Number(c[0]);
}

const words = new DataView(new ArrayBuffer(4));

function castTo(dtype: string, x: number): number {
  if (dtype === 'bool') return Number(x !== 0);
  if (dtype === 'i32') return Math.trunc(x) | 0;
  return dtype === 'u32' ? Math.trunc(x) >>> 0 : x;
}

function evaluate(
  s: State,
  id: ValueId,
  point: readonly number[],
  seen: Map<ValueId, number>,
): number {
  const known = seen.get(id);
  if (known !== undefined) return known;
  const result = compute(s, s.kernel.values[id]!, point, (other) =>
    evaluate(s, other, point, seen),
  );
  seen.set(id, result);
  return result;
}

function scalarWord(s: State, value: Value & { kind: 'scalar' }): number {
  words.setUint32(0, s.scalars[value.slot]!);
  if (value.dtype === 'f32') return words.getFloat32(0);
  return value.dtype === 'i32' ? words.getInt32(0) : words.getUint32(0);
}

function compute(
  s: State,
  value: Value,
  point: readonly number[],
  get: (id: ValueId) => number,
): number {
  switch (value.kind) {
    case 'constant':
      return value.value;
    case 'scalar':
      return scalarWord(s, value);
    case 'index':
      return at(value.at, point);
    case 'load':
      if (value.guard !== undefined && !get(value.guard)) return 12345;
      return element(s, value.from, at(value.at, point));
    case 'gather': {
      if (value.guard !== undefined && !get(value.guard)) return 12345;
      const row = Math.min(Math.max(get(value.index), 0), value.rows - 1);
      return element(s, value.from, at(value.at, point) + row * value.stride);
    }
    case 'random':
      return (
        (philox(at(value.counter, point), get(value.key[0]), get(value.key[1])) >>> 8) * 2 ** -24
      );
    case 'accumulator':
      return s.finished.get(`${value.stage}.${value.slot}`)!;
    case 'product':
      return product(s, point);
    case 'op': {
      const args = value.args.map(get);
      // A negative float becomes u32 0: the conversion saturates, as in WGSL.
      const saturates = value.dtype === 'u32' && s.kernel.values[value.args[0]!]!.dtype === 'f32';
      if (value.op === 'cast')
        return castTo(value.dtype, saturates ? Math.max(0, args[0]!) : args[0]!);
      const op: (...x: number[]) => number = ELEMENTWISE[value.op].reference;
      const result = op(...args);
      return value.dtype === 'i32' || value.dtype === 'u32' ? castTo(value.dtype, result) : result;
    }
  }
}

function product(s: State, point: readonly number[]): number {
  const { kernel } = s;
  if (kernel.kind !== 'matmul') throw new Error('product outside a matmul');
  const batch = point.slice(0, -2);
  const [m, n] = point.slice(-2) as [number, number];
  const start = (operand: typeof kernel.a): number =>
    operand.batch.reduce((sum, stride, axis) => sum + stride * batch[axis]!, operand.offset);
  let sum = 0;
  for (let k = 0; k < kernel.inner; k++) {
    const x = element(s, kernel.a.from, start(kernel.a) + m * kernel.a.row + k * kernel.a.column);
    const y = element(s, kernel.b.from, start(kernel.b) + k * kernel.b.row + n * kernel.b.column);
    sum += x * y;
  }
  return sum;
}

function* points(sizes: readonly number[]): Generator<number[]> {
  const total = sizes.reduce((a, b) => a * b, 1);
  for (let i = 0; i < total; i++) {
    let rest = i;
    const point = new Array<number>(sizes.length);
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      point[axis] = rest % sizes[axis]!;
      rest = Math.floor(rest / sizes[axis]!);
    }
    yield point;
  }
}

const START = { sum: 0, max: -Infinity, min: Infinity };

function reduceRow(s: State, outer: readonly number[]): void {
  const { kernel } = s;
  if (kernel.kind !== 'row') return;
  const row = kernel.loop.slice(kernel.loop.length - kernel.rowAxes);
  kernel.stages.forEach((stage, number) => {
    const totals = stage.accumulators.map(({ reduce }) => START[reduce]);
    for (const inner of points(row)) {
      const seen = new Map<ValueId, number>();
      stage.accumulators.forEach(({ reduce, value }, slot) => {
        const x = evaluate(s, value, [...outer, ...inner], seen);
        const total = totals[slot]!;
        if (reduce === 'sum') totals[slot] = total + x;
        else totals[slot] = reduce === 'max' ? Math.max(total, x) : Math.min(total, x);
      });
    }
    totals.forEach((total, slot) => s.finished.set(`${number}.${slot}`, total));
  });
}

/** The results as f64, 16-bit buffers as values: one array a buffer. */
export function reference(
  kernel: Kernel,
  buffers: readonly HostBuffer[],
  scalars: Uint32Array = new Uint32Array(0),
): Float64Array[] {
  const memory = buffers.map(({ data }) => data);
  const results = buffers.map(({ data }) => Float64Array.from(data));
  const s: State = { kernel, memory, scalars, finished: new Map() };
  if (kernel.kind === 'scatter') return scatterReference(kernel, memory, results);
  const rowAxes = kernel.kind === 'row' ? kernel.rowAxes : 0;
  const split = kernel.loop.length - rowAxes;
  for (const outer of points(kernel.loop.slice(0, split))) {
    reduceRow(s, outer);
    for (const inner of points(kernel.loop.slice(split))) {
      const point = [...outer, ...inner];
      const seen = new Map<ValueId, number>();
      for (const store of kernel.stores)
        results[store.to]![at(store.at, point)] = evaluate(s, store.value, point, seen);
    }
  }
  return results;
}

function scatterReference(
  kernel: Kernel & { kind: 'scatter' },
  memory: readonly TypedArray[],
  results: Float64Array[],
): Float64Array[] {
  const out = results[2]!.fill(0);
  for (let n = 0; n < kernel.count; n++) {
    const row = memory[0]![n]!;
    if (row < 0 || row >= kernel.rows) continue;
    for (let c = 0; c < kernel.width; c++)
      out[row * kernel.width + c]! += memory[1]![n * kernel.width + c]!;
  }
  return results;
}

/** Largest error relative to 1 + |expected|; equal infinities and NaN where NaN is expected count 0. */
export function worstError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const [x, y] = [actual[i]!, expected[i]!];
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    const error = Math.abs(x - y) / (1 + Math.abs(y));
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
  }
  return worst;
}

/** A small generator of numbers in [−1, 1), the same every time. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 31 - 1;
  };
}

/** Contiguous address over `loop`. */
export function dense(loop: readonly number[]): Affine {
  const strides = new Array<number>(loop.length).fill(1);
  for (let i = loop.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * loop[i + 1]!;
  return { offset: 0, strides };
}
