/** @file Matmul and scatter kernels against the oracle, in the variants for software adapters and for GPUs. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { generate } from '../../src/backend/webgpu/wgsl/generate.ts';
import type { DType } from '../../src/dtype.ts';
import type { MatmulKernel, Operand, ScatterKernel, Value } from '../../src/schedule/kernel.ts';
import { buffersOf, check, dense, load, numbers, open, runKernel } from './harness.ts';

/** How an operand is stored: as written, or transposed. */
type Layout = 'N' | 'T';

interface Shape {
  readonly batch?: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

function operand(
  from: number,
  layout: Layout,
  batch: readonly number[],
  rows: number,
  columns: number,
): Operand {
  const strides = dense([...batch, rows, columns]).slice(0, batch.length);
  const [row, column] = layout === 'N' ? [columns, 1] : [1, rows];
  return { from, offset: 0, batch: strides, row, column };
}

function matmul(
  { batch = [], m, n, k }: Shape,
  layouts: `${Layout}${Layout}`,
  type: DType = 'f32',
): MatmulKernel {
  const loop = [...batch, m, n];
  return {
    kind: 'matmul',
    label: `matmul ${layouts}`,
    buffers: buffersOf(`${type} ${type} w:f32`),
    loop,
    inner: k,
    a: operand(0, layouts[0] as Layout, batch, m, k),
    b: operand(1, layouts[1] as Layout, batch, k, n),
    values: [{ kind: 'product', dtype: 'f32' }],
    stores: [{ to: 2, at: { offset: 0, strides: dense(loop) }, value: 0 }],
  };
}

function memoryOf({ batch = [], m, n, k }: Shape): number[][] {
  const count = batch.reduce((a, b) => a * b, 1);
  return [numbers(count * m * k, 1), numbers(count * k * n, 2), numbers(count * m * n, 3)];
}

const LAYOUTS = ['NN', 'NT', 'TN', 'TT'] as const;

describe.each(['cpu', 'gpu'] as const)('variants for %s', (kind) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open(kind);
  });
  afterAll(() => backend.dispose());

  test.each(LAYOUTS)('%s in all sizes', async (layouts) => {
    const shapes: Shape[] = [
      { m: 1, n: 1, k: 1 },
      { m: 3, n: 5, k: 7 },
      { m: 8, n: 12, k: 16 },
      { m: 9, n: 2, k: 6 },
      { m: 2, n: 9, k: 5 },
      { batch: [3], m: 6, n: 8, k: 10 },
      { batch: [2, 2], m: 5, n: 4, k: 8 },
    ];
    for (const shape of shapes) await check(backend, matmul(shape, layouts), memoryOf(shape));
  });

  test('a long sum with few results', async () => {
    for (const shape of [
      { m: 2, n: 3, k: 600 },
      { m: 1, n: 4, k: 512 },
    ])
      await check(backend, matmul(shape, 'NT'), memoryOf(shape), 2e-5);
  });

  test('K = 0 gives the epilogue of zeros', async () => {
    const shape = { m: 3, n: 4, k: 0 };
    const [out] = (await check(backend, matmul(shape, 'NN'), memoryOf(shape))).slice(2);
    expect(out).toEqual(new Array(12).fill(0));
  });

  test('one operand broadcasts over the batch, both begin at an offset', async () => {
    const base = matmul({ batch: [2], m: 5, n: 6, k: 4 }, 'NN');
    const a = { ...base.a, offset: 3 };
    const b = { ...base.b, offset: 1, batch: [0] };
    const memory = [numbers(43, 1), numbers(25, 2), numbers(60, 3)];
    await check(backend, { ...base, a, b }, memory);
  });

  test.each([8, 7])('an epilogue with bias, residual and a row scale, N = %i', async (n) => {
    const shape = { m: 6, n, k: 5 };
    const values: Value[] = [
      { kind: 'product', dtype: 'f32' },
      load(3, [0, 1]),
      { kind: 'op', op: 'add', dtype: 'f32', args: [0, 1] },
      { kind: 'op', op: 'tanh', dtype: 'f32', args: [2] },
      load(4, [n, 1]),
      load(5, [1, 0]),
      { kind: 'op', op: 'mul', dtype: 'f32', args: [4, 5] },
      { kind: 'op', op: 'add', dtype: 'f32', args: [3, 6] },
    ];
    const base = matmul(shape, 'NN');
    const at = { offset: 0, strides: [1, 6] };
    const kernel = {
      ...base,
      buffers: buffersOf('f32 f32 w:f32 f32 x:f32 f32 w:f32'),
      values,
      stores: [
        ...base.stores.map((store) => ({ ...store, value: 7 })),
        { to: 6, at, value: 2 },
        { to: 4, at: base.stores[0]!.at, value: 3 },
      ],
    };
    const more = [numbers(n, 4), numbers(6 * n, 5), numbers(6, 6), numbers(6 * n, 7)];
    await check(backend, kernel, [...memoryOf(shape), ...more], 2e-5);
  });

  test.each(['f16', 'bf16'] as const)('operands and result in %s', async (type) => {
    for (const layouts of LAYOUTS)
      for (const shape of [
        { m: 5, n: 7, k: 9 },
        { m: 4, n: 8, k: 12 },
      ]) {
        const base = matmul(shape, layouts, type);
        const buffers = buffersOf(`${type} ${type} w:${type}`);
        await check(backend, { ...base, buffers }, memoryOf(shape), 1e-3);
      }
  });

  test('x times its own transpose', async () => {
    const base = matmul({ m: 5, n: 5, k: 8 }, 'NT');
    const kernel = { ...base, b: { ...base.b, from: 0 }, buffers: buffersOf('f32 f32 w:f32') };
    await check(backend, kernel, [numbers(40, 1), numbers(4, 2), numbers(25, 3)]);
  });

  test.each([[4], [5]])('scatter adds in order, rows of %i', async (width) => {
    const index = [3, 0, 3, -1, 7, 3, 6];
    const kernel: ScatterKernel = {
      kind: 'scatter',
      keep: 'sum',
      label: 'scatter',
      buffers: buffersOf('i32 f32 w:f32'),
      values: [],
      stores: [],
      loop: [7, width],
      rows: 7,
      width,
      count: index.length,
    };
    const memory = [index, numbers(index.length * width, 1), numbers(7 * width, 2)];
    const out = await check(backend, kernel, memory, 1e-6);
    expect(await runKernel(backend, kernel, memory)).toEqual(out);
  });
});

/** What the kernel writer is told of a software adapter. */
const CPU = {
  cpu: true,
  maxWorkgroups: 65535,
  maxInvocations: 256,
  workgroupBytes: 32768,
  storageBuffers: 8,
  bindingBytes: 2 ** 27,
  bindingStep: 256,
};

describe('code that compilers of software adapters can bear', () => {
  test('the epilogue of an 8 x 8 tile is called once', () => {
    const { code } = generate(matmul({ m: 512, n: 512, k: 512 }, 'NT'), CPU);
    expect(code.match(/acc7_1 = fma/g)).toHaveLength(4);
    expect(code.match(/finish\(/g)).toHaveLength(2); // Its definition and the call.
  });

  test('no loop shows its number of steps, except to a GPU', () => {
    const kernel = matmul({ m: 4, n: 4, k: 40 }, 'NN');
    const constant = /for \([^;]*; \w+ < \d+;/;
    expect(generate(kernel, CPU).code).toContain('for (var k = 0; k < 40 + ');
    expect(generate(kernel, CPU).code).not.toMatch(constant);
    expect(generate(kernel, { ...CPU, cpu: false }).code).toMatch(constant);
  });
});

describe('large enough for the larger tiles', () => {
  test.each(['NN', 'NT', 'TN'] as const)('8 x 8 and 8 x 4 in registers, %s', async (layouts) => {
    const backend = await open('cpu');
    for (const shape of [
      { m: 66, n: 260, k: 1000 },
      { m: 37, n: 119, k: 1001 },
      { m: 37, n: 59, k: 1001 },
    ])
      await check(backend, matmul(shape, layouts), memoryOf(shape), 5e-4);
    backend.dispose();
  });

  test.each(['NN', 'NT', 'TN'] as const)('4 x 4 in workgroup memory, %s', async (layouts) => {
    const backend = await open('gpu');
    for (const shape of [
      { m: 66, n: 36, k: 40 },
      { batch: [2], m: 33, n: 65, k: 21 },
    ])
      await check(backend, matmul(shape, layouts), memoryOf(shape), 2e-5);
    backend.dispose();
  });
});
