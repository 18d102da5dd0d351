/** @file Every elementwise op on wasm against its f64 reference, over its domain and at the edges. */
import type { ScalarType } from '../../src/dtype.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ELEMENTWISE, type ElementwiseName } from '../../src/ops/elementwise.ts';
import type { Domain } from '../../src/ops/primitive.ts';
import type { MapKernel, Value } from '../../src/schedule/kernel.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { openWasm } from '../../src/backend/wasm/index.ts';
import { dense, host, numbers, reference, runWasm, worstError } from './harness.ts';

const SIZE = 4099;

const DRAW: Record<Domain, (u: number) => number> = {
  real: (u) => u * 20,
  positive: (u) => Math.exp(u * 8),
  nonzero: (u) => u * 10 + Math.sign(u || 1) * 0.1,
  small: (u) => u * 3,
  unit: (u) => u,
  aboveOne: (u) => 2 + u,
  integer: (u) => Math.trunc(u * 5),
  bool: (u) => Number(u > 0),
  any: (u) => u * 100,
};

function drawn(dtype: ScalarType, domain: Domain, u: number): number {
  if (dtype === 'bool') return Number(u > 0);
  const x = DRAW[domain](u);
  if (dtype === 'f32') return x;
  return dtype === 'u32' ? Math.abs(Math.trunc(x)) : Math.trunc(x);
}

function opKernel(
  op: ElementwiseName,
  types: readonly ScalarType[],
  result: ScalarType,
): MapKernel {
  const at = dense([SIZE]);
  const loads = types.map((dtype, from): Value => ({ kind: 'load', dtype, from, at }));
  const args = types.map((_, i) => i);
  return {
    kind: 'map',
    label: op,
    loop: [SIZE],
    buffers: [...types, result].map((dtype, id) => ({
      id,
      dtype,
      access: id < types.length ? 'read' : 'write',
    })),
    values: [...loads, { kind: 'op', op, dtype: result, args }],
    stores: [{ to: types.length, at, value: types.length }],
  };
}

const ALL: readonly ScalarType[] = ['f32', 'i32', 'u32', 'bool'];

function casesOf(op: ElementwiseName): { types: ScalarType[]; result: ScalarType }[] {
  const { arity, types, result } = ELEMENTWISE[op];
  return types.flatMap((type) => {
    const operands = new Array<ScalarType>(arity).fill(type);
    if (op === 'where') operands[0] = 'bool';
    if (result === 'attr') return ALL.map((to) => ({ types: operands, result: to }));
    return [{ types: operands, result: result === 'bool' ? 'bool' : type }];
  });
}

describe.each([{ relaxed: true }, { relaxed: false }])('elementwise, %o', ({ relaxed }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openWasm({ threads: 1, relaxed });
  });
  afterAll(() => backend.dispose());

  const names = Object.keys(ELEMENTWISE) as ElementwiseName[];
  const cases = names.flatMap((op) => casesOf(op).map((c) => ({ op, ...c })));
  test.each(cases)('$op $types -> $result', async ({ op, types, result }) => {
    const { sample, tolerance } = ELEMENTWISE[op];
    const random = numbers(7 + op.length);
    const inputs = types.map((dtype, i) =>
      host(dtype, SIZE, () => drawn(dtype, sample[i] ?? 'real', random())),
    );
    const buffers = [...inputs, host(result, SIZE)];
    const kernel = opKernel(op, types, result);
    const expected = reference(kernel, buffers)[types.length]!;
    const actual = (await runWasm(backend, [kernel], buffers))[types.length]!;
    expect(worstError(actual, expected)).toBeLessThanOrEqual(tolerance);
  });

  async function of(op: ElementwiseName, ...columns: number[][]): Promise<number[]> {
    const kernel = opKernel(
      op,
      columns.map(() => 'f32'),
      'f32',
    );
    const buffers = [...columns, []].map((values) => host('f32', SIZE, (i) => values[i] ?? 0));
    const result = (await runWasm(backend, [kernel], buffers))[columns.length]!;
    return [...result.slice(0, columns[0]!.length)];
  }

  test('exp at its edges', async () => {
    const x = [-1e30, -Infinity, 1000, Infinity, NaN, 0, -0, 88.7, -86.8, 89, -104];
    const [a, b, c, d, e, f, g, h, i, j, k] = await of('exp', x);
    expect([a, b, c, d, e, f, g, j, k]).toEqual([0, 0, Infinity, Infinity, NaN, 1, 1, Infinity, 0]);
    expect(h! / Math.exp(Math.fround(88.7))).toBeCloseTo(1, 5);
    expect(i! / Math.exp(Math.fround(-86.8))).toBeCloseTo(1, 5);
  });

  test('log at its edges', async () => {
    const x = [0, -0, -1, Infinity, NaN, 1, 1e-40, 3e38];
    const [a, b, c, d, e, f, g, h] = await of('log', x);
    expect([a, b, c, d, e, f]).toEqual([-Infinity, -Infinity, NaN, Infinity, NaN, 0]);
    expect(g).toBeCloseTo(Math.log(Math.fround(1e-40)), 4);
    expect(h).toBeCloseTo(Math.log(3e38), 4);
  });

  test('tanh and erf saturate and keep relative accuracy near 0', async () => {
    const x = [Infinity, -Infinity, NaN, 1e30, 1e-6, -1e-6];
    for (const op of ['tanh', 'erf'] as const) {
      const [a, b, c, d, e, f] = await of(op, x);
      expect([a, b, c, d]).toEqual([1, -1, NaN, 1]);
      const slope = op === 'tanh' ? 1 : 2 / Math.sqrt(Math.PI);
      expect(e! / (1e-6 * slope)).toBeCloseTo(1, 5);
      expect(f).toBe(-e!);
    }
  });

  test('sin and cos far from 0', async () => {
    const x = [0, 1e3, -1e5, 1e6, 123456.789, -7e8];
    const f32 = x.map(Math.fround);
    expect(worstError(await of('sin', x), f32.map(Math.sin))).toBeLessThan(1e-6);
    expect(worstError(await of('cos', x), f32.map(Math.cos))).toBeLessThan(1e-6);
  });

  test('pow of zeros, ones, infinities and negative bases', async () => {
    const x = [0, 0, 0, 1, 2, -2, 2, Infinity, 4, 9];
    const y = [0, 2, -1, 5, 0, 2, 1000, 0, 0.5, -0.5];
    const expected = [1, 0, Infinity, 1, 1, 4, Infinity, 1, 2, 1 / 3];
    expect(worstError(await of('pow', x, y), expected)).toBeLessThan(4e-5);
  });
});
