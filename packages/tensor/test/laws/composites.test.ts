/** @file Literals, host numbers, normal numbers and joining, on every device. */
import { describe, expect, test } from 'vitest';
import { arange, concat, full, ones, randomNormal, scalar, stack, zeros } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import fc from 'fast-check';
import { agree } from './compare.ts';
import { DEVICES, compute } from './devices.ts';
import {
  applyViews,
  below,
  runs,
  seeds,
  sequence,
  shapes,
  values,
  viewChains,
} from './generate.ts';

describe.each([...DEVICES, 'reference'] as const)('composites on %s', (device) => {
  test('zeros, ones, full, arange, scalar', async () => {
    const law = (): Tensor[] => [
      zeros([2, 3]),
      ones([4], 'i32'),
      full([2], 2.5),
      arange(5),
      arange(4, 'f32'),
      scalar(7),
      full([3], -Infinity),
    ];
    const results = await compute(device, law, []);
    const lists = results.map(({ data }) => [...data]);
    const expected = [
      [0, 0, 0, 0, 0, 0],
      [1, 1, 1, 1],
      [2.5, 2.5],
      [0, 1, 2, 3, 4],
      [0, 1, 2, 3],
      [7],
    ];
    expect(lists).toEqual([...expected, [-Infinity, -Infinity, -Infinity]]);
  });

  test('host numbers on either side keep the type of the tensor', async () => {
    const input = { data: Int32Array.of(-3, 0, 4), shape: [3], dtype: 'i32' as const };
    const law = ([x]: Tensor[]): Tensor[] => [
      x!.add(2),
      x!.mul(-3),
      x!.add(0.5),
      x!.div(2),
      x!.maximum(1),
    ];
    const results = await compute(device, law, [input]);
    expect(results.map(({ dtype }) => dtype)).toEqual(['i32', 'i32', 'f32', 'f32', 'i32']);
    const lists = results.map(({ data }) => [...data]);
    expect(lists).toEqual([
      [-1, 2, 6],
      [9, 0, -12],
      [-2.5, 0.5, 4.5],
      [-1.5, 0, 2],
      [1, 1, 4],
    ]);
  });

  test('normal numbers have mean 0, variance 1, and no infinities', async () => {
    const [got] = await compute(device, () => randomNormal([20_000], [1, 2]), []);
    const data = [...got!.data];
    const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
    const variance = data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length;
    expect(data.every(Number.isFinite)).toBe(true);
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.04);
  });
});

describe.each(DEVICES)('joining on %s', (device) => {
  test('concat equals the parts', async () => {
    const drawn = fc.record({
      shape: shapes(3, 1),
      seed: seeds,
      parts: fc.integer({ min: 1, max: 4 }),
    });
    const law = fc.asyncProperty(drawn, async ({ shape, seed, parts }) => {
      const next = sequence(seed);
      const axis = below(next, shape.length);
      const inputs = Array.from({ length: parts }, (_, i) => {
        const sizes = shape.map((n, a) => (a === axis ? below(next, 5) : n));
        return values(sizes, seed + i);
      });
      const apply = (x: Tensor[]): Tensor => concat(x, axis);
      await agree(device, apply, inputs, 0);
      const slices = (x: Tensor[]): Tensor[] => {
        const whole = concat(x, axis);
        let start = 0;
        return x.map((part) => {
          const end = (start += part.shape[axis]!);
          return whole.slice(axis, end - part.shape[axis]!, end);
        });
      };
      const parted = await compute(device, slices, inputs);
      expect(parted.map(({ data }) => [...data])).toEqual(inputs.map(({ data }) => [...data]));
    });
    await fc.assert(law, runs(15));
  });

  test('stack adds an axis', async () => {
    const inputs = [values([2, 3], 1), values([2, 3], 2)];
    for (const axis of [0, 1, 2, -1]) await agree(device, (x) => stack(x, axis), inputs, 0);
  });

  test('concat of views with padding and broadcasts', async () => {
    const drawn = fc.record({ shape: shapes(3, 1), seed: seeds, chain: viewChains(3) });
    const law = fc.asyncProperty(drawn, async ({ shape, seed, chain }) => {
      const apply = ([x]: Tensor[]): Tensor => {
        const view = applyViews(x!, chain, 2);
        return concat([view.mul(2), view, view.neg()], -1);
      };
      await agree(device, apply, [values(shape, seed)], 0);
    });
    await fc.assert(law, runs(10));
  });
});
