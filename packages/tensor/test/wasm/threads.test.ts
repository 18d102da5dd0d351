/** @file Worker threads: same bits whatever their number, many jobs, memory that grows between them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Kernel, Value } from '../../src/schedule/kernel.ts';
import type { Backend, DeviceBuffer } from '../../src/backend/backend.ts';
import { openWasm } from '../../src/backend/wasm/index.ts';
import { dense, host, numbers, planOf, runWasm, type HostBuffer } from './harness.ts';

const COUNTS = [1, 2, 3, 5];
let backends: Backend[];
beforeAll(async () => {
  backends = [];
  for (const threads of COUNTS) backends.push(await openWasm({ threads }));
});
afterAll(() => backends.forEach((backend) => backend.dispose()));

const random = numbers(21);
const f32 = (size: number): HostBuffer => host('f32', size, () => random());

function buffersOf(list: readonly HostBuffer[]): Kernel['buffers'] {
  return list.map(({ dtype }, id) => ({ id, dtype, access: 'read_write' as const }));
}

function geluMap(size: number): [Kernel, HostBuffer[]] {
  const buffers = [f32(size), host('f32', size)];
  const at = dense([size]);
  const values: Value[] = [
    { kind: 'load', dtype: 'f32', from: 0, at },
    { kind: 'op', op: 'erf', dtype: 'f32', args: [0] },
    { kind: 'op', op: 'exp', dtype: 'f32', args: [1] },
  ];
  const stores = [{ to: 1, at, value: 2 }];
  return [
    { kind: 'map', label: 'map', loop: [size], values, stores, buffers: buffersOf(buffers) },
    buffers,
  ];
}

function rowSum(rows: number, width: number, across: boolean): [Kernel, HostBuffer[]] {
  const buffers = [f32(rows * width), host('f32', rows)];
  const strides = across ? [1, rows] : [width, 1];
  const values: Value[] = [
    { kind: 'load', dtype: 'f32', from: 0, at: { offset: 0, strides } },
    { kind: 'op', op: 'exp', dtype: 'f32', args: [0] },
    { kind: 'accumulator', dtype: 'f32', stage: 0, slot: 0 },
  ];
  const stages = [{ accumulators: [{ reduce: 'sum' as const, dtype: 'f32' as const, value: 1 }] }];
  const stores = [{ to: 1, at: { offset: 0, strides: [1, 0] }, value: 2 }];
  const kernel: Kernel = {
    kind: 'row',
    label: 'row',
    loop: [rows, width],
    rowAxes: 1,
    values,
    stages,
    stores,
    buffers: buffersOf(buffers),
  };
  return [kernel, buffers];
}

function matmul(m: number, k: number, n: number, transposed: boolean): [Kernel, HostBuffer[]] {
  const buffers = [f32(m * k), f32(k * n), host('f32', m * n)];
  const kernel: Kernel = {
    kind: 'matmul',
    label: 'matmul',
    loop: [m, n],
    inner: k,
    a: { from: 0, offset: 0, batch: [], row: transposed ? 1 : k, column: transposed ? m : 1 },
    b: { from: 1, offset: 0, batch: [], row: n, column: 1 },
    values: [
      { kind: 'product', dtype: 'f32' },
      { kind: 'op', op: 'tanh', dtype: 'f32', args: [0] },
    ],
    stores: [{ to: 2, at: dense([m, n]), value: 1 }],
    buffers: buffersOf(buffers),
  };
  return [kernel, buffers];
}

const CASES: [string, () => [Kernel, HostBuffer[]]][] = [
  ['a map', () => geluMap(200_003)],
  ['row sums', () => rowSum(301, 777, false)],
  ['column sums', () => rowSum(777, 301, true)],
  ['a matmul', () => matmul(257, 130, 301, false)],
  ['a transposed matmul', () => matmul(257, 700, 131, true)],
];

test.each(CASES)('%s has the same bits with any number of threads', async (_name, make) => {
  const [kernel, buffers] = make();
  const bits = [];
  for (const backend of backends) {
    for (let again = 0; again < 3; again++) {
      const results = await runWasm(backend, [kernel], buffers);
      bits.push(Buffer.from(results.at(-1)!.buffer).toString('base64'));
    }
  }
  expect(new Set(bits).size).toBe(1);
});

test('a long chain of kernels keeps its order', async () => {
  const size = 60_000;
  const at = dense([size]);
  const buffers = buffersOf([f32(1), f32(1)]);
  const step = (from: number): Kernel => ({
    kind: 'map',
    label: 'step',
    loop: [size],
    values: [
      { kind: 'load', dtype: 'f32', from, at },
      { kind: 'constant', dtype: 'f32', value: 1 },
      { kind: 'op', op: 'add', dtype: 'f32', args: [0, 1] },
      // Dear enough to be shared among the threads.
      { kind: 'op', op: 'sin', dtype: 'f32', args: [2] },
      { kind: 'constant', dtype: 'f32', value: 0 },
      { kind: 'op', op: 'mul', dtype: 'f32', args: [3, 4] },
      { kind: 'op', op: 'add', dtype: 'f32', args: [2, 5] },
    ],
    stores: [{ to: 1 - from, at, value: 6 }],
    buffers,
  });
  const kernels = Array.from({ length: 300 }, (_, i) => step(i % 2));
  for (const backend of backends) {
    const results = await runWasm(backend, kernels, [
      host('f32', size, (i) => i % 7),
      host('f32', size),
    ]);
    expect(results[0]).toEqual(Float32Array.from({ length: size }, (_, i) => (i % 7) + 300));
  }
});

test('memory that grew is seen by all threads', async () => {
  for (const backend of backends) {
    const held: DeviceBuffer[] = [];
    for (let round = 0; round < 4; round++) {
      held.push(backend.allocate(6_000_000, 'f32'));
      const [kernel, buffers] = geluMap(100_000 + round);
      const results = await runWasm(backend, [kernel], buffers);
      expect(results[1]!.every((x) => x > 0)).toBe(true);
    }
    for (const buffer of held) backend.free(buffer);
  }
});

test('programs that come and go leave no memory behind', async () => {
  const backend = backends[1]!;
  const live = backend.memory().live;
  for (let i = 0; i < 400; i++) {
    const [kernel] = geluMap(50_000 + i);
    const [a, b] = [backend.allocate(50_000 + i, 'f32'), backend.allocate(50_000 + i, 'f32')];
    const program = backend.compile(
      planOf([kernel], [host('f32', 50_000 + i), host('f32', 50_000 + i)]),
    );
    void backend.run(program, [a, b], new Uint32Array(0));
    program.dispose();
    backend.free(a);
    backend.free(b);
  }
  expect(backend.memory().live).toBe(live);
});
