/** @file Row kernels against the oracle, in the variants for software adapters and for GPUs. */
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import type { RowKernel, Stage, Store, Value } from '../../src/schedule/kernel.ts';
import { buffersOf, check, load, numbers, open } from './harness.ts';

const op = (name: 'exp' | 'sub' | 'div' | 'mul' | 'rsqrt' | 'add', ...args: number[]): Value => {
  return { kind: 'op', op: name, dtype: 'f32', args };
};
const accumulator = (stage: number, slot = 0): Value => {
  return { kind: 'accumulator', dtype: 'f32', stage, slot };
};
const reduce = (name: 'sum' | 'max' | 'min', value: number): Stage['accumulators'][number] => {
  return { reduce: name, dtype: 'f32', value };
};

function row(
  buffers: string,
  loop: readonly number[],
  rowAxes: number,
  values: readonly Value[],
  stages: readonly Stage[],
  stores: readonly Store[],
): RowKernel {
  return {
    kind: 'row',
    label: 'row',
    buffers: buffersOf(buffers),
    loop,
    rowAxes,
    values,
    stages,
    stores,
  };
}

function softmax(rows: number, length: number): RowKernel {
  const at = { offset: 0, strides: [length, 1] };
  const values = [
    load(0, at.strides),
    accumulator(0),
    op('sub', 0, 1),
    op('exp', 2),
    accumulator(1),
    op('div', 3, 4),
  ];
  const stages = [{ accumulators: [reduce('max', 0)] }, { accumulators: [reduce('sum', 3)] }];
  return row('f32 w:f32', [rows, length], 1, values, stages, [{ to: 1, at, value: 5 }]);
}

/** Sum and sum of squares in one stage; stores the normalised elements and the mean of each row. */
function norm(rows: number, length: number): RowKernel {
  const at = { offset: 0, strides: [length, 1] };
  const values: Value[] = [
    load(0, at.strides),
    op('mul', 0, 0),
    { kind: 'constant', dtype: 'f32', value: 1 / length },
    accumulator(0, 0),
    op('mul', 3, 2),
    accumulator(0, 1),
    op('mul', 5, 2),
    op('mul', 4, 4),
    op('sub', 6, 7),
    op('rsqrt', 8),
    op('sub', 0, 4),
    op('mul', 10, 9),
    load(1, [0, 1]),
    op('mul', 11, 12),
  ];
  const stages = [{ accumulators: [reduce('sum', 0), reduce('sum', 1)] }];
  const stores = [
    { to: 2, at, value: 13 },
    { to: 3, at: { offset: 0, strides: [1, 0] }, value: 4 },
  ];
  return row('f32 f32 w:f32 w:f32', [rows, length], 1, values, stages, stores);
}

describe.each(['cpu', 'gpu'] as const)('variants for %s', (kind) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open(kind);
  });
  afterAll(() => backend.dispose());

  const SIZES: [number, number][] = [
    [1, 1],
    [3, 7],
    [5, 8],
    [70, 12],
    [2, 600],
    [2, 1033],
    [67, 200],
  ];
  test.each(SIZES)('softmax of [%i, %i]', async (rows, length) => {
    const size = rows * length;
    await check(backend, softmax(rows, length), [numbers(size, 1, 4), numbers(size, 2)]);
  });

  test.each([
    [3, 9],
    [6, 64],
    [2, 1100],
  ])('norm of [%i, %i] with a weight', async (rows, length) => {
    const size = rows * length;
    const memory = [numbers(size, 1), numbers(length, 2), numbers(size, 3), numbers(rows, 4)];
    await check(backend, norm(rows, length), memory, 2e-5);
  });

  test.each([
    [5, 3],
    [80, 21],
    [200, 40],
  ])('column sums of [%i, %i]', async (rows, columns) => {
    const stores = [{ to: 1, at: { offset: 0, strides: [1, 0] }, value: 1 }];
    const stages = [{ accumulators: [reduce('sum', 0)] }];
    const values = [load(0, [1, columns]), accumulator(0)];
    const kernel = row('f32 w:f32', [columns, rows], 1, values, stages, stores);
    await check(backend, kernel, [numbers(rows * columns, 1), numbers(columns, 2)]);
  });

  test('two row axes that do not merge, two outer axes, max and min', async () => {
    const strides = [5, 100, 20, 1];
    const values = [load(0, strides), accumulator(0, 0), accumulator(0, 1), op('sub', 1, 2)];
    const stages = [{ accumulators: [reduce('max', 0), reduce('min', 0)] }];
    const stores = [{ to: 1, at: { offset: 1, strides: [3, 1, 0, 0] }, value: 3 }];
    const kernel = row('f32 w:f32', [4, 3, 5, 5], 2, values, stages, stores);
    await check(backend, kernel, [numbers(300, 1), numbers(14, 2)]);
  });

  test.each([
    [40, 3],
    [40, 4],
  ])('row axes [%i, %i] long enough to share', async (a, b) => {
    const values = [load(0, [0, 8, 1]), accumulator(0)];
    const stages = [{ accumulators: [reduce('sum', 0)] }];
    const stores = [{ to: 1, at: { offset: 0, strides: [1, 0, 0] }, value: 1 }];
    const kernel = row('f32 w:f32', [1, a, b], 2, values, stages, stores);
    await check(backend, kernel, [numbers(320, 1), numbers(1, 2)]);
  });

  test('a full sum without outer axes', async () => {
    const values = [load(0, [1]), accumulator(0)];
    const stages = [{ accumulators: [reduce('sum', 0)] }];
    const stores = [{ to: 1, at: { offset: 0, strides: [0] }, value: 1 }];
    for (const n of [3, 5000, 5001])
      await check(backend, row('f32 w:f32', [n], 1, values, stages, stores), [numbers(n, 1), [0]]);
  });

  test('a row without elements gives the identity; no rows give nothing', async () => {
    const values = [load(0, [0, 1]), accumulator(0, 0), accumulator(0, 1), op('add', 1, 2)];
    const stages = [{ accumulators: [reduce('sum', 0), reduce('max', 0)] }];
    const stores = [{ to: 1, at: { offset: 0, strides: [1, 0] }, value: 3 }];
    const kernel = row('f32 w:f32', [3, 0], 1, values, stages, stores);
    await check(backend, kernel, [[], numbers(3, 1)]);
    await check(backend, { ...kernel, loop: [0, 3] }, [[], []]);
  });

  test('a row value spread over the elements, and a sum of something constant', async () => {
    const values = [load(0, [1, 0]), accumulator(0)];
    const stages = [{ accumulators: [reduce('sum', 0)] }];
    const stores = [{ to: 1, at: { offset: 0, strides: [8, 1] }, value: 1 }];
    const kernel = row('f32 w:f32', [3, 8], 1, values, stages, stores);
    await check(backend, kernel, [numbers(3, 1), numbers(24, 2)]);
  });

  test('integers, and -inf where a whole row is masked', async () => {
    const loadInt = load(0, [300, 1], 0, 'i32');
    const values: Value[] = [loadInt, { kind: 'accumulator', dtype: 'i32', stage: 0, slot: 0 }];
    const stages: Stage[] = [{ accumulators: [{ reduce: 'max', dtype: 'i32', value: 0 }] }];
    const stores = [{ to: 1, at: { offset: 0, strides: [1, 0] }, value: 1 }];
    const kernel = row('i32 w:i32', [2, 300], 1, values, stages, stores);
    await check(backend, kernel, [numbers(600, 1, 1e6).map(Math.trunc), [0, 0]], 0);
    const masked: Value[] = [{ kind: 'constant', dtype: 'f32', value: -Infinity }, accumulator(0)];
    const floats = [{ accumulators: [reduce('max', 0)] }];
    await check(backend, row('w:f32', [2, 300], 1, masked, floats, [{ ...stores[0]!, to: 0 }]), [
      [0, 0],
    ]);
  });

  test.each(['f16', 'bf16'] as const)('softmax in place on %s', async (type) => {
    for (const length of [7, 40]) {
      const base = softmax(3, length);
      const buffers = buffersOf(`x:${type}`);
      const kernel = { ...base, buffers, stores: [{ ...base.stores[0]!, to: 0 }] };
      await check(backend, kernel, [numbers(3 * length, 1)]);
    }
  });
});
