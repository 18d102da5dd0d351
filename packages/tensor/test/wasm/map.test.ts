/** @file Map kernels: strides, broadcasts, guards, look-ups, random numbers, 16-bit storage, odd sizes. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromBf16, fromF16, toBf16, toF16, type DType } from '../../src/dtype.ts';
import type { Affine, KernelBuffer, MapKernel, Store, Value } from '../../src/schedule/kernel.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { openWasm } from '../../src/backend/wasm/index.ts';
import { philoxWord } from '../kernel-interpreter.ts';
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

function bufferList(buffers: readonly HostBuffer[], out: number): KernelBuffer[] {
  return buffers.map(({ dtype }, id) => ({ id, dtype, access: id === out ? 'write' : 'read' }));
}

function mapKernel(
  loop: number[],
  buffers: readonly HostBuffer[],
  values: Value[],
  stores: Store[],
): MapKernel {
  const last = stores[0]!.to;
  return { kind: 'map', label: 'test', loop, buffers: bufferList(buffers, last), values, stores };
}

async function check(
  kernel: MapKernel,
  buffers: HostBuffer[],
  tolerance = 1e-6,
  scalars?: Uint32Array,
): Promise<void> {
  const out = kernel.stores[0]!.to;
  const actual = (await runWasm(backend, [kernel], buffers, scalars))[out]!;
  const expected = reference(kernel, buffers, scalars)[out]!;
  expect(worstError(actual, expected)).toBeLessThanOrEqual(tolerance);
}

const random = numbers(5);
const f32 = (size: number): HostBuffer => host('f32', size, () => random());

function copyKernel(loop: number[], from: Affine, to: Affine, buffers: HostBuffer[]): MapKernel {
  const values: Value[] = [{ kind: 'load', dtype: 'f32', from: 0, at: from }];
  return mapKernel(loop, buffers, values, [{ to: 1, at: to, value: 0 }]);
}

test.each([1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 63, 4095, 4097, 8192, 8193, 20000])(
  'copies %i elements and no more',
  async (size) => {
    const buffers = [f32(size), host('f32', size + 8, () => 9)];
    const kernel = copyKernel([size], dense([size]), dense([size]), buffers);
    await check(kernel, buffers, 0);
  },
);

test.each([
  [
    [3, 5],
    [1, 3],
    [5, 1],
  ],
  [
    [4, 8, 6],
    [1, 4, 32],
    [48, 6, 1],
  ],
  [
    [7, 9],
    [9, 1],
    [1, 7],
  ],
  [
    [5, 6, 7],
    [42, 0, 1],
    [42, 7, 1],
  ],
  [
    [5, 6, 7],
    [0, 1, 0],
    [42, 7, 1],
  ],
  [
    [1, 12, 1],
    [99, 1, 5],
    [3, 1, 4],
  ],
  [
    [2, 33],
    [33, 1],
    [80, 2],
  ],
])('copies %j with strides %j to %j', async (loop, from, to) => {
  const buffers = [f32(400), host('f32', 400, () => -1)];
  const kernel = copyKernel(
    loop,
    { offset: 3, strides: from },
    { offset: 5, strides: to },
    buffers,
  );
  await check(kernel, buffers, 0);
});

test('reads backwards', async () => {
  const buffers = [f32(21), host('f32', 21)];
  const kernel = copyKernel([3, 7], { offset: 20, strides: [-7, -1] }, dense([3, 7]), buffers);
  await check(kernel, buffers, 0);
});

test('pads: a guard keeps addresses outside the buffer from being read', async () => {
  const [rows, columns] = [6, 13];
  const buffers = [f32(4 * 10), host('f32', rows * columns)];
  const values: Value[] = [
    { kind: 'index', dtype: 'i32', at: { offset: -1, strides: [1, 0] } },
    { kind: 'index', dtype: 'i32', at: { offset: -2, strides: [0, 1] } },
    { kind: 'constant', dtype: 'i32', value: 0 },
    { kind: 'constant', dtype: 'i32', value: 4 },
    { kind: 'constant', dtype: 'i32', value: 10 },
    { kind: 'op', op: 'le', dtype: 'bool', args: [2, 0] },
    { kind: 'op', op: 'lt', dtype: 'bool', args: [0, 3] },
    { kind: 'op', op: 'le', dtype: 'bool', args: [2, 1] },
    { kind: 'op', op: 'lt', dtype: 'bool', args: [1, 4] },
    { kind: 'op', op: 'and', dtype: 'bool', args: [5, 6] },
    { kind: 'op', op: 'and', dtype: 'bool', args: [7, 8] },
    { kind: 'op', op: 'and', dtype: 'bool', args: [9, 10] },
    { kind: 'load', dtype: 'f32', from: 0, at: { offset: -12, strides: [10, 1] }, guard: 11 },
    { kind: 'constant', dtype: 'f32', value: 7 },
    { kind: 'op', op: 'where', dtype: 'f32', args: [11, 12, 13] },
  ];
  const at = dense([rows, columns]);
  await check(mapKernel([rows, columns], buffers, values, [{ to: 1, at, value: 14 }]), buffers, 0);
  const across = { offset: 0, strides: [1, rows] };
  await check(
    mapKernel([rows, columns], buffers, values, [{ to: 1, at: across, value: 14 }]),
    buffers,
    0,
  );
});

test('a guard keeps far addresses from being read', async () => {
  const far = 2 ** 29;
  const buffers = [f32(8), host('f32', 64)];
  const values: Value[] = [
    { kind: 'index', dtype: 'i32', at: { offset: 0, strides: [1] } },
    { kind: 'constant', dtype: 'i32', value: 4 },
    { kind: 'op', op: 'lt', dtype: 'bool', args: [0, 1] },
    { kind: 'load', dtype: 'f32', from: 0, at: { offset: 0, strides: [1] }, guard: 2 },
    { kind: 'load', dtype: 'f32', from: 0, at: { offset: 0, strides: [2] }, guard: 2 },
    { kind: 'op', op: 'not', dtype: 'bool', args: [2] },
    { kind: 'load', dtype: 'f32', from: 0, at: { offset: far, strides: [far] }, guard: 14 },
    { kind: 'op', op: 'add', dtype: 'f32', args: [3, 4] },
    { kind: 'constant', dtype: 'f32', value: 1 },
    { kind: 'op', op: 'where', dtype: 'f32', args: [2, 7, 8] },
    { kind: 'constant', dtype: 'bool', value: 0 },
  ];
  const guarded = values.map((v): Value =>
    v.kind === 'load' && v.guard === 14 ? { ...v, guard: 10 } : v,
  );
  const ordered = [...guarded.slice(0, 6), guarded[10]!, { ...guarded[6]!, guard: 6 } as Value];
  const final: Value[] = [
    ...ordered,
    { kind: 'op', op: 'add', dtype: 'f32', args: [3, 4] },
    { kind: 'constant', dtype: 'f32', value: 1 },
    { kind: 'op', op: 'where', dtype: 'f32', args: [2, 8, 9] },
    { kind: 'op', op: 'where', dtype: 'f32', args: [6, 7, 10] },
  ];
  const kernel = mapKernel([64], buffers, final, [{ to: 1, at: dense([64]), value: 11 }]);
  await check(kernel, buffers);
});

test('looks up rows, with indices clamped', async () => {
  const [n, width, rows] = [9, 11, 6];
  const index = host('i32', n, (i) => [3, 0, 5, -4, 99, 1, 2, 5, 4][i]!);
  const buffers = [index, f32(rows * width), host('f32', n * width)];
  const values: Value[] = [
    { kind: 'load', dtype: 'i32', from: 0, at: { offset: 0, strides: [1, 0] } },
    {
      kind: 'gather',
      dtype: 'f32',
      from: 1,
      at: { offset: 0, strides: [0, 1] },
      index: 0,
      stride: width,
      rows,
    },
  ];
  const at = dense([n, width]);
  await check(mapKernel([n, width], buffers, values, [{ to: 2, at, value: 1 }]), buffers, 0);
});

test('looks up one element a point, with indices of the lane', async () => {
  const [n, classes] = [13, 5];
  const label = host('i32', n, (i) => (i * 7) % classes);
  const buffers = [label, f32(n * classes), host('f32', n)];
  const values: Value[] = [
    { kind: 'load', dtype: 'i32', from: 0, at: { offset: 0, strides: [1] } },
    {
      kind: 'gather',
      dtype: 'f32',
      from: 1,
      at: { offset: 0, strides: [classes] },
      index: 0,
      stride: 1,
      rows: classes,
    },
  ];
  await check(mapKernel([n], buffers, values, [{ to: 2, at: dense([n]), value: 1 }]), buffers, 0);
});

test('random numbers are Philox4x32-10', async () => {
  expect(philoxWord(0, 0, 0)).toBe(0x6627e8d5);
  expect(philoxWord(0xffffffff, 0xffffffff, 0xffffffff)).not.toBe(0);
  const buffers = [host('f32', 5 * 103)];
  const values: Value[] = [
    { kind: 'scalar', dtype: 'u32', slot: 0 },
    { kind: 'scalar', dtype: 'u32', slot: 1 },
    { kind: 'random', dtype: 'f32', counter: { offset: 17, strides: [103, 1] }, key: [0, 1] },
  ];
  const kernel = mapKernel([5, 103], buffers, values, [{ to: 0, at: dense([5, 103]), value: 2 }]);
  await check(kernel, buffers, 0, Uint32Array.of(0xdeadbeef, 0x12345678));
});

test('host numbers of each type', async () => {
  const bits = new Uint32Array(new Float32Array([2.5]).buffer)[0]!;
  const buffers = [host('f32', 10)];
  const values: Value[] = [
    { kind: 'scalar', dtype: 'f32', slot: 0 },
    { kind: 'scalar', dtype: 'i32', slot: 1 },
    { kind: 'scalar', dtype: 'bool', slot: 2 },
    { kind: 'op', op: 'cast', dtype: 'f32', args: [1] },
    { kind: 'op', op: 'where', dtype: 'f32', args: [2, 0, 3] },
    { kind: 'op', op: 'add', dtype: 'f32', args: [4, 3] },
  ];
  const kernel = mapKernel([10], buffers, values, [{ to: 0, at: dense([10]), value: 5 }]);
  await check(kernel, buffers, 0, Uint32Array.of(bits, -7 >>> 0, 1));
});

const PATTERNS: [DType, (x: number) => number, (bits: number) => number][] = [
  ['f16', toF16, fromF16],
  ['bf16', toBf16, fromBf16],
];

test.each(PATTERNS)('every %s pattern loads and stores back', async (dtype, toBits, fromBits) => {
  const size = 65536;
  const all = [host(dtype, size, (i) => i), host('f32', size)];
  const load: Value = { kind: 'load', dtype: 'f32', from: 0, at: dense([size]) };
  const widen = mapKernel([size], all, [load], [{ to: 1, at: dense([size]), value: 0 }]);
  const widened = (await runWasm(backend, [widen], all))[1]!;
  expect(widened).toEqual(Float32Array.from({ length: size }, (_, i) => fromBits(i)));
  // Values between the patterns too: rounding, ties, overflow, subnormals.
  const x = host('f32', size, (i) => {
    const value = fromBits(i);
    const next = fromBits(i + 1 < size ? i + 1 : i);
    if (!Number.isFinite(value) || !Number.isFinite(next)) return value;
    return [value, (value + next) / 2, value * 0.75 + next * 0.25, value * 1.5][i % 4]!;
  });
  const out = [x, host(dtype, size)];
  const narrow = mapKernel([size], out, [load], [{ to: 1, at: dense([size]), value: 0 }]);
  const narrowed = (await runWasm(backend, [narrow], out))[1]!;
  expect(narrowed).toEqual(Uint16Array.from(x.data, toBits));
});

test.each(PATTERNS)('%s with strides and odd tails', async (dtype, toBits, fromBits) => {
  const buffers = [host(dtype, 200, () => toBits(random())), host(dtype, 200)];
  const values: Value[] = [
    { kind: 'load', dtype: 'f32', from: 0, at: { offset: 1, strides: [1, 9] } },
  ];
  const store = { to: 1, at: { offset: 3, strides: [22, 2] }, value: 0 };
  const kernel = mapKernel([9, 11], buffers, values, [store]);
  const actual = (await runWasm(backend, [kernel], buffers))[1]!;
  const expected = reference(kernel, buffers)[1]!;
  expect(
    worstError(
      Float64Array.from(actual, (b) => fromBits(b)),
      expected,
    ),
  ).toBe(0);
});

test('updates in place, and writes several outputs', async () => {
  const size = 1003;
  const buffers = [f32(size), f32(size), host('bool', size)];
  const at = dense([size]);
  const values: Value[] = [
    { kind: 'load', dtype: 'f32', from: 0, at },
    { kind: 'load', dtype: 'f32', from: 1, at },
    { kind: 'op', op: 'add', dtype: 'f32', args: [0, 1] },
    { kind: 'op', op: 'lt', dtype: 'bool', args: [0, 1] },
  ];
  const stores = [
    { to: 0, at, value: 2 },
    { to: 2, at, value: 3 },
  ];
  const kernel = mapKernel([size], buffers, values, stores);
  const actual = await runWasm(backend, [kernel], buffers);
  const expected = reference(kernel, buffers);
  expect(worstError(actual[0]!, expected[0]!)).toBeLessThan(1e-6);
  expect(worstError(actual[2]!, expected[2]!)).toBe(0);
});
