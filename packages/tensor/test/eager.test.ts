/** @file Eager devices: a program an op, the right results, and the name of an op that is wrong. */
import { describe, expect, test } from 'vitest';
import {
  type ELEMENTWISE,
  arange,
  concat,
  openDevice,
  randomNormal,
  realize,
  tensor,
  useDevice,
  where,
  zeros,
  type Device,
  type Tensor,
} from '@camada/tensor';
import type { Plan } from '../src/schedule/plan.ts';

async function eagerly<T>(
  name: 'wasm' | 'webgpu',
  body: (device: Device) => Promise<T>,
): Promise<T> {
  const device = await openDevice(name, { eager: true });
  useDevice(device);
  try {
    return await body(device);
  } finally {
    device.dispose();
  }
}

/** A bit of everything. */
function program(x: Tensor): Tensor[] {
  const h = x.matmul(x.transpose()).mul(0.3).softmax();
  const rows = h.gather(tensor(Int32Array.of(2, 0)));
  const half = x.cast('f16').cast('f32').sum(0, true);
  const random = where(randomNormal([3, 4], [1, 2]).gt(0), x, 0).pad([1, 0], [0, 2], 0.5);
  const sums = x.gather(tensor(Int32Array.of(1, 1, 2))).cumsum(0);
  const joined = concat([x.tanh(), x.variance(1, true)], 1).slice(1, 1, 5);
  return [h, rows, half, random, sums, joined, arange(5), zeros([2]), zeros([0, 3]).exp()];
}

const data = Float32Array.from({ length: 12 }, (_, i) => Math.sin(3 * i));

/** The plan with another op in the place of one. */
function planted(
  plan: Plan,
  wrong: keyof typeof ELEMENTWISE,
  right: keyof typeof ELEMENTWISE,
): Plan {
  const kernels = plan.kernels.map((kernel) => ({
    ...kernel,
    values: kernel.values.map((value) =>
      value.kind === 'op' && value.op === right ? { ...value, op: wrong } : value,
    ),
  }));
  return { ...plan, kernels };
}

describe.each(['wasm', 'webgpu'] as const)('eager %s', (name) => {
  test('gives the results of a normal device by more kernels', async () => {
    const normal = await openDevice(name);
    useDevice(normal);
    const expected = program(tensor(data, [3, 4]));
    await realize(expected);
    const values = await Promise.all(expected.map((x) => x.data()));
    const { kernels } = normal.counters;
    normal.dispose();
    await eagerly(name, async (device) => {
      const got = program(tensor(data, [3, 4]));
      await realize(got);
      for (const [i, x] of got.entries()) {
        const found = await x.data();
        expect(found.length).toBe(values[i]!.length);
        found.forEach((v, j) => expect(v).toBeCloseTo(values[i]![j]!, 5));
      }
      expect(device.counters.kernels).toBeGreaterThan(2 * kernels);
    });
  });

  test('runs updates, and keeps no memory of what is between', async () => {
    await eagerly(name, async (device) => {
      const x = tensor([1, 2, 3]);
      const live: number[] = [];
      for (let i = 0; i < 3; i++) {
        x.assign(x.mul(2).add(1).exp().log());
        await realize([]);
        live.push(device.memory().live);
      }
      expect([...(await x.data())].map(Math.round)).toEqual([15, 23, 31]);
      expect(live[2]).toBe(live[0]);
    });
  });

  test('names a wrong op, its shapes and both values, and goes on', async () => {
    await eagerly(name, async (device) => {
      const { backend } = device;
      const compile = backend.compile.bind(backend);
      backend.compile = (plan) => compile(planted(plan, 'sin', 'tanh'));
      const y = tensor(data, [3, 4]).mul(2).tanh().sum(1);
      await expect(y.data()).rejects.toThrow(
        /eager: tanh\(f32 \[3, 4\]\) on (wasm|webgpu).*element \d+ of f32 \[3, 4\] is .* the reference has/,
      );
      expect(await tensor([4]).sqrt().item()).toBe(2);
    });
  });
});
