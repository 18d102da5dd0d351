/**
 * @file Buffers larger than one binding: every kind of kernel is split into dispatches that bind windows, and
 * computes what it did whole. Pieces run in the kernel interpreter, each over copies of its windows alone.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitKernel } from '../../src/backend/webgpu/split/split.ts';
import type { Splitting } from '../../src/backend/webgpu/split/piece.ts';
import { bytesPerElement, type DType } from '../../src/dtype.ts';
import type { Kernel, MatmulKernel, RowKernel, Value } from '../../src/schedule/kernel.ts';
import { contiguousStrides, sizeOf } from '../../src/shape.ts';
import { interpret } from '../kernel-interpreter.ts';
import { buffersOf, load, numbers } from '../webgpu/harness.ts';

type Memory = { readonly dtype: DType; cells: number[] }[];

/** Runs the pieces of a kernel, each of whose buffers holds `cells`, under a binding limit. */
function runSplit(
  kernel: Kernel,
  cells: readonly number[][],
  limit: number,
): { memory: Memory; pieces: number } {
  const memory: Memory = kernel.buffers.map(({ dtype }, i) => ({ dtype, cells: [...cells[i]!] }));
  const splitting: Splitting = {
    limits: { bytes: limit, step: 64 },
    maxBuffers: 7,
    bytesOf: (id) => memory[id]!.cells.length * bytesPerElement(memory[id]!.dtype),
    scratch: (elements, dtype) => {
      const id = memory.push({ dtype, cells: new Array<number>(elements).fill(NaN) }) - 1;
      return { id, dtype, access: 'read_write' };
    },
  };
  const pieces = splitKernel(kernel, splitting);
  for (const piece of pieces) {
    const parts = piece.kernel.buffers.map(({ id, dtype }, i) => {
      const all = memory[id]!.cells;
      const { offset, bytes } = piece.windows[i] ?? { offset: 0, bytes: Infinity };
      expect(offset % 64).toBe(0);
      if (piece.windows[i]) expect(bytes).toBeLessThanOrEqual(limit);
      const from = offset / bytesPerElement(dtype);
      return { all, from, part: all.slice(from, from + bytes / bytesPerElement(dtype)) };
    });
    const kept = piece.clears ? undefined : parts[2]?.part.slice();
    interpret(
      piece.kernel,
      parts.map(({ part }) => part),
      () => 0,
    );
    if (kept) kept.forEach((x, i) => (parts[2]!.part[i]! += x));
    for (const { all, from, part } of parts) part.forEach((x, i) => (all[from + i] = x));
  }
  return { memory, pieces: pieces.length };
}

/** Runs a kernel whole and split, and compares its buffers; the number of dispatches. */
function agree(kernel: Kernel, cells: readonly number[][], limit: number): number {
  const whole = cells.map((x) => [...x]);
  interpret(kernel, whole, () => 0);
  const { memory, pieces } = runSplit(kernel, cells, limit);
  for (const [i, expected] of whole.entries()) {
    const got = memory[i]!.cells;
    const wrong = expected.findIndex(
      (x, j) => !(Math.abs(got[j]! - x) <= 1e-9 * (1 + Math.abs(x))),
    );
    if (wrong >= 0)
      throw new Error(
        `buffer ${i}, element ${wrong}: got ${got[wrong]}, expected ${expected[wrong]}`,
      );
  }
  return pieces;
}

const limits = fc.constantFrom(1024, 4096);
const axis = fc.constantFrom(1, 3, 8, 17);
const assert = { seed: 20261122, numRuns: 25 };

function add(a: number, b: number): Value {
  return { kind: 'op', op: 'add', dtype: 'f32', args: [a, b] };
}

test('maps, with transposed and broadcast operands, positions and 16-bit memory', () => {
  const law = fc.property(axis, axis, axis, limits, (x, y, z, limit) => {
    const loop = [x, y, z];
    const kernel: Kernel = {
      kind: 'map',
      label: 'map',
      loop,
      buffers: buffersOf('f16 f32 f32 w:f32'),
      values: [
        load(0, contiguousStrides(loop)),
        load(1, [1, x, x * y]),
        load(2, [0, 0, 1]),
        { kind: 'index', dtype: 'i32', at: { offset: 0, strides: [y * z, z, 1] } },
        { kind: 'op', op: 'cast', dtype: 'f32', args: [3] },
        add(0, 1),
        add(5, 2),
        add(6, 4),
      ],
      stores: [{ to: 3, at: { offset: 0, strides: contiguousStrides(loop) }, value: 7 }],
    };
    const n = sizeOf(loop);
    agree(
      kernel,
      [numbers(n, 1), numbers(n, 2), numbers(z, 3), new Array<number>(n).fill(0)],
      limit,
    );
  });
  fc.assert(law, assert);
});

/** softmax-like: max, sum of differences, then a store an element and one a row; or only the sums. */
function rows(
  loop: readonly number[],
  rowAxes: number,
  strides: readonly number[],
  full: boolean,
): RowKernel {
  const outer = loop.slice(0, loop.length - rowAxes);
  const perRow = [...contiguousStrides(outer), ...new Array<number>(rowAxes).fill(0)];
  const values: Value[] = [
    load(0, strides),
    { kind: 'accumulator', dtype: 'f32', stage: 0, slot: 0 },
    { kind: 'op', op: 'sub', dtype: 'f32', args: [0, 1] },
    { kind: 'accumulator', dtype: 'f32', stage: 1, slot: 0 },
    { kind: 'op', op: 'mul', dtype: 'f32', args: [2, 3] },
  ];
  const sum = { reduce: 'sum', dtype: 'f32', value: 2 } as const;
  const stages = [
    { accumulators: [{ reduce: 'max', dtype: 'f32', value: 0 } as const, { ...sum, value: 0 }] },
    { accumulators: [sum] },
  ];
  const row = { to: 1, at: { offset: 0, strides: perRow }, value: 3 };
  const element = { to: 2, at: { offset: 0, strides }, value: 4 };
  const buffers = buffersOf(full ? 'f32 w:f32 w:f32' : 'f32 w:f32');
  return {
    kind: 'row',
    label: 'rows',
    loop,
    rowAxes,
    buffers,
    values,
    stages,
    stores: full ? [row, element] : [row],
  };
}

test('rows: many short ones, few long ones, down the columns', () => {
  const sizes = fc.tuple(axis, axis, fc.constantFrom(1, 5, 64, 300));
  const law = fc.property(
    sizes,
    fc.nat(2),
    fc.boolean(),
    limits,
    ([x, y, z], rowAxes, turned, limit) => {
      const loop = [x, y, z];
      const strides = turned ? [1, x, x * y] : contiguousStrides(loop);
      const n = sizeOf(loop);
      const outer = sizeOf(loop.slice(0, 3 - rowAxes - 1));
      const cells = [numbers(n, 4), new Array<number>(outer).fill(0), new Array<number>(n).fill(0)];
      agree(rows(loop, rowAxes + 1, strides, true), cells, limit);
      agree(rows(loop, rowAxes + 1, strides, false), cells.slice(0, 2), limit);
    },
  );
  fc.assert(law, assert);
});

test('matmul along batch, rows, columns and the sum, with its epilogue', () => {
  const size = fc.constantFrom(1, 5, 16, 70);
  const law = fc.property(
    fc.tuple(fc.constantFrom(1, 3), size, size, size),
    fc.boolean(),
    fc.boolean(),
    limits,
    ([b, m, n, k], ta, tb, limit) => {
      const kernel: MatmulKernel = {
        kind: 'matmul',
        label: 'matmul',
        loop: [b, m, n],
        inner: k,
        buffers: buffersOf('f32 f32 f32 w:f32'),
        a: { from: 0, offset: 0, batch: [m * k], row: ta ? 1 : k, column: ta ? m : 1 },
        b: { from: 1, offset: 0, batch: [k * n], row: tb ? 1 : n, column: tb ? k : 1 },
        values: [{ kind: 'product', dtype: 'f32' }, load(2, [0, 0, 1]), add(0, 1)],
        stores: [{ to: 3, at: { offset: 0, strides: [m * n, n, 1] }, value: 2 }],
      };
      const cells = [
        numbers(b * m * k, 5),
        numbers(b * k * n, 6),
        numbers(n, 7),
        new Array<number>(b * m * n).fill(0),
      ];
      agree(kernel, cells, limit);
    },
  );
  fc.assert(law, assert);
});

test('look-ups in a table larger than a binding, indices outside it included', () => {
  const law = fc.property(
    axis,
    fc.constantFrom(4, 50, 300),
    axis,
    limits,
    (n, tableRows, width, limit) => {
      const at = { offset: 0, strides: [0, 1] };
      const kernel: Kernel = {
        kind: 'map',
        label: 'look-up',
        loop: [n, width],
        buffers: buffersOf('f32 i32 f32 w:f32'),
        values: [
          load(1, [1, 0], 0, 'i32'),
          { kind: 'gather', dtype: 'f32', from: 0, at, index: 0, stride: width, rows: tableRows },
          load(2, [width, 1]),
          add(1, 2),
        ],
        stores: [{ to: 3, at: { offset: 0, strides: [width, 1] }, value: 3 }],
      };
      const indices = numbers(n, 8).map((x) => Math.floor((x + 2) * 0.3 * tableRows) - 2);
      agree(
        kernel,
        [
          numbers(tableRows * width, 9),
          indices,
          numbers(n * width, 10),
          new Array<number>(n * width).fill(0),
        ],
        limit,
      );
    },
  );
  fc.assert(law, assert);
});

test('sums by index over many rows and many updates', () => {
  const law = fc.property(
    fc.constantFrom(1, 30, 200),
    fc.constantFrom(0, 7, 300),
    fc.constantFrom(1, 4, 9),
    limits,
    (tableRows, count, width, limit) => {
      const kernel: Kernel = {
        kind: 'scatter',
        keep: 'sum',
        label: 'scatter',
        loop: [tableRows, width],
        buffers: buffersOf('i32 f32 w:f32'),
        values: [],
        stores: [],
        rows: tableRows,
        width,
        count,
      };
      const indices = numbers(count, 11).map((x) => Math.floor((x + 2) * 0.3 * tableRows) - 2);
      agree(
        kernel,
        [indices, numbers(count * width, 12), new Array<number>(tableRows * width).fill(0)],
        limit,
      );
    },
  );
  fc.assert(law, assert);
});

test('sorts of many rows; a row too long for a binding is refused', () => {
  const sorted = (rows: number, length: number): Kernel => ({
    kind: 'sort',
    label: 'argsort',
    loop: [rows, length],
    buffers: buffersOf('f32 w:i32'),
    values: [],
    stores: [],
    rows,
    length,
    descending: rows % 2 === 0,
  });
  for (const [rows, length] of [
    [1, 16],
    [50, 48],
    [77, 33],
    [300, 2],
  ] as const) {
    const cells = [numbers(rows * length, 13), new Array<number>(rows * length).fill(-1)];
    const pieces = agree(sorted(rows, length), cells, 4096);
    expect(pieces > 1).toBe(rows * length > 1024);
  }
  const cells = [numbers(3000, 14), new Array<number>(3000).fill(0)];
  expect(() => agree(sorted(2, 1500), cells, 4096)).toThrow(/rows of 1500 elements are too long/);
});
