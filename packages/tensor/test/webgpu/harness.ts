/**
 * @file Opens the software adapter of the tests (SwiftShader, or what `CAMADA_WEBGPU_ADAPTER` names) once a test file and runs single kernels on it, beside the oracle.
 */
import { expect } from 'vitest';
import type { Backend, DeviceBuffer } from '../../src/backend/backend.ts';
import { chooseAdapter, findAdapter, requestDevice } from '../../src/backend/webgpu/adapter.ts';
import { WebGPUBackend } from '../../src/backend/webgpu/backend.ts';
import {
  fromBf16,
  fromF16,
  hostArray,
  toBf16,
  toF16,
  type DType,
  type TypedArray,
} from '../../src/dtype.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { Kernel, KernelBuffer, Value } from '../../src/schedule/kernel.ts';
import type { Plan, PlanBuffer } from '../../src/schedule/plan.ts';
import { contiguousStrides } from '../../src/shape.ts';
import { interpret, scalarWords } from '../kernel-interpreter.ts';

/** Facts that make the writer take the variants for real GPUs. */
const GPU = {
  cpu: false,
  maxWorkgroups: 65535,
  maxInvocations: 256,
  workgroupBytes: 16384,
} as const;

/** A device that runs the variants for software adapters, or those for GPUs. */
export async function open(kind: 'cpu' | 'gpu' = 'cpu'): Promise<WebGPUBackend> {
  const device = await requestDevice(await findAdapter(chooseAdapter(undefined)), 'adapter');
  return new WebGPUBackend(device, kind === 'cpu' ? {} : GPU);
}

const EMPTY: Graph = { nodes: [], outputs: [], inputs: [], scalars: [] };

/** A plan of these kernels over input buffers of these sizes. */
export function planOf(kernels: readonly Kernel[], buffers: readonly PlanBuffer[]): Plan {
  return { graph: EMPTY, kernels, buffers, outputs: [], scratchBytes: 0 };
}

/** Numbers as device elements. */
export function encode(dtype: DType, numbers: readonly number[]): TypedArray {
  const out = hostArray(dtype, numbers.length);
  if (dtype === 'f16') out.set(numbers.map(toF16));
  else if (dtype === 'bf16') out.set(numbers.map(toBf16));
  else out.set(numbers);
  return out;
}

/** Device elements as numbers. */
export function decode(dtype: DType, data: TypedArray): number[] {
  if (dtype === 'f16') return Array.from(data, fromF16);
  return dtype === 'bf16' ? Array.from(data, fromBf16) : Array.from(data);
}

/** Runs a kernel over `memory` (its buffers' contents before) and returns their contents after. */
export async function runKernel(
  backend: Backend,
  kernel: Kernel,
  memory: readonly (readonly number[])[],
  scalars = new Uint32Array(4),
): Promise<number[][]> {
  const buffers = kernel.buffers.map(({ dtype }, index): PlanBuffer => ({
    role: 'input',
    index,
    size: memory[index]!.length,
    dtype,
  }));
  const bindings: DeviceBuffer[] = kernel.buffers.map(({ dtype }, i) => {
    const buffer = backend.allocate(memory[i]!.length, dtype);
    void backend.write(buffer, encode(dtype, memory[i]!));
    return buffer;
  });
  const program = backend.compile(planOf([kernel], buffers));
  void backend.run(program, bindings, scalars);
  const results: number[][] = [];
  for (const buffer of bindings) results.push(decode(buffer.dtype, await backend.read(buffer)));
  bindings.forEach((buffer) => backend.free(buffer));
  program.dispose();
  return results;
}

/** Runs a kernel on the device and in the oracle and compares every buffer; returns the device's. */
export async function check(
  backend: Backend,
  kernel: Kernel,
  memory: readonly (readonly number[])[],
  tolerance = 1e-5,
  scalars = new Uint32Array(4),
): Promise<number[][]> {
  const expected = kernel.buffers.map(({ dtype }, i) => decode(dtype, encode(dtype, memory[i]!)));
  interpret(kernel, expected, scalarWords(scalars));
  const actual = await runKernel(backend, kernel, memory, scalars);
  kernel.buffers.forEach(({ dtype }, i) => {
    const half = dtype === 'f16' ? 1e-3 : dtype === 'bf16' ? 8e-3 : 0;
    expectClose(actual[i]!, expected[i]!, tolerance + half, `${kernel.label} buffer ${i}`);
  });
  return actual;
}

/** Fails unless every |actual − expected| ≤ tolerance · (1 + |expected|), with equal infinities and NaNs. */
export function expectClose(
  actual: readonly number[],
  expected: readonly number[],
  tolerance: number,
  label = '',
): void {
  expect(actual.length, label).toBe(expected.length);
  const wrong = expected.findIndex((x, i) => !close(actual[i]!, x, tolerance));
  if (wrong >= 0) expect.fail(`${label}[${wrong}]: ${actual[wrong]}, expected ${expected[wrong]}`);
}

function close(actual: number, expected: number, tolerance: number): boolean {
  if (Number.isNaN(expected)) return Number.isNaN(actual);
  if (!Number.isFinite(expected)) return actual === expected;
  return Math.abs(actual - expected) <= tolerance * (1 + Math.abs(expected));
}

/** A kernel's buffers: dtypes, with `w` written and `x` both, as in `f32 w:f16 x:f32`. */
export function buffersOf(text: string): KernelBuffer[] {
  return text.split(' ').map((part, id) => {
    const [flag, type] = part.includes(':') ? part.split(':') : ['', part];
    const access = flag === 'w' ? 'write' : flag === 'x' ? 'read_write' : 'read';
    return { id, dtype: type as DType, access };
  });
}

/** A plain load with row-major strides over `loop`, or with the given ones. */
export function load(
  from: number,
  strides: readonly number[],
  offset = 0,
  dtype: 'f32' | 'i32' | 'u32' | 'bool' = 'f32',
): Value {
  return { kind: 'load', dtype, from, at: { offset, strides } };
}

/** Row-major strides. */
export const dense = contiguousStrides;

/** `count` numbers in (−range, range), the same for every seed. */
export function numbers(count: number, seed: number, range = 2): number[] {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround((state / 2 ** 31 - 1) * range);
  });
}
