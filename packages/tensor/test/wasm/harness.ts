/** @file Runs kernels on the wasm back end, beside the interpreter. */
import { fromBf16, fromF16, hostArray, type DType, type TypedArray } from '../../src/dtype.ts';
import type { Affine, Kernel } from '../../src/schedule/kernel.ts';
import type { Plan } from '../../src/schedule/plan.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { interpret, scalarWords } from '../kernel-interpreter.ts';

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
    void backend.write(buffer, data);
    return buffer;
  });
  const program = backend.compile(planOf(kernels, buffers, scalars.length));
  void backend.run(program, bound, scalars);
  const results = [];
  for (const buffer of bound) results.push(await backend.read(buffer));
  program.dispose();
  for (const buffer of bound) backend.free(buffer);
  return results;
}

/** What the interpreter makes of the buffers: one array a buffer, 16-bit storage as the values it stands for. */
export function reference(
  kernel: Kernel,
  buffers: readonly HostBuffer[],
  scalars: Uint32Array = new Uint32Array(0),
): Float64Array[] {
  const memory = buffers.map(({ dtype, data }) => Float64Array.from(data, decoderOf(dtype)));
  interpret(kernel, memory, scalarWords(scalars));
  return memory;
}

/** From a stored element to its value. */
export function decoderOf(dtype: DType): (stored: number) => number {
  if (dtype === 'f16') return fromF16;
  return dtype === 'bf16' ? fromBf16 : (x) => x;
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
