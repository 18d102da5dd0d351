/**
 * @file Gradients: random programs against central differences in f64, and the gradients of every device against
 * the reference's.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, realize, tensor, where } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { agree } from '../../../tensor/test/laws/compare.ts';
import { DEVICES, on } from '../../../tensor/test/laws/devices.ts';
import {
  applyViews,
  below,
  runs,
  seeds,
  sequence,
  shapes,
  values,
  viewChains,
  type ViewStep,
} from '../../../tensor/test/laws/generate.ts';
import { checkpoint, grad, gradcheck } from '../../src/index.ts';

/** Smooth steps, x of rank ≥ 1; values stay within a few units. */
const STEPS: ((x: Tensor, y: Tensor, axis: number) => Tensor)[] = [
  (x) => x.tanh(),
  (x) => x.gelu(),
  (x) => x.silu(),
  (x) => x.geluTanh(),
  (x) => x.square().add(1).rsqrt(),
  (x) => x.square().add(0.5).log(),
  (x, y) => x.mul(y.tanh()),
  (x, y) => x.add(y).mul(0.5),
  (x, y) => x.div(y.square().add(1)),
  (x, _, axis) => x.sub(x.mean(axis, true)),
  (x, _, axis) => x.softmax(axis).mul(3),
  (x, _, axis) => x.logSoftmax(axis).mul(0.3),
  (x, _, axis) => x.logSumExp(axis, true).add(x.mul(0.2)),
  (x, _, axis) => x.sub(x.mean(axis, true)).mul(x.variance(axis, true).add(0.1).rsqrt()),
  (x, y) => where(y.detach().gt(0.2), x, x.mul(0.1)),
  (x) => (x.rank < 2 ? x : x.matmul(x.transpose()).mul(0.1).tanh()),
  (x) => x.gather(tensor(Int32Array.of(0, x.shape[0]! - 1, 0))),
  (x, y, axis) => (x.size > 60 ? x : concat([x, y.tanh()], axis)),
];

/** How a step is called: `run(f, x, y)` is `f(x, y)`. */
type Call = (f: (x: Tensor, y: Tensor) => Tensor, x: Tensor, y: Tensor) => Tensor;
const plainly: Call = (f, x, y) => f(x, y);

/** A scalar function of one tensor, from seeds. */
function program(
  steps: readonly number[],
  chain: readonly ViewStep[],
  call: Call = plainly,
): (x: Tensor[]) => Tensor {
  return ([input]) => {
    const view = applyViews(input!, chain);
    let x = view.rank === 0 || view.size === 0 || view.size > 200 ? input! : view;
    let previous = x;
    for (const seed of steps) {
      const next = sequence(seed);
      const y = previous.shape.join() === x.shape.join() ? previous : x;
      previous = x;
      const step = STEPS[below(next, STEPS.length)]!;
      const axis = below(next, x.rank);
      x = call((a, b) => step(a, b, axis), x, y);
    }
    return x.mul(x).mean();
  };
}

const small = shapes(3, 1).map((shape) => shape.map((n) => Math.min(4, Math.max(1, n))));
const drawn = fc.record({
  shape: small,
  chain: viewChains(2),
  seed: seeds,
  steps: fc.array(seeds, { minLength: 1, maxLength: 5 }),
});

test('gradients of random programs equal central differences', async () => {
  await on('reference');
  const law = fc.asyncProperty(drawn, async ({ shape, chain, seed, steps }) => {
    const { data } = values(shape, seed, 'small');
    const { maxError } = await gradcheck(program(steps, chain), [tensor(data, shape)], {
      tolerance: 1e-5,
    });
    expect(maxError).toBeLessThan(1e-5);
  });
  await fc.assert(law, runs(40));
});

describe.each(DEVICES)('gradients on %s', (device) => {
  test('of random programs equal the reference', async () => {
    const law = fc.asyncProperty(drawn, async ({ shape, chain, seed, steps }) => {
      const f = program(steps, chain);
      const both = (x: Tensor[]): Tensor[] => {
        const loss = f(x);
        return [loss, ...grad(loss, [x[0]!])];
      };
      await agree(device, both, [values(shape, seed, 'small')], 2e-4);
    });
    await fc.assert(law, runs(25));
  });

  test('through a join of a slice, less its mean (a reduction inside a pad)', async () => {
    const law = ([t]: Tensor[]): Tensor[] => {
      const x = t!.reshape([2, 2]).slice(0, 1, 2);
      const joined = concat([x, x.tanh()], 1);
      const loss = joined.sub(joined.mean(1, true)).square().mean();
      return [loss, ...grad(loss, [t!])];
    };
    await agree(device, law, [values([4], 0, 'small')], 1e-5);
  });

  test('of checkpointed steps equal those of plain ones, first and second', async () => {
    const law = fc.asyncProperty(drawn, async ({ shape, chain, seed, steps }) => {
      const calls: Call[] = [
        plainly,
        (f, x, y) => checkpoint(f, x, y),
        (f, x, y) => checkpoint((a: Tensor) => checkpoint(f, a, y).mul(1), x), // y is closed over
      ];
      await on(device);
      const host = values(shape, seed, 'small');
      const all = calls.map((call) => {
        const x = tensor(host.data, shape);
        const [first] = grad(program(steps.slice(0, 3), chain, call)([x]), [x]);
        return [first!, ...grad(first!.square().sum(), [x])];
      });
      await realize(all.flat());
      for (const results of all.slice(1))
        for (const [i, y] of results.entries()) {
          const [expected, got] = [await all[0]![i]!.data(), await y.data()];
          expected.forEach((v, j) =>
            expect(Math.abs(got[j]! - v)).toBeLessThan(1e-3 * (1 + Math.abs(v))),
          );
        }
    });
    await fc.assert(law, runs(12));
  });

  test('second derivatives equal the reference', async () => {
    const law = fc.asyncProperty(drawn, async ({ shape, chain, seed, steps }) => {
      const f = program(steps.slice(0, 2), chain);
      const second = (x: Tensor[]): Tensor =>
        grad(grad(f(x), [x[0]!])[0]!.square().sum(), [x[0]!])[0]!;
      await agree(device, second, [values(shape, seed, 'small')], 1e-3);
    });
    await fc.assert(law, runs(8));
  });
});
