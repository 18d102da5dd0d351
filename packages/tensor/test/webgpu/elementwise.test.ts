/** @file Every elementwise op of the table over its domain, on the device. */
import type { ScalarType } from '../../src/dtype.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { ELEMENTWISE, type ElementwiseName } from '../../src/ops/elementwise.ts';
import { meaningOf, type Domain, type ElementwiseOp } from '../../src/ops/primitive.ts';
import { erf } from '../../src/ops/special.ts';
import type { MapKernel, Value } from '../../src/schedule/kernel.ts';
import { buffersOf, expectClose, load, numbers, open, runKernel } from './harness.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await open();
});
afterAll(() => backend.dispose());

const COUNT = 67;

function draw(domain: Domain, type: ScalarType, seed: number): number[] {
  const base = numbers(COUNT, seed, 1);
  if (type === 'bool') return base.map((x) => Number(x > 0));
  if (type === 'u32') return base.map((x) => Math.floor((x + 1) * 50) + 1);
  if (type === 'i32') return base.map((x) => Math.round(x * 50) || 1);
  if (domain === 'positive') return base.map((x) => Math.fround(0.01 + Math.abs(x) * 9));
  if (domain === 'nonzero') return base.map((x) => Math.fround(x * 5 + Math.sign(x) * 0.1));
  if (domain === 'small') return base.map((x) => Math.fround(x * 3));
  if (domain === 'integer') return base.map((x) => Math.round(x * 4));
  return base.map((x) => Math.fround(x * 8));
}

function kernelOf(
  name: ElementwiseName,
  types: readonly ScalarType[],
  result: ScalarType,
): MapKernel {
  const values: Value[] = types.map((type, i) => load(i, [1], 0, type));
  values.push({ kind: 'op', op: name, dtype: result, args: types.map((_, i) => i) });
  const store = { to: types.length, at: { offset: 0, strides: [1] }, value: types.length };
  const buffers = buffersOf([...types, `w:${result}`].join(' '));
  return { kind: 'map', label: name, buffers, loop: [COUNT], values, stores: [store] };
}

const CASES = (Object.keys(ELEMENTWISE) as ElementwiseName[]).flatMap((name) =>
  ELEMENTWISE[name].types.map((type) => [name, type] as const),
);

test.each(CASES)('%s of %s', async (name, type) => {
  const op: ElementwiseOp = ELEMENTWISE[name];
  const types = op.sample.map((_, i) => (name === 'where' && i === 0 ? 'bool' : type));
  const results: readonly ScalarType[] =
    op.result === 'attr' ? ['f32', 'i32', 'u32', 'bool'] : [op.result === 'bool' ? 'bool' : type];
  for (const result of results) {
    const inputs = types.map((t, i) => draw(op.sample[i]!, t, i + 1));
    if (name === 'cast' && result === 'u32') inputs[0] = inputs[0]!.map(Math.abs);
    const expected = inputs[0]!.map((_, j) => {
      const x = meaningOf(op, type)(...inputs.map((list) => list[j]!));
      if (result === 'bool') return Number(x !== 0);
      if (result === 'i32') return Math.trunc(x) | 0;
      return result === 'u32' ? Math.trunc(x) >>> 0 : x;
    });
    const memory = [...inputs, new Array<number>(COUNT).fill(0)];
    const out = await runKernel(backend, kernelOf(name, types, result), memory);
    expectClose(out.at(-1)!, expected, op.tolerance, `${name} ${type} to ${result}`);
  }
});

async function unary(name: ElementwiseName, inputs: readonly number[]): Promise<number[]> {
  const padded = [...inputs, ...new Array<number>(COUNT - inputs.length).fill(0)];
  const memory = [padded, new Array<number>(COUNT).fill(0)];
  const out = await runKernel(backend, kernelOf(name, ['f32'], 'f32'), memory);
  return out[1]!.slice(0, inputs.length);
}

test('large arguments overflow to limits, never to NaN', async () => {
  expect(await unary('tanh', [100, -100, 1e30, Infinity, -Infinity])).toEqual([1, -1, 1, 1, -1]);
  expect(await unary('exp', [1000, -1000, -Infinity])).toEqual([Infinity, 0, 0]);
  expect(await unary('erf', [50, -50, Infinity, 0])).toEqual([1, -1, 1, 0]);
});

test('erf is within 5e-7 everywhere and relative to x near 0', async () => {
  const xs = Array.from({ length: 60 }, (_, i) => Math.fround((i - 30) / 7));
  expectClose(await unary('erf', xs), xs.map(erf), 5e-7, 'erf');
  const [tiny] = await unary('erf', [Math.fround(1e-5)]);
  expect(tiny! / erf(Math.fround(1e-5))).toBeCloseTo(1, 5);
});

test('sin and cos keep their precision over many turns', async () => {
  const xs = Array.from({ length: 60 }, (_, i) => Math.fround((i - 30) ** 3 / 13));
  expectClose(await unary('sin', xs), xs.map(Math.sin), 1e-6, 'sin');
  expectClose(await unary('cos', xs), xs.map(Math.cos), 1e-6, 'cos');
});

test('pow at its corners', async () => {
  const x = [0, 0, 0, 1, -2, 2, 4];
  const y = [0, 2, -1, 9, 2, -2, 0.5];
  const pad = (list: number[]): number[] => [
    ...list,
    ...new Array<number>(COUNT - list.length).fill(1),
  ];
  const memory = [pad(x), pad(y), pad([])];
  const out = await runKernel(backend, kernelOf('pow', ['f32', 'f32'], 'f32'), memory);
  expectClose(out[2]!.slice(0, 7), [1, 0, Infinity, 1, 4, 0.25, 2], 1e-6);
});
