/** @file Row kernels: both uses of the lanes, several stages, kept values, nested row axes, stores a row. */
import type { ScalarType } from '../../src/dtype.ts';
import type { ReduceName } from '../../src/ops/reduction.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RowKernel, Store, Value } from '../../src/schedule/kernel.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { openWasm } from '../../src/backend/wasm/index.ts';
import {
  dense,
  host,
  numbers,
  reference,
  runWasm,
  worstError,
  type HostBuffer,
} from './harness.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
});
afterAll(() => backend.dispose());

const random = numbers(11);
const f32 = (size: number, scale = 1): HostBuffer => host('f32', size, () => random() * scale);

type Parts = Pick<RowKernel, 'loop' | 'rowAxes' | 'stages' | 'values' | 'stores'>;

async function check(parts: Parts, buffers: HostBuffer[], tolerance = 2e-6): Promise<void> {
  const written = new Set(parts.stores.map(({ to }) => to));
  const kernel: RowKernel = {
    kind: 'row',
    label: 'test',
    buffers: buffers.map(({ dtype }, id) => ({
      id,
      dtype,
      access: written.has(id) ? 'write' : 'read',
    })),
    ...parts,
  };
  const actual = await runWasm(backend, [kernel], buffers);
  const expected = reference(kernel, buffers);
  for (const to of written)
    expect(worstError(actual[to]!, expected[to]!)).toBeLessThanOrEqual(tolerance);
}

function reduceParts(
  loop: number[],
  rowAxes: number,
  strides: number[],
  reduce: ReduceName,
  dtype: ScalarType = 'f32',
): Parts {
  const kept = loop.slice(0, loop.length - rowAxes);
  const out = {
    offset: 0,
    strides: [...dense(kept).strides, ...new Array<number>(rowAxes).fill(0)],
  };
  return {
    loop,
    rowAxes,
    values: [
      { kind: 'load', dtype, from: 0, at: { offset: 0, strides } },
      { kind: 'accumulator', dtype, stage: 0, slot: 0 },
    ],
    stages: [{ accumulators: [{ reduce, dtype, value: 0 }] }],
    stores: [{ to: 1, at: out, value: 1 }],
  };
}

const SIZES = [1, 2, 3, 4, 5, 15, 16, 17, 31, 64, 257];

describe.each(['sum', 'max', 'min'] as const)('%s', (reduce) => {
  test.each(SIZES)('of rows of %i', async (length) => {
    const parts = reduceParts([7, length], 1, [length, 1], reduce);
    await check(parts, [f32(7 * length), host('f32', 7)]);
  });
  test.each(SIZES)('of %i columns', async (columns) => {
    const parts = reduceParts([columns, 37], 1, [1, columns], reduce);
    await check(parts, [f32(37 * columns), host('f32', columns)]);
  });
  test.each(['i32', 'u32', 'bool'] as const)('of %s', async (dtype) => {
    if (dtype === 'bool' && reduce === 'sum') return;
    const draw = (): number =>
      dtype === 'bool' ? Number(random() > 0) : Math.floor((random() + 1) * 500);
    for (const strides of [
      [37, 1],
      [1, 19],
    ]) {
      const parts = reduceParts([19, 37], 1, strides, reduce, dtype);
      await check(parts, [host(dtype, 19 * 37, draw), host(dtype, 19)], 0);
    }
  });
});

test.each([
  [[5, 6, 7], 2, [42, 7, 1]],
  [[5, 6, 7], 2, [1, 5, 30]],
  [[6, 3, 4, 5], 3, [1, 120, 30, 6]],
  [[2, 5, 6, 7], 2, [210, 7, 35, 1]],
  [[12, 3, 4], 2, [4, 48, 1]],
  [[33, 3, 4], 2, [1, 132, 33]],
  [[50], 1, [1]],
  [[50, 3], 2, [1, 50]],
  [[1, 1], 1, [1, 1]],
])('sum over %j, %i row axes, strides %j', async (loop, rowAxes, strides) => {
  const outer = loop.slice(0, loop.length - rowAxes).reduce((a, b) => a * b, 1);
  const parts = reduceParts(loop, rowAxes, strides, 'sum');
  await check(parts, [f32(loop.reduce((a, b) => a * b, 1)), host('f32', outer)]);
});

/** max, then Σ e^(x−max); stores e^(x−max)/Σ an element and the sum a row. */
function softmaxParts(loop: number[], rowAxes: number, strides: number[]): Parts {
  const at = { offset: 0, strides };
  const kept = loop.slice(0, loop.length - rowAxes);
  const row = {
    offset: 0,
    strides: [...dense(kept).strides, ...new Array<number>(rowAxes).fill(0)],
  };
  const values: Value[] = [
    { kind: 'load', dtype: 'f32', from: 0, at },
    { kind: 'accumulator', dtype: 'f32', stage: 0, slot: 0 },
    { kind: 'op', op: 'sub', dtype: 'f32', args: [0, 1] },
    { kind: 'op', op: 'exp', dtype: 'f32', args: [2] },
    { kind: 'accumulator', dtype: 'f32', stage: 1, slot: 0 },
    { kind: 'op', op: 'reciprocal', dtype: 'f32', args: [4] },
    { kind: 'op', op: 'mul', dtype: 'f32', args: [3, 5] },
  ];
  const stores: Store[] = [
    { to: 1, at, value: 6 },
    { to: 2, at: row, value: 4 },
  ];
  const stages = [
    { accumulators: [{ reduce: 'max' as const, dtype: 'f32' as const, value: 0 }] },
    { accumulators: [{ reduce: 'sum' as const, dtype: 'f32' as const, value: 3 }] },
  ];
  return { loop, rowAxes, values, stages, stores };
}

test.each([
  [[9, 1], 1, [1, 1]],
  [[9, 63], 1, [63, 1]],
  [[3, 5, 64], 1, [320, 64, 1]],
  [[63, 9], 1, [1, 63]],
  [[2, 21, 10], 1, [210, 1, 21]],
  [[4, 3, 37], 2, [111, 37, 1]],
  [[4, 37, 3], 2, [111, 1, 37]],
  [[5, 20001], 1, [1, 5]],
  [[2, 50001], 1, [50001, 1]],
])('softmax over %j, %i row axes, strides %j', async (loop, rowAxes, strides) => {
  const size = loop.reduce((a, b) => a * b, 1);
  const outer = loop.slice(0, loop.length - rowAxes).reduce((a, b) => a * b, 1);
  await check(
    softmaxParts(loop, rowAxes, strides),
    [f32(size, 8), host('f32', size), host('f32', outer)],
    5e-6,
  );
});

test('softmax of a row with −1e30 and of one with only equal values', async () => {
  const x = host('f32', 16, (i) => (i < 8 ? (i < 4 ? i : -1e30) : 3));
  await check(softmaxParts([2, 8], 1, [8, 1]), [x, host('f32', 16), host('f32', 2)]);
});

test.each([
  [1, 5],
  [4, 33],
  [8, 384],
])('layer norm of %i rows of %i', async (rows, width) => {
  const at = dense([rows, width]);
  const column = { offset: 0, strides: [0, 1] };
  const values: Value[] = [
    { kind: 'load', dtype: 'f32', from: 0, at },
    { kind: 'accumulator', dtype: 'f32', stage: 0, slot: 0 },
    { kind: 'scalar', dtype: 'f32', slot: 0 },
    { kind: 'constant', dtype: 'f32', value: 1 / width },
    { kind: 'op', op: 'mul', dtype: 'f32', args: [1, 3] },
    { kind: 'op', op: 'sub', dtype: 'f32', args: [0, 4] },
    { kind: 'op', op: 'mul', dtype: 'f32', args: [5, 5] },
    { kind: 'accumulator', dtype: 'f32', stage: 1, slot: 0 },
    { kind: 'op', op: 'mul', dtype: 'f32', args: [7, 3] },
    { kind: 'constant', dtype: 'f32', value: 1e-5 },
    { kind: 'op', op: 'add', dtype: 'f32', args: [8, 9] },
    { kind: 'op', op: 'rsqrt', dtype: 'f32', args: [10] },
    { kind: 'op', op: 'mul', dtype: 'f32', args: [5, 11] },
    { kind: 'load', dtype: 'f32', from: 1, at: column },
    { kind: 'load', dtype: 'f32', from: 2, at: column },
    { kind: 'op', op: 'mul', dtype: 'f32', args: [12, 13] },
    { kind: 'op', op: 'add', dtype: 'f32', args: [15, 14] },
  ].filter((value) => value.kind !== 'scalar' || true) as Value[];
  values[2] = { kind: 'constant', dtype: 'f32', value: 0 };
  const stages = [
    { accumulators: [{ reduce: 'sum' as const, dtype: 'f32' as const, value: 0 }] },
    { accumulators: [{ reduce: 'sum' as const, dtype: 'f32' as const, value: 6 }] },
  ];
  const buffers = [f32(rows * width, 5), f32(width), f32(width), host('f32', rows * width)];
  const stores = [{ to: 3, at, value: 16 }];
  await check({ loop: [rows, width], rowAxes: 1, values, stages, stores }, buffers, 5e-6);
});

test('two accumulators of one pass, and an argmax by index', async () => {
  const [rows, width] = [6, 45];
  const at = dense([rows, width]);
  const row = { offset: 0, strides: [1, 0] };
  const values: Value[] = [
    { kind: 'load', dtype: 'f32', from: 0, at },
    { kind: 'accumulator', dtype: 'f32', stage: 0, slot: 0 },
    { kind: 'op', op: 'eq', dtype: 'bool', args: [0, 1] },
    { kind: 'index', dtype: 'i32', at: { offset: 0, strides: [0, 1] } },
    { kind: 'constant', dtype: 'i32', value: 2 ** 30 },
    { kind: 'op', op: 'where', dtype: 'i32', args: [2, 3, 4] },
    { kind: 'accumulator', dtype: 'i32', stage: 1, slot: 0 },
    { kind: 'accumulator', dtype: 'f32', stage: 0, slot: 1 },
  ];
  const stages = [
    {
      accumulators: [
        { reduce: 'max' as const, dtype: 'f32' as const, value: 0 },
        { reduce: 'sum' as const, dtype: 'f32' as const, value: 0 },
      ],
    },
    { accumulators: [{ reduce: 'min' as const, dtype: 'i32' as const, value: 5 }] },
  ];
  const stores = [
    { to: 1, at: row, value: 6 },
    { to: 2, at: row, value: 7 },
  ];
  const buffers = [f32(rows * width), host('i32', rows), host('f32', rows)];
  await check({ loop: [rows, width], rowAxes: 1, values, stages, stores }, buffers);
});

test('a long sum keeps its accuracy', async () => {
  const size = 1 << 20;
  const parts = reduceParts([1, size], 1, [size, 1], 'sum');
  await check(parts, [host('f32', size, () => 1 + random() * 1e-3), host('f32', 1)], 2e-6);
});
