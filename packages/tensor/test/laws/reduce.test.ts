/** @file Reductions and row composites over random axes of random views. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Tensor } from '@camada/tensor';
import { agree } from './compare.ts';
import { DEVICES, compute } from './devices.ts';
import {
  applyViews,
  below,
  filledShapes,
  runs,
  seeds,
  sequence,
  shapes,
  values,
  viewChains,
} from './generate.ts';

/** Reductions over a set of axes. */
const REDUCTIONS: Record<string, (x: Tensor, axes: number[], keepDims: boolean) => Tensor> = {
  sum: (x, axes, keepDims) => x.sum(axes, keepDims),
  mean: (x, axes, keepDims) => x.mean(axes, keepDims),
  max: (x, axes, keepDims) => x.max(axes, keepDims),
  min: (x, axes, keepDims) => x.min(axes, keepDims),
  variance: (x, axes, keepDims) => x.variance(axes, keepDims),
  'sum of squares': (x, axes, keepDims) => x.square().sum(axes, keepDims),
  'max of a difference': (x, axes, keepDims) => x.sub(x.mean(axes, true)).max(axes, keepDims),
};

/** Ops along one axis; most read the row more than once. */
const ROWS: Record<string, (x: Tensor, axis: number) => Tensor> = {
  softmax: (x, axis) => x.softmax(axis),
  logSoftmax: (x, axis) => x.logSoftmax(axis),
  logSumExp: (x, axis) => x.logSumExp(axis),
  argmax: (x, axis) => x.argmax(axis),
  'layer norm': (x, axis) =>
    x.sub(x.mean(axis, true)).mul(x.variance(axis, true).add(1e-3).rsqrt()),
  'rms norm': (x, axis) => x.mul(x.square().mean(axis, true).add(1e-5).rsqrt()),
  'softmax of softmax': (x, axis) => x.softmax(axis).mul(3).softmax(axis),
  'row minus its maximum, squared, over its sum': (x, axis) => {
    const y = x.sub(x.max(axis, true)).square();
    return y.div(y.sum(axis, true).add(1));
  },
};

function someAxes(rank: number, seed: number): number[] {
  const next = sequence(seed);
  return Array.from({ length: rank }, (_, i) => i).filter(() => next() < 0.6);
}

const drawn = fc.record({
  shape: filledShapes(4, 1),
  chain: viewChains(3),
  seed: seeds,
  keepDims: fc.boolean(),
});

describe.each(DEVICES)('reductions on %s', (device) => {
  test.each(Object.keys(REDUCTIONS))('%s', async (name) => {
    const law = fc.asyncProperty(drawn, async ({ shape, chain, seed, keepDims }) => {
      const apply = ([x]: Tensor[]): Tensor => {
        const view = filled(applyViews(x!, chain), x!);
        return REDUCTIONS[name]!(view, someAxes(view.rank, seed), keepDims);
      };
      await agree(device, apply, [values(shape, seed)], 4e-5);
    });
    await fc.assert(law, runs(12));
  });

  test.each(Object.keys(ROWS))('%s', async (name) => {
    const law = fc.asyncProperty(drawn, async ({ shape, chain, seed }) => {
      const apply = ([x]: Tensor[]): Tensor => {
        const view = filled(applyViews(x!, chain), x!);
        return ROWS[name]!(view, below(sequence(seed), view.rank));
      };
      await agree(device, apply, [values(shape, seed)], 4e-5);
    });
    await fc.assert(law, runs(12));
  });

  test('integers reduce exactly', async () => {
    const law = fc.asyncProperty(
      drawn,
      fc.constantFrom('i32', 'u32'),
      async ({ shape, seed }, type) => {
        const axes = someAxes(shape.length, seed);
        const apply = ([x]: Tensor[]): Tensor[] => [x!.sum(axes), x!.max(axes), x!.min(axes)];
        await agree(device, apply, [values(shape, seed, 'integer', type as 'i32')], 0);
      },
    );
    await fc.assert(law, runs(10));
  });

  test('the sum over an empty axis is 0, and max, min, mean of nothing are refused', async () => {
    const law = fc.asyncProperty(shapes(3, 1), seeds, async (shape, seed) => {
      const empty = [...shape.slice(0, -1), 0];
      const [sum] = await compute(device, ([x]) => x!.sum(-1), [values(empty, seed)]);
      expect([...sum!.data].every((x) => x === 0)).toBe(true);
      expect(sum!.shape).toEqual(empty.slice(0, -1));
    });
    await fc.assert(law, runs(5));
    const none = values([2, 0], 1);
    await expect(compute(device, ([x]) => x!.max(-1), [none])).rejects.toThrow(/max: no elements/);
    await expect(compute(device, ([x]) => x!.min(-1), [none])).rejects.toThrow(/min: no elements/);
    await expect(compute(device, ([x]) => x!.mean(-1), [none])).rejects.toThrow(
      /mean: no elements/,
    );
  });

  test.each([[100_000], [8193], [3, 70_000], [70_000, 3], [1, 1], [9001, 7]])(
    'long sums and softmax of [%i, %i]',
    async (...shape) => {
      const sizes = shape.filter((n) => typeof n === 'number');
      const law = ([x]: Tensor[]): Tensor[] => [x!.sum(), x!.sum(-1), x!.max(), x!.mean(0)];
      const input = values(sizes, 5, 'positive');
      await agree(device, law, [input], 2e-5);
      await agree(device, ([x]) => x!.softmax(-1), [input], 1e-6);
    },
  );

  test('softmax survives large and infinite numbers', async () => {
    const data = Float32Array.of(1e4, 1e4, -1e4, 3e38, -Infinity, 0, -Infinity, 1);
    const input = { data, shape: [4, 2], dtype: 'f32' as const };
    await agree(device, ([x]) => [x!.softmax(), x!.logSoftmax()], [input], 1e-6);
  });

  test('max and min are NaN wherever a NaN stands, along rows and across them', async () => {
    for (const [rows, length] of [
      [3, 5],
      [40, 33],
      [2, 9000],
    ] as const) {
      const data = new Float32Array(rows * length).map((_, i) => Math.sin(i));
      const places = [0, length - 1, rows * length - 2];
      for (const place of places) data[place] = NaN;
      const law = ([x]: Tensor[]): Tensor[] =>
        [0, 1].flatMap((axis) => [x!.max(axis), x!.min(axis), x!.argmax(axis), x!.argmin(axis)]);
      await agree(device, law, [{ data, shape: [rows, length], dtype: 'f32' }], 0);
      const whole = ([x]: Tensor[]): Tensor[] => [x!.max(), x!.flatten().argmax()];
      const [max, first] = await compute(device, whole, [
        { data, shape: [rows, length], dtype: 'f32' },
      ]);
      expect(max!.data[0]).toBeNaN();
      expect(first!.data[0]).toBe(0);
    }
  });

  test('integers wrap modulo 2³² in sums and products', async () => {
    const data = Int32Array.of(2 ** 31 - 1, 5, -7, 2 ** 30, 2 ** 30, 3);
    const law = ([x]: Tensor[]): Tensor[] => [x!.sum(1), x!.prod(1), x!.cast('u32').sum(1)];
    const [sums, products, unsigned] = await compute(device, law, [
      { data, shape: [2, 3], dtype: 'i32' },
    ]);
    expect([...sums!.data]).toEqual([(2 ** 31 - 1 + 5 - 7) | 0, (2 ** 31 + 3) | 0]);
    expect([...products!.data]).toEqual([Math.imul(Math.imul(2 ** 31 - 1, 5), -7), 0]);
    expect([...unsigned!.data]).toEqual([(2 ** 31 + 2 ** 32 - 3) % 2 ** 32, 2 ** 31 + 3]);
  });

  test('over nothing: sum 0, prod 1, any false, all true', async () => {
    const law = ([x]: Tensor[]): Tensor[] => [x!.sum(1), x!.prod(1), x!.any(1), x!.all(1)];
    const results = await compute(device, law, [values([2, 0], 1)]);
    expect(results.map(({ data }) => [...data])).toEqual([
      [0, 0],
      [1, 1],
      [0, 0],
      [1, 1],
    ]);
  });

  test('log Σ exp of infinities', async () => {
    const data = Float32Array.of(-Infinity, -Infinity, 1, -Infinity, Infinity, 2);
    const [got] = await compute(device, ([x]) => x!.logSumExp(), [
      { data, shape: [3, 2], dtype: 'f32' },
    ]);
    expect([...got!.data]).toEqual([-Infinity, 1, Infinity]);
  });

  test('argmax takes the first of equals', async () => {
    const data = Float32Array.of(1, 3, 3, 0, 2, 2, 2, 2);
    const [got] = await compute(device, ([x]) => x!.argmax(), [
      { data, shape: [2, 4], dtype: 'f32' },
    ]);
    expect([...got!.data]).toEqual([1, 0]);
  });
});

/** A view without elements or axes has nothing to reduce: then the base is used. */
function filled(view: Tensor, base: Tensor): Tensor {
  return view.size === 0 || view.rank === 0 ? base : view;
}
