/** @file Matmul kernels: layouts, batches, odd and thin shapes, epilogues, 16-bit operands; and scatter. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toBf16, toF16, type DType } from '../../src/dtype.ts';
import type { KernelBuffer, MatmulKernel, Operand, Value } from '../../src/schedule/kernel.ts';
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

const random = numbers(3);

function list(buffers: readonly HostBuffer[], out: number): KernelBuffer[] {
  return buffers.map(({ dtype }, id) => ({ id, dtype, access: id === out ? 'write' : 'read' }));
}

function patterns(dtype: DType, size: number): HostBuffer {
  const encode = { f16: toF16, bf16: toBf16 }[dtype as 'f16' | 'bf16'] ?? ((x: number) => x);
  return host(dtype, size, () => encode(random()));
}

interface Shape {
  readonly batch?: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** T: stored transposed. */
  readonly layout?: 'NN' | 'NT' | 'TN' | 'TT';
  readonly types?: readonly [DType, DType];
}

function operands({ batch = [], m, n, k, layout = 'NN' }: Shape): [Operand, Operand] {
  const strides = (size: number): number[] => dense([...batch, size]).strides.slice(0, -1);
  const [ta, tb] = [layout[0] === 'T', layout[1] === 'T'];
  return [
    { from: 0, offset: 0, batch: strides(m * k), row: ta ? 1 : k, column: ta ? m : 1 },
    { from: 1, offset: 0, batch: strides(k * n), row: tb ? 1 : n, column: tb ? k : 1 },
  ];
}

/** Plain product, or the epilogue gelu-like `tanh(product + bias[n]) · x[m, n]`. */
function kernelOf(shape: Shape, epilogue = false): { kernel: MatmulKernel; buffers: HostBuffer[] } {
  const { batch = [], m, n, k, types = ['f32', 'f32'] } = shape;
  const loop = [...batch, m, n];
  const count = batch.reduce((x, y) => x * y, 1);
  const [a, b] = operands(shape);
  const zeros = new Array<number>(loop.length - 1).fill(0);
  const at = dense(loop);
  const buffers = [
    patterns(types[0], count * m * k),
    patterns(types[1], count * k * n),
    host('f32', count * m * n + 16, () => 5),
    ...(epilogue ? [patterns('f32', n), patterns('f32', count * m * n)] : []),
  ];
  const values: Value[] = [{ kind: 'product', dtype: 'f32' }];
  if (epilogue)
    values.push(
      { kind: 'load', dtype: 'f32', from: 3, at: { offset: 0, strides: [...zeros, 1] } },
      { kind: 'op', op: 'add', dtype: 'f32', args: [0, 1] },
      { kind: 'op', op: 'tanh', dtype: 'f32', args: [2] },
      { kind: 'load', dtype: 'f32', from: 4, at },
      { kind: 'op', op: 'mul', dtype: 'f32', args: [3, 4] },
    );
  const stores = [{ to: 2, at, value: values.length - 1 }];
  return {
    kernel: {
      kind: 'matmul',
      label: 'test',
      loop,
      inner: k,
      a,
      b,
      values,
      stores,
      buffers: list(buffers, 2),
    },
    buffers,
  };
}

describe.each([{ relaxed: true }, { relaxed: false }])('matmul, %o', ({ relaxed }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openWasm({ threads: 1, relaxed });
  });
  afterAll(() => backend.dispose());

  async function check(shape: Shape, epilogue = false): Promise<void> {
    const { kernel, buffers } = kernelOf(shape, epilogue);
    const actual = (await runWasm(backend, [kernel], buffers))[2]!;
    const expected = reference(kernel, buffers)[2]!;
    expect(worstError(actual, expected)).toBeLessThan(1e-6 * (4 + Math.sqrt(shape.k)));
  }

  const layouts = ['NN', 'NT', 'TN', 'TT'] as const;
  const shapes = [
    [1, 1, 1],
    [1, 8, 4],
    [5, 8, 16],
    [4, 16, 3],
    [7, 9, 11],
    [13, 31, 29],
    [64, 64, 64],
    [65, 33, 130],
    [1, 100, 70],
    [100, 1, 70],
    [3, 200, 9],
    [200, 3, 9],
    [37, 8, 530],
    [8, 37, 1030],
    [250, 130, 20],
    [121, 129, 7],
  ];
  test.each(
    layouts.flatMap((layout) => shapes.map(([m, n, k]) => ({ layout, m: m!, n: n!, k: k! }))),
  )('$layout $m x $k x $n', async (shape) => {
    await check(shape);
    await check(shape, true);
  });

  test.each(layouts)('batched %s', async (layout) => {
    await check({ layout, batch: [3], m: 6, n: 10, k: 5 });
    await check({ layout, batch: [2, 3], m: 17, n: 8, k: 12 }, true);
  });

  test('batch axes that do not merge, and broadcast operands', async () => {
    const [g, h, m, n, k] = [2, 3, 5, 16, 7];
    const { kernel, buffers } = kernelOf({ batch: [g, h], m, n, k });
    // A per g only; B with its two batch axes swapped in memory.
    const a = { ...kernel.a, batch: [m * k, 0] };
    const b = { ...kernel.b, batch: [k * n, g * k * n] };
    for (const transposed of [false, true]) {
      const own = transposed ? { ...a, row: 1, column: m } : a;
      const changed: MatmulKernel = { ...kernel, a: own, b };
      const actual = (await runWasm(backend, [changed], buffers))[2]!;
      expect(worstError(actual, reference(changed, buffers)[2]!)).toBeLessThan(1e-5);
    }
  });

  test('heads in the middle of a row: strided operands with offsets', async () => {
    const [heads, t, d] = [3, 9, 8];
    const width = heads * d;
    const buffers = [patterns('f32', 3 * t * width), host('f32', heads * t * t)];
    const kernel: MatmulKernel = {
      kind: 'matmul',
      label: 'q·kᵀ',
      loop: [heads, t, t],
      inner: d,
      a: { from: 0, offset: 0, batch: [d], row: 3 * width, column: 1 },
      b: { from: 0, offset: width, batch: [d], row: 1, column: 3 * width },
      values: [{ kind: 'product', dtype: 'f32' }],
      stores: [{ to: 1, at: dense([heads, t, t]), value: 0 }],
      buffers: list(buffers, 1),
    };
    const actual = (await runWasm(backend, [kernel], buffers))[1]!;
    expect(worstError(actual, reference(kernel, buffers)[1]!)).toBeLessThan(1e-5);
  });

  test.each(layouts)('%s with 16-bit operands', async (layout) => {
    for (const types of [
      ['f32', 'bf16'],
      ['f16', 'f32'],
      ['bf16', 'f16'],
    ] as const)
      for (const [m, n, k] of [
        [33, 19, 21],
        [5, 64, 40],
        [40, 5, 24],
      ] as const)
        await check({ layout, m, n, k, types }, m === 33);
  });

  test('the product goes to a transposed output, and to 16-bit storage', async () => {
    const { kernel, buffers } = kernelOf({ m: 24, n: 40, k: 16, layout: 'NT' });
    const stores = [{ to: 2, at: { offset: 3, strides: [1, 24] }, value: 0 }];
    const turned = { ...kernel, stores };
    const actual = (await runWasm(backend, [turned], buffers))[2]!;
    expect(worstError(actual, reference(turned, buffers)[2]!)).toBeLessThan(1e-5);
    for (const [m, n] of [
      [24, 41],
      [130, 7],
      [7, 130],
    ] as const) {
      const finished = kernelOf({ m, n, k: 16 }, true);
      const at = { offset: 0, strides: [1, m] };
      const along = { ...finished.kernel, stores: [{ ...finished.kernel.stores[0]!, at }] };
      const results = await runWasm(backend, [along], finished.buffers);
      const expected = reference(along, finished.buffers)[2]!;
      expect(worstError(results[2]!, expected)).toBeLessThan(1e-5);
    }
  });

  test('nothing to sum over gives zeros', async () => {
    await check({ m: 5, n: 9, k: 0 });
    await check({ m: 5, n: 9, k: 0 }, true);
  });

  test.each([
    [1, 1, 1],
    [10, 7, 30],
    [5, 130, 200],
    [100, 64, 0],
  ])('scatter to %i rows of %i from %i', async (rows, width, count) => {
    const index = host('i32', count, () => Math.floor(random() * (rows + 2)));
    const buffers = [index, patterns('f32', count * width), host('f32', rows * width, () => 3)];
    const kernel = {
      kind: 'scatter' as const,
      keep: 'sum' as const,
      label: 'scatter',
      loop: [rows, width],
      rows,
      width,
      count,
      values: [],
      stores: [],
      buffers: list(buffers, 2),
    };
    const actual = (await runWasm(backend, [kernel], buffers))[2]!;
    expect(worstError(actual, reference(kernel, buffers)[2]!)).toBeLessThan(1e-5);
  });
});
