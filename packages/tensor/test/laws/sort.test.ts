/** @file Sorting against JavaScript's stable sort: duplicates, NaN, infinities, and rows of all lengths. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { realize, tensor } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { DEVICES, compute, on, type HostInput } from './devices.ts';
import { below, runs, seeds, sequence } from './generate.ts';

const EVERY = [...DEVICES, 'reference'] as const;

/** Lengths around every border: insertion, powers of two, workgroup memory. */
const LENGTHS = [1, 2, 3, 4, 5, 31, 32, 33, 48, 49, 64, 100, 257, 1000, 2048, 2049, 5000];

const SPECIAL = [NaN, Infinity, -Infinity, 0, -0, 1e-40, -1e-40, 3e38];

type Type = 'f32' | 'i32' | 'u32';

/** Rows with many equal elements and every special value of the type. */
function rowsOf(rows: number, length: number, seed: number, dtype: Type): HostInput {
  const next = sequence(seed);
  const draw: Record<Type, () => number> = {
    f32: () =>
      next() < 0.1 ? SPECIAL[below(next, 8)]! : below(next, 40) - 20 + below(next, 2) / 4,
    i32: () => (next() < 0.1 ? [-(2 ** 31), 2 ** 31 - 1][below(next, 2)]! : below(next, 40) - 20),
    u32: () => (next() < 0.1 ? 2 ** 32 - 1 - below(next, 3) : below(next, 40)),
  };
  const arrays = { f32: Float32Array, i32: Int32Array, u32: Uint32Array };
  const data = new arrays[dtype](Array.from({ length: rows * length }, draw[dtype]));
  return { data, shape: [rows, length], dtype };
}

/** NaN after everything; subnormals may count as 0, as a device may flush them. */
function before(a: number, b: number): number {
  const rank = (x: number): number => (Number.isNaN(x) ? Infinity : x);
  if (Number.isNaN(a) !== Number.isNaN(b)) return Number.isNaN(a) ? 1 : -1;
  return rank(a) < rank(b) ? -1 : Number(rank(a) > rank(b));
}

function expected({ data, shape }: HostInput, descending: boolean): number[] {
  const n = shape[1]!;
  return Array.from({ length: shape[0]! }, (_, row) => {
    const indices = Array.from({ length: n }, (__, i) => i);
    const at = (i: number): number => data[row * n + i]!;
    return indices.sort((i, j) => (descending ? before(at(j), at(i)) : before(at(i), at(j))));
  }).flat();
}

const drawn = fc.record({
  rows: fc.integer({ min: 1, max: 9 }),
  length: fc.constantFrom(...LENGTHS),
  seed: seeds,
  dtype: fc.constantFrom<Type[]>('f32', 'i32', 'u32'),
  descending: fc.boolean(),
});

describe.each(EVERY)('sorting on %s', (device) => {
  test('rows of all lengths, stably, NaN last', async () => {
    const law = fc.asyncProperty(drawn, async ({ rows, length, seed, dtype, descending }) => {
      const input = rowsOf(rows, length, seed, dtype);
      const [got] = await compute(device, ([x]) => x!.argsort(-1, descending), [input]);
      expect([...got!.data]).toEqual(expected(input, descending));
    });
    await fc.assert(law, runs(device === 'webgpu' ? 25 : 60));
  });

  test.each([2048, 2049, 5000])('one row of %i', async (length) => {
    const input = rowsOf(1, length, length, 'f32');
    const [got] = await compute(device, ([x]) => x!.argsort(), [input]);
    expect([...got!.data]).toEqual(expected(input, false));
  });

  test('rows without elements, of one element, and along other axes', async () => {
    const shapes = [
      [3, 0],
      [0, 5],
      [4, 1],
      [0, 0],
    ];
    for (const shape of shapes) {
      const data = new Float32Array(shape[0]! * shape[1]!).fill(2);
      const law = ([x]: Tensor[]): Tensor[] => [...x!.sort(), ...x!.topk(0), ...x!.sort(0)];
      const results = await compute(device, law, [{ data, shape, dtype: 'f32' }]);
      expect(results.map((r) => r.shape)).toEqual([
        shape,
        shape,
        [shape[0], 0],
        [shape[0], 0],
        shape,
        shape,
      ]);
      for (const i of [0, 4]) expect([...results[i]!.data]).toEqual([...data]);
      expect([...results[1]!.data].every((i) => i === 0)).toBe(true);
    }
  });

  test('values, indices, the largest and quantiles agree on a view', async () => {
    const input = rowsOf(7, 33, 3, 'i32');
    const law = ([x]: Tensor[]): Tensor[] => {
      const view = x!.transpose().slice(0, 4, 29); // [25, 7]
      const [values, indices] = view.sort(0, true);
      return [values, view.takeAlongAxis(indices, 0), values.slice(0, 0, 3), view.topk(3, 0)[0]];
    };
    const [values, taken, head, top] = await compute(device, law, [input]);
    expect([...values!.data]).toEqual([...taken!.data]);
    expect([...head!.data]).toEqual([...top!.data]);
  });

  test('a median and a quantile of a NaN is NaN', async () => {
    const x = { data: Float32Array.of(3, 1, 2, NaN, 4, 5), shape: [2, 3], dtype: 'f32' as const };
    const law = ([y]: Tensor[]): Tensor[] => [y!.median(), y!.quantile(0.75)];
    const [median, quantile] = await compute(device, law, [x]);
    expect([...median!.data]).toEqual([2, NaN]);
    expect([...quantile!.data]).toEqual([2.5, NaN]);
  });
});

test('wasm: a row longer than a thread has memory for', async () => {
  const input = rowsOf(2, 60_000, 5, 'f32');
  const [got] = await compute('wasm', ([x]) => x!.argsort(), [input]);
  expect([...got!.data]).toEqual(expected(input, false));
});

test('wrong numbers are refused', async () => {
  await on('reference');
  const x = tensor([1, 2, 3]);
  expect(() => x.topk(4)).toThrow(/topk: k must be from 0 to the 3 elements/);
  expect(() => x.quantile(1.5)).toThrow(/quantile: q must be from 0 to 1/);
  expect(() => tensor([], [0]).median()).toThrow(/median: no elements/);
  expect(() => x.sum().argsort()).toThrow(/argsort: axis/);
  await realize([x]);
});
