/** @file Running totals along axes longer than a block, and than a block of blocks; special values; how many kernels. */
import { describe, expect, test } from 'vitest';
import type { Tensor } from '@camada/tensor';
import { compute, DEVICES, on, type HostInput } from './devices.ts';
import { sequence } from './generate.ts';

const EVERY = [...DEVICES, 'reference'] as const;

function input(shape: number[], values: (next: () => number) => number): HostInput {
  const next = sequence(shape.join().length + shape[0]!);
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => values(next));
  return { data, shape, dtype: 'f32' };
}

const f32 = (...data: number[]): HostInput => {
  return { data: Float32Array.from(data), shape: [data.length], dtype: 'f32' };
};

/** Running totals of a row in plain JavaScript. */
function running(x: Iterable<number>, step: (a: number, b: number) => number): number[] {
  const out: number[] = [];
  for (const v of x) out.push(out.length === 0 ? v : step(out.at(-1)!, v));
  return out;
}

describe.each(EVERY)('running totals on %s', (device) => {
  // With divisors near the block and without, one and two levels of blocks.
  test.each([[129], [1000], [1031], [5000], [4999]])('a row of %i', async (n) => {
    const x = input([n], (next) => Math.floor(next() * 9) - 4);
    const law = ([y]: Tensor[]): Tensor[] => {
      const ordered = y!.cumsum(0, { reverse: true, exclusive: true });
      return [y!.cumsum(0), ordered, ...y!.cummax(0), y!.mul(0.01).add(1).cumprod()];
    };
    const [sums, rest, best, places, products] = await compute(device, law, [x]);
    const total = running(x.data, (a, b) => a + b);
    expect([...sums!.data]).toEqual(total);
    expect([...rest!.data].map((v) => v + 0)).toEqual(total.map((v) => total.at(-1)! - v));
    const maxima = running(x.data, Math.max);
    expect([...best!.data]).toEqual(maxima);
    expect([...places!.data]).toEqual(maxima.map((v, i) => x.data.lastIndexOf(v, i)));
    running(x.data.map((v) => v * 0.01 + 1) as Iterable<number>, (a, b) => a * b).forEach((v, i) =>
      expect(Math.abs(products!.data[i]! / v - 1)).toBeLessThan(2e-4),
    );
  });

  test('columns, and integers that wrap', async () => {
    const x = { data: new Int32Array(300 * 5).fill(3), shape: [300, 5], dtype: 'i32' as const };
    const law = ([y]: Tensor[]): Tensor[] => [y!.cumsum(0), y!.cumprod(0)];
    const [sums, products] = await compute(device, law, [x]);
    const powers = running(new Int32Array(300).fill(3), Math.imul);
    for (let i = 0; i < 1500; i++) {
      expect(sums!.data[i]).toBe(3 * (Math.floor(i / 5) + 1));
      expect(products!.data[i]).toBe(powers[Math.floor(i / 5)]);
    }
  });

  test('infinities and NaN touch only what comes after them', async () => {
    const x = f32(1, -Infinity, 3, Infinity, 5, NaN, 7);
    const law = ([y]: Tensor[]): Tensor[] => [y!.cumsum(), ...y!.cummax(), y!.cummin()[0]];
    const [sums, best, places, worst] = await compute(device, law, [x]);
    expect([...sums!.data]).toEqual([1, -Infinity, -Infinity, NaN, NaN, NaN, NaN]);
    expect([...best!.data]).toEqual([1, 1, 3, Infinity, Infinity, NaN, NaN]);
    expect([...places!.data]).toEqual([0, 0, 2, 3, 3, 5, 5]);
    expect([...worst!.data]).toEqual([1, ...new Array<number>(4).fill(-Infinity), NaN, NaN]);
  });

  test('a running log of exponentials over its whole range', async () => {
    const x = f32(-Infinity, -Infinity, -200, 0, 100, 100, -Infinity, Infinity, 1);
    const [got] = await compute(device, ([y]) => y!.logcumsumexp(), [x]);
    const two = 100 + Math.log(2);
    const expected = [-Infinity, -Infinity, -200, 0, 100, two, two, Infinity, Infinity];
    expected.forEach((v, i) =>
      Number.isFinite(v)
        ? expect(Math.abs(got!.data[i]! - v)).toBeLessThan(1e-4)
        : expect(got!.data[i]).toBe(v),
    );
  });
});

test('a running sum takes a few kernels, whatever is read of it', async () => {
  const engine = await on('wasm');
  const x = input([100_000], (next) => next());
  const counts: number[] = [];
  for (const law of [
    ([y]: Tensor[]): Tensor => y!.cumsum(),
    ([y]: Tensor[]): Tensor => y!.cumsum().slice(0, -1, 100_000),
  ]) {
    const before = engine.counters.kernels;
    await compute('wasm', law, [x]);
    counts.push(engine.counters.kernels - before);
  }
  expect(Math.max(...counts)).toBeLessThanOrEqual(12);
});
