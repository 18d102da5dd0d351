/** @file What the tests of this package share: devices, golden files, comparisons. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { tensor, type BackendName, type Shape, type Tensor } from '@camada/tensor';
import { expect } from 'vitest';
import type { WeightEntry } from '@camada/nn';

/** Devices that goldens are checked on. */
export const DEVICES: readonly BackendName[] = ['reference', 'wasm', 'webgpu'];

export { on } from '../../tensor/test/laws/devices.ts';

/** Bytes of a file; a copy, since slices of a Buffer share its memory. */
function bytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}

/** A golden JSON file. The caller says what is in it. */
export function goldenJson<T>(path: string): T {
  return JSON.parse(
    readFileSync(fileURLToPath(new URL(`golden/${path}`, import.meta.url)), 'utf8'),
  ) as T;
}

interface Header {
  readonly dtype: 'F32' | 'I32' | 'I64';
  readonly shape: Shape;
  readonly data_offsets: readonly [number, number];
}

/** Arrays by name; fits `WeightFile`. */
export interface GoldenTensors {
  readonly names: readonly string[];
  readonly read: (name: string) => WeightEntry;
}

/** A golden safetensors file. */
export function goldenTensors(path: string): GoldenTensors {
  return safetensors(fileURLToPath(new URL(`golden/${path}`, import.meta.url)));
}

/** A safetensors file that is trusted: no checks; the real reader is in @camada/hub. */
export function safetensors(path: string): GoldenTensors {
  const file = bytes(path);
  const headerLength = new DataView(file.buffer, file.byteOffset).getUint32(0, true);
  const text = new TextDecoder().decode(file.subarray(8, 8 + headerLength));
  const { __metadata__: _, ...headers } = JSON.parse(text) as Record<string, Header>;
  const read = (name: string): WeightEntry => {
    const {
      dtype,
      shape,
      data_offsets: [start, end],
    } = headers[name]!;
    const raw = file.slice(8 + headerLength + start, 8 + headerLength + end).buffer;
    if (dtype === 'I64') throw new Error('only names of i64 arrays are used');
    return dtype === 'F32'
      ? { dtype: 'f32', shape, data: new Float32Array(raw) }
      : { dtype: 'i32', shape, data: new Int32Array(raw) };
  };
  return { names: Object.keys(headers), read };
}

/** A leaf tensor of a stored array. */
export function leaf({ data, shape, dtype }: WeightEntry): Tensor {
  return tensor(data, shape, dtype);
}

/** Largest |a − b|; NaN anywhere gives NaN. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

/** Largest |a − b| over the largest |b|, the measure of gradients. */
export function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let scale = 0;
  for (let i = 0; i < b.length; i++) scale = Math.max(scale, Math.abs(b[i]!));
  return maxDifference(a, b) / (scale + 1e-12);
}
