/** @file Sort kernels against the oracle, in the variants for software adapters and for GPUs. */
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import type { SortKernel } from '../../src/schedule/kernel.ts';
import { buffersOf, check, numbers, open } from './harness.ts';

function sort(dtype: string, rows: number, length: number, descending: boolean): SortKernel {
  return {
    kind: 'sort',
    label: 'sort',
    buffers: buffersOf(`${dtype} w:i32`),
    values: [],
    stores: [],
    loop: [rows, length],
    rows,
    length,
    descending,
  };
}

describe.each(['cpu', 'gpu'] as const)('sort kernels for %s', (kind) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open(kind);
  });
  afterAll(() => backend.dispose());

  // Alone and in company, in workgroup memory and (2500) in the output.
  test.each([
    [3, 1],
    [1, 2],
    [1, 3],
    [70, 5],
    [3, 33],
    [5, 64],
    [2, 130],
    [1, 2500],
    [4, 300],
  ])('%i rows of %i', async (rows, length) => {
    const small = numbers(rows * length, length, 20).map(Math.round);
    const special = small.map((x) => (x === 19 ? NaN : x === -19 ? -Infinity : x));
    const out = small.map(() => -1);
    await check(backend, sort('f32', rows, length, false), [special, out], 0);
    await check(backend, sort('f32', rows, length, true), [special, out], 0);
    if (length > 64) return;
    await check(backend, sort('i32', rows, length, true), [small, out], 0);
    await check(backend, sort('u32', rows, length, false), [small.map(Math.abs), out], 0);
  });
});
