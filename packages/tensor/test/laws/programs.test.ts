/**
 * @file Random programs: a handful of ops of all kinds over shared intermediate values, several outputs in one
 * run. This is where wrong fusion, wrong lifetimes of scratch memory and wrong reuse show.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, openDevice, tensor, useDevice, where } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { agree } from './compare.ts';
import { DEVICES, compute, type Law } from './devices.ts';
import {
  applyViews,
  below,
  filledShapes,
  runs,
  seeds,
  sequence,
  values,
  viewChains,
} from './generate.ts';

type Next = () => number;
type Step = (x: Tensor, pool: readonly Tensor[], next: Next) => Tensor;

const UNARY: ((x: Tensor) => Tensor)[] = [
  (x) => x.tanh(),
  (x) => x.gelu(),
  (x) => x.sigmoid(),
  (x) => x.relu(),
  (x) => x.neg(),
  (x) => x.abs(),
  (x) => x.mul(0.3).exp(),
  (x) => x.mul(0.5).add(1.25),
  (x) => x.square().add(1).rsqrt(),
];

const axisOf = (x: Tensor, next: Next): number => below(next, x.rank);

/** A member of the pool that broadcasts against x without growing it, or x itself. */
function partner(x: Tensor, pool: readonly Tensor[], next: Next): Tensor {
  const start = below(next, pool.length);
  const order = pool.map((_, i) => pool[(start + i) % pool.length]!);
  return order.find((y) => y !== x && fits(y, x)) ?? x;
}

function fits(y: Tensor, x: Tensor): boolean {
  const offset = x.rank - y.rank;
  return offset >= 0 && y.shape.every((n, i) => n === 1 || n === x.shape[offset + i]);
}

/** Kinds of steps; each keeps values within a few units, so that f32 stays close to f64. */
const STEPS: Record<string, Step> = {
  unary: (x, _pool, next) => UNARY[below(next, UNARY.length)]!(x),
  'unary again': (x, _pool, next) => UNARY[below(next, UNARY.length)]!(x),
  add: (x, pool, next) => x.add(partner(x, pool, next)).mul(0.5),
  multiply: (x, pool, next) => x.mul(partner(x, pool, next)).tanh(),
  select: (x, pool, next) => {
    const y = partner(x, pool, next);
    return where(y.gt(0.1234567), x, y.neg());
  },
  'sum over an axis': (x, _pool, next) => x.sum(axisOf(x, next), true).mul(0.1).tanh(),
  'subtract the mean': (x, _pool, next) => x.sub(x.mean(axisOf(x, next), true)),
  'largest of an axis': (x, _pool, next) => x.max(axisOf(x, next), true),
  softmax: (x, _pool, next) => x.softmax(axisOf(x, next)).mul(3),
  'layer norm': (x, _pool, next) => {
    const axis = axisOf(x, next);
    return x.sub(x.mean(axis, true)).mul(x.variance(axis, true).add(0.1).rsqrt());
  },
  'product with itself': (x) => (x.rank < 2 ? x : x.tanh().matmul(x.tanh().transpose()).mul(0.1)),
  // Odd numbers, so that a saturated tanh does not lie on an edge of floor.
  'rows by index': (x, _pool, next) => {
    const at = x
      .reshape([-1])
      .slice(0, 0, Math.min(x.size, 1 + below(next, 3)))
      .mul(2.3717)
      .add(0.1131)
      .floor()
      .cast('i32');
    return x.gather(at);
  },
  join: (x, _pool, next) => (x.size > 2000 ? x : concat([x, x.mul(2)], axisOf(x, next))),
};

const KINDS = Object.values(STEPS);

/** The program that a list of seeds means: every step works on a recent value. */
function program(steps: readonly number[], chain: Parameters<typeof applyViews>[1]): Law {
  return (inputs) => {
    const pool: Tensor[] = [...inputs, ...inputs.map((x) => nonEmpty(applyViews(x, chain), x))];
    for (const seed of steps) {
      const next = sequence(seed);
      const x = pool[pool.length - 1 - below(next, Math.min(3, pool.length))]!;
      const y = KINDS[below(next, KINDS.length)]!(x, pool, next);
      if (y.size <= 4096 && y.rank > 0) pool.push(nonEmpty(applyViews(y, viewOf(next)), y));
    }
    return pool.slice(-3);
  };
}

function viewOf(next: Next): Parameters<typeof applyViews>[1] {
  if (next() < 0.7) return [];
  const kind = (['permute', 'slice', 'pad', 'join', 'split', 'unsqueeze'] as const)[
    below(next, 6)
  ]!;
  return [{ kind, seed: below(next, 1000) }];
}

function nonEmpty(view: Tensor, base: Tensor): Tensor {
  return view.size === 0 || view.rank === 0 || view.rank > 5 ? base : view;
}

const drawn = fc.record({
  shape: filledShapes(3, 1),
  chain: viewChains(2),
  seed: seeds,
  steps: fc.array(seeds, { minLength: 1, maxLength: 12 }),
});

describe.each(DEVICES)('programs on %s', (device) => {
  test('equal the reference', async () => {
    const law = fc.asyncProperty(drawn, async ({ shape, chain, seed, steps }) => {
      const inputs = [values(shape, seed), values(shape.slice(-1), seed + 1)];
      await agree(device, program(steps, chain), inputs, 2e-4);
    });
    await fc.assert(law, runs(60));
  });

  test('give the same bits again, from the cache', async () => {
    const law = fc.asyncProperty(drawn, async ({ shape, chain, seed, steps }) => {
      const inputs = [values(shape, seed)];
      const first = await compute(device, program(steps, chain), inputs);
      const second = await compute(device, program(steps, chain), inputs);
      expect(second.map(({ data }) => [...data])).toEqual(first.map(({ data }) => [...data]));
    });
    await fc.assert(law, runs(15));
  });

  test('take other data through a cached program', async () => {
    const law = fc.asyncProperty(drawn, async ({ shape, chain, seed, steps }) => {
      await agree(device, program(steps, chain), [values(shape, seed)], 2e-4);
      await agree(device, program(steps, chain), [values(shape, seed + 77)], 2e-4);
    });
    await fc.assert(law, runs(15));
  });

  test.each([9, 13, 30])('%i operands, more than one kernel may bind', async (count) => {
    const inputs = Array.from({ length: count }, (_, i) => values([5, 3], i));
    const law = (x: Tensor[]): Tensor[] => [
      x.reduce((sum, y) => sum.add(y.tanh())),
      x.reduce((sum, y) => sum.mul(0.5).add(y)).softmax(),
      concat(x, 1).sum(0),
    ];
    await agree(device, law, inputs, 1e-5);
  });

  test('with only the limits that WebGPU guarantees', async () => {
    const small = await openDevice(device, { limits: 'default' });
    const inputs = Array.from({ length: 12 }, (_, i) => values([5, 3], i));
    const law = (x: Tensor[]): Tensor => x.reduce((sum, y) => sum.mul(y.tanh()).add(y));
    const [expected] = await compute('reference', law, inputs);
    useDevice(small);
    const got = await law(inputs.map((input) => tensor(input.data, input.shape))).data();
    small.dispose();
    for (const [i, y] of expected!.data.entries()) expect(got[i]).toBeCloseTo(y, 4);
  });

  test('a chain of 3,000 ops', async () => {
    const law = ([x]: Tensor[]): Tensor => {
      let y = x!;
      for (let i = 0; i < 1000; i++) y = y.mul(0.999).add(0.001).maximum(-5);
      return y;
    };
    await agree(device, law, [values([33], 1)], 1e-3);
  });
});
