/** @file Effects: assign, reading before and after, disposal, several outputs, and memory that does not grow. */
import { describe, expect, test } from 'vitest';
import { fromBf16, fromF16, realize, scalar, tensor, toBf16, toF16, zeros } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { DEVICES, on } from './devices.ts';

declare const gc: (() => void) | undefined;

/** The nearest value of a 16-bit type. */
function rounded(value: number, dtype: 'f16' | 'bf16'): number {
  return dtype === 'f16' ? fromF16(toF16(value)) : fromBf16(toBf16(value));
}

const list = async (x: Tensor): Promise<number[]> => [...(await x.data())];

describe.each([...DEVICES, 'reference'] as const)('effects on %s', (device) => {
  test('assign replaces the value for later reads', async () => {
    await on(device);
    const x = tensor([1, 2, 3]);
    x.assign(x.mul(2));
    expect(await list(x)).toEqual([2, 4, 6]);
    x.assign(x.add(1));
    x.assign(x.add(1));
    expect(await list(x.mul(10))).toEqual([40, 60, 80]);
    expect(await list(x)).toEqual([4, 6, 8]);
  });

  test('what was built before an assign sees the old value', async () => {
    await on(device);
    const x = tensor([1, 2]);
    await x.realize();
    const before = x.mul(100);
    x.assign(x.add(5));
    const after = x.mul(100);
    await realize([before, after]);
    expect([await list(before), await list(after), await list(x)]).toEqual([
      [100, 200],
      [600, 700],
      [6, 7],
    ]);
  });

  test('two tensors may swap', async () => {
    await on(device);
    const [x, y] = [tensor([1, 2]), tensor([3, 4])];
    const [oldX, oldY] = [x.mul(1), y.mul(1)];
    x.assign(oldY);
    y.assign(oldX);
    await realize([]);
    expect([await list(x), await list(y)]).toEqual([
      [3, 4],
      [1, 2],
    ]);
  });

  test('an update that reads its own neighbours is not done in place', async () => {
    await on(device);
    const x = tensor([1, 2, 3, 4], [2, 2]);
    x.assign(x.transpose().add(x.sum(-1, true)));
    expect(await list(x)).toEqual([1 + 3, 3 + 3, 2 + 7, 4 + 7]);
    x.assign(x.matmul(x));
    expect(await list(x)).toEqual([4 * 4 + 6 * 9, 4 * 6 + 6 * 11, 9 * 4 + 11 * 9, 9 * 6 + 11 * 11]);
  });

  test('assign of a constant, of a view, of another dtype', async () => {
    await on(device);
    const x = tensor([1, 2, 3, 4], [2, 2]);
    x.assign(zeros([2, 2]));
    expect(await list(x)).toEqual([0, 0, 0, 0]);
    x.assign(tensor([7, 8]).expand([2, 2]));
    expect(await list(x)).toEqual([7, 8, 7, 8]);
    expect(() => x.assign(zeros([2, 2], 'i32'))).toThrow(/assign/);
    expect(() => x.assign(zeros([4]))).toThrow(/assign/);
  });

  test.each(['f16', 'bf16'] as const)('assign to %s memory rounds once a step', async (dtype) => {
    await on(device);
    const x = tensor([1, 2, 3, 4, 5], [5], dtype);
    const exact = [1, 2, 3, 4, 5];
    for (let i = 0; i < 3; i++) {
      x.assign(x.cast('f32').mul(1.25).cast(dtype));
      exact.forEach((value, j) => (exact[j] = rounded(value * 1.25, dtype)));
      expect(await list(x)).toEqual(exact);
    }
  });

  test('a disposed tensor says so', async () => {
    await on(device);
    const x = tensor([1, 2]);
    await x.realize();
    x.dispose();
    await expect(x.add(1).data()).rejects.toThrow(/dispos/);
  });

  test('a run that fails changes nothing', async () => {
    await on(device);
    const [x, y, gone] = [tensor([1, 2]), tensor([3, 4]), tensor([5, 6])];
    await realize([x, y, gone]);
    gone.dispose();
    x.assign(x.mul(10));
    y.assign(y.add(gone));
    await expect(x.realize()).rejects.toThrow(/disposed/);
    expect([await list(x), await list(y)]).toEqual([
      [1, 2],
      [3, 4],
    ]);
    y.assign(y.add(1));
    expect(await list(y)).toEqual([4, 5]);
  });

  test('many outputs in one run, equal outputs, inputs as outputs', async () => {
    await on(device);
    const x = tensor([1, 2]);
    const y = x.add(1);
    const z = x.add(1);
    await realize([x, y, z, y.mul(z), x]);
    expect([await list(x), await list(y), await list(z)]).toEqual([
      [1, 2],
      [2, 3],
      [2, 3],
    ]);
  });

  test('reads in flight together do not disturb one another', async () => {
    await on(device);
    const x = tensor(Float32Array.from({ length: 100 }, (_, i) => i));
    const sums = Array.from({ length: 20 }, (_, i) => x.add(i).sum());
    const read = await Promise.all(sums.map((y) => y.item()));
    expect(read).toEqual(sums.map((_, i) => 4950 + 100 * i));
    const all = await Promise.all([
      x.mul(2).data(),
      x.slice(0, 0, 3).data(),
      x.max().item(),
      x.data(),
    ]);
    expect([...all[1]]).toEqual([0, 1, 2]);
    expect([all[0][99], all[2], all[3][99]]).toEqual([198, 99, 99]);
  });

  test('updates while an earlier read is in flight', async () => {
    await on(device);
    const x = tensor([1, 2]);
    const read: Promise<number>[] = [];
    for (let i = 0; i < 5; i++) {
      x.assign(x.add(1));
      read.push(x.mul(10).sum().item());
    }
    expect(await Promise.all(read)).toEqual([50, 70, 90, 110, 130]);
    expect(await list(x)).toEqual([6, 7]);
  });

  test('empty tensors pass through', async () => {
    await on(device);
    const x = zeros([0, 3]);
    await realize([x, x.add(1)]);
    expect((await x.data()).length).toBe(0);
    expect(await list(x.sum(0))).toEqual([0, 0, 0]);
  });
});

/** Frees what is unreachable, where the engine lets us ask for it. */
async function collect(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    if (typeof gc === 'function') gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe.each(DEVICES)('a loop of 1,000 steps on %s', (device) => {
  test('compiles once, dispatches the same kernels, and holds the same memory', async () => {
    const engine = await on(device);
    const weight = tensor(new Float32Array(32 * 16).fill(0.01), [32, 16]);
    const target = tensor(new Float32Array(32 * 16).fill(0.5), [32, 16]);
    const moment = zeros([32, 16]);
    const step = async (i: number): Promise<number> => {
      const x = tensor(
        Float32Array.from({ length: 64 * 32 }, (_, j) => Math.sin(i + j)),
        [64, 32],
      );
      const error = x.matmul(weight.sub(target)); // [64, 16]
      const gradient = x
        .transpose()
        .matmul(error)
        .mul(1 / 64); // [32, 16]
      const nextMoment = moment.mul(0.9).add(gradient);
      moment.assign(nextMoment);
      weight.assign(weight.sub(nextMoment.mul(scalar(0.01 / (1 + i / 500)))));
      const loss = error.square().mean();
      await realize([loss]);
      return loss.item();
    };
    const losses: number[] = [];
    for (let i = 0; i < 50; i++) losses.push(await step(i));
    await collect();
    const start = { ...engine.counters, live: engine.memory().live };
    await step(50);
    const perStep = engine.counters.kernels - start.kernels;
    for (let i = 51; i < 1000; i++) losses.push(await step(i));
    await collect();
    expect(engine.counters.compiled).toBe(start.compiled);
    expect(engine.counters.kernels - start.kernels).toBe(950 * perStep);
    expect(engine.memory().live).toBeLessThanOrEqual(start.live + 64 * 1024);
    expect(engine.memory().peak).toBeLessThan(32 * 1024 * 1024);
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)).toBeLessThan(0.01 * losses[0]!);
  });
});
