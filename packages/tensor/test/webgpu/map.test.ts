/** @file Map kernels against the oracle. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { fromBf16, fromF16, toBf16, toF16 } from '../../src/dtype.ts';
import type { Affine, MapKernel, Value } from '../../src/schedule/kernel.ts';
import { philox } from '../kernel-interpreter.ts';
import { buffersOf, check, dense, load, numbers, open, runKernel } from './harness.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await open();
});
afterAll(() => backend.dispose());

function map(
  buffers: string,
  loop: readonly number[],
  values: readonly Value[],
  to: number,
  at: Affine = { offset: 0, strides: dense(loop) },
): MapKernel {
  const stores = [{ to, at, value: values.length - 1 }];
  return { kind: 'map', label: 'test', buffers: buffersOf(buffers), loop, values, stores };
}

const add = (x: number, y: number): Value => ({
  kind: 'op',
  op: 'add',
  dtype: 'f32',
  args: [x, y],
});

describe('addresses', () => {
  test.each([[1], [4], [7], [64], [1030]])('a contiguous sum of %i elements', async (n) => {
    const kernel = map('f32 f32 w:f32', [n], [load(0, [1]), load(1, [1]), add(0, 1)], 2);
    await check(backend, kernel, [numbers(n, 1), numbers(n, 2), numbers(n, 3)]);
  });

  test('enough elements for several an invocation, divisible by four or not', async () => {
    for (const n of [20000, 20001]) {
      const kernel = map('f32 w:f32', [n], [load(0, [1]), add(0, 0)], 1);
      await check(backend, kernel, [numbers(n, 1), numbers(n, 2)]);
    }
  });

  test('a transpose and a broadcast, stored with an offset', async () => {
    const loop = [3, 4, 8];
    const values = [
      load(0, [1, 3, 12]),
      load(1, [0, 0, 1], 2),
      load(1, [0, 0, 0], 1),
      add(0, 1),
      add(2, 3),
    ];
    const kernel = map('f32 f32 w:f32', loop, values, 2, { offset: 5, strides: [32, 8, 1] });
    await check(backend, kernel, [numbers(96, 1), numbers(12, 2), numbers(110, 3)]);
  });

  test('more than 65535 workgroups fold over two dimensions', async () => {
    const gpu = await open('gpu');
    const n = 64 * 65535 + 130;
    const kernel = map(
      'w:f32',
      [n],
      [
        { kind: 'index', dtype: 'i32', at: { offset: 1, strides: [1] } },
        { kind: 'op', op: 'cast', dtype: 'f32', args: [0] },
        { kind: 'op', op: 'mul', dtype: 'f32', args: [1, 1] },
      ],
      0,
      { offset: 1, strides: [1] },
    );
    const [out] = await runKernel(gpu, kernel, [new Array<number>(n + 1).fill(0)]);
    for (const i of [0, 1, 77, 64 * 65535 - 1, 64 * 65535, n - 1])
      expect(out![i + 1]).toBe(Math.fround((i + 1) * (i + 1)));
    gpu.dispose();
  }, 30000);

  test('index values', async () => {
    const values: Value[] = [
      { kind: 'index', dtype: 'i32', at: { offset: -7, strides: [100, -3] } },
    ];
    await check(backend, map('w:i32', [3, 8], values, 0), [numbers(24, 1)], 0);
  });
});

describe('guards and gathers', () => {
  test('a guarded load never reads outside', async () => {
    const values: Value[] = [
      { kind: 'index', dtype: 'i32', at: { offset: -2, strides: [1] } },
      { kind: 'constant', dtype: 'i32', value: 0 },
      { kind: 'constant', dtype: 'i32', value: 5 },
      { kind: 'op', op: 'le', dtype: 'bool', args: [1, 0] },
      { kind: 'op', op: 'lt', dtype: 'bool', args: [0, 2] },
      { kind: 'op', op: 'and', dtype: 'bool', args: [3, 4] },
      { kind: 'load', dtype: 'f32', from: 0, at: { offset: -2, strides: [1] }, guard: 5 },
      { kind: 'constant', dtype: 'f32', value: -1.5 },
      { kind: 'op', op: 'where', dtype: 'f32', args: [5, 6, 7] },
    ];
    const [, out] = await check(backend, map('f32 w:f32', [8], values, 1), [
      [1, 2, 3, 4, 5],
      numbers(8, 1),
    ]);
    expect(out).toEqual([-1.5, -1.5, 1, 2, 3, 4, 5, -1.5]);
  });

  test.each([[6], [8]])('a gather of rows of %i, indices clamped', async (width) => {
    const values: Value[] = [
      load(1, [1, 0], 0, 'i32'),
      {
        kind: 'gather',
        dtype: 'f32',
        from: 0,
        at: { offset: 0, strides: [0, 1] },
        index: 0,
        stride: width,
        rows: 5,
      },
    ];
    const kernel = map('f32 i32 w:f32', [4, width], values, 2);
    await check(backend, kernel, [numbers(5 * width, 1), [3, -4, 99, 0], numbers(4 * width, 2)]);
  });
});

describe('storage types', () => {
  test.each(['f16', 'bf16'] as const)(
    '%s is read at odd offsets and written by halves',
    async (type) => {
      const n = 13;
      const values = [load(0, [1], 3), load(0, [2], 1), add(0, 1)];
      const kernel = map(`${type} w:${type}`, [n], values, 1, { offset: 1, strides: [1] });
      const out = await check(backend, kernel, [numbers(40, 1), numbers(n + 3, 2)]);
      expect(out[1]).toHaveLength(n + 3);
    },
  );

  test.each(['f16', 'bf16'] as const)('%s is read and written by four', async (type) => {
    const kernel = map(`${type} w:${type}`, [16], [load(0, [1]), add(0, 0)], 1);
    await check(backend, kernel, [numbers(16, 1), numbers(16, 2)]);
  });

  test('f16 rounds to even, overflows to infinity and keeps subnormals', async () => {
    const subnormal = [2 ** -24, 3 * 2 ** -26, 2 ** -25, 2 ** -15];
    const normal = [1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519.9, 65520, -1e9, -0.1, 0, 65504];
    const inputs = [...subnormal, ...normal];
    const memory = [inputs, inputs];
    const kernel = map('f32 w:f16', [12], [load(0, [1])], 1);
    const [, out] = await runKernel(backend, kernel, memory);
    expect(out).toEqual(inputs.map((x) => fromF16(toF16(x))));
  });

  test('bf16 rounds to even', async () => {
    const inputs = [1 + 2 ** -8, 1 + 3 * 2 ** -8, -3.3e38, 3.4e38, 1e-40, 0.1, -0.1, 7];
    const [, out] = await runKernel(backend, map('f32 w:bf16', [8], [load(0, [1])], 1), [
      inputs,
      inputs,
    ]);
    expect(out).toEqual(inputs.map((x) => fromBf16(toBf16(Math.fround(x)))));
  });

  test('every finite f16 is read exactly', async () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i).filter(
      (i) => (i & 0x7c00) !== 0x7c00,
    );
    const all = Array.from(patterns, fromF16);
    const kernel = map('f16 w:f32', [all.length], [load(0, [1])], 1);
    const [, out] = await runKernel(backend, kernel, [all, all]);
    expect(out).toEqual(all);
  });

  test('bools are words of 0 and 1', async () => {
    const values: Value[] = [
      load(0, [1], 0, 'bool'),
      { kind: 'op', op: 'not', dtype: 'bool', args: [0] },
    ];
    await check(
      backend,
      map('bool w:bool', [8], values, 1),
      [[0, 1, 1, 0, 1, 0, 0, 1], numbers(8, 1)],
      0,
    );
    await check(
      backend,
      map('bool w:bool', [3], values, 1),
      [
        [0, 1, 1],
        [1, 1, 1],
      ],
      0,
    );
  });
});

describe('other values', () => {
  test('constants are exact to the bit', async () => {
    const list = [
      0.1,
      -0,
      1e-45,
      3.4028234663852886e38,
      -1 / 3,
      Infinity,
      -Infinity,
      NaN,
      16777217,
    ];
    for (const value of list) {
      const kernel = map('w:f32', [1], [{ kind: 'constant', dtype: 'f32', value }], 0);
      const [out] = await runKernel(backend, kernel, [[0]]);
      expect(Object.is(out![0], Math.fround(value)), `${value} became ${out![0]}`).toBe(true);
    }
  });

  test('integer constants at their extremes', async () => {
    for (const value of [-(2 ** 31), 2 ** 31 - 1, -5, Infinity, -Infinity]) {
      const kernel = map('w:i32', [1], [{ kind: 'constant', dtype: 'i32', value }], 0);
      const [out] = await runKernel(backend, kernel, [[0]]);
      expect(out![0]).toBe(Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), value)));
    }
  });

  test('scalars are data: another number, the same shader', async () => {
    const values: Value[] = [
      load(0, [1]),
      { kind: 'scalar', dtype: 'f32', slot: 1 },
      { kind: 'scalar', dtype: 'i32', slot: 2 },
      { kind: 'op', op: 'cast', dtype: 'f32', args: [2] },
      { kind: 'op', op: 'mul', dtype: 'f32', args: [0, 1] },
      add(3, 4),
    ];
    const kernel = map('f32 w:f32', [5], values, 1);
    const words = (x: number, n: number): Uint32Array<ArrayBuffer> =>
      new Uint32Array([7, new Uint32Array(new Float32Array([x]).buffer)[0]!, n >>> 0]);
    await check(backend, kernel, [numbers(5, 1), numbers(5, 2)], 1e-6, words(0.3, -4));
    const { compiled } = backend.counters;
    await check(backend, kernel, [numbers(5, 1), numbers(5, 2)], 1e-6, words(1e-9, 11));
    expect(backend.counters.compiled).toBe(compiled);
  });

  test('random numbers are Philox4x32-10', async () => {
    expect(philox(0, 0, 0)).toBe((0x6627e8d5 >>> 8) * 2 ** -24); // Random123's known answer.
    const key = (slot: number): Value => ({ kind: 'scalar', dtype: 'u32', slot });
    const values: Value[] = [
      key(0),
      key(1),
      { kind: 'random', dtype: 'f32', counter: { offset: 3, strides: [1] }, key: [0, 1] },
    ];
    const scalars = new Uint32Array([0xdeadbeef, 0x12345678]);
    const kernel = map('w:f32', [9], values, 0);
    await check(backend, kernel, [numbers(9, 1)], 0, scalars);
    await check(backend, { ...kernel, loop: [8] }, [numbers(8, 1)], 0, scalars);
  });

  test('a buffer updated in place', async () => {
    for (const n of [7, 8]) {
      const kernel = map('x:f32 f32', [n], [load(0, [1]), load(1, [1]), add(0, 1)], 0);
      await check(backend, kernel, [numbers(n, 1), numbers(n, 2)]);
    }
    const half = map('x:f16', [7], [load(0, [1]), add(0, 0)], 0);
    await check(backend, half, [numbers(7, 1)]);
  });
});
