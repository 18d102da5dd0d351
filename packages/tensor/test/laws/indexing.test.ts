/** @file Row look-ups and sums by index. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { zeros } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { agree } from './compare.ts';
import { DEVICES, compute, type HostInput } from './devices.ts';
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

/** i32 indices below `rows`; with `wild`, some lie outside. */
function indices(shape: readonly number[], rows: number, seed: number, wild = false): HostInput {
  const next = sequence(seed);
  const size = shape.reduce((product, n) => product * n, 1);
  const one = (): number =>
    below(next, rows) + (wild && next() < 0.2 ? rows * (next() < 0.5 ? 1 : -1) : 0);
  return { data: Int32Array.from({ length: size }, one), shape, dtype: 'i32' };
}

/** The same indices, computed: only those of the host are looked at. */
const onDevice = (indices: Tensor): Tensor => indices.add(0);

describe.each(DEVICES)('indexing on %s', (device) => {
  test('gather of tables under views, then more work', async () => {
    const drawn = fc.record({
      table: filledShapes(3, 1),
      index: shapes(2),
      chain: viewChains(2),
      seed: seeds,
    });
    const law = fc.asyncProperty(drawn, async ({ table, index, chain, seed }) => {
      const apply = ([t, i]: Tensor[]): Tensor[] => {
        const view = applyViews(t!, chain);
        const rows = (view.rank === 0 || view.size === 0 ? t! : view).gather(onDevice(i!));
        return [rows, rows.mul(2).add(1)];
      };
      await agree(
        device,
        apply,
        [values(table, seed), indices(index, table[0]!, seed, true)],
        1e-5,
      );
    });
    await fc.assert(law, runs(15));
  });

  test('gather takes the right rows, and clamps an index outside that the device computed', async () => {
    const table = {
      data: Float32Array.of(10, 11, 20, 21, 30, 31),
      shape: [3, 2],
      dtype: 'f32' as const,
    };
    const at = { data: Int32Array.of(2, 0, 7, -4), shape: [2, 2], dtype: 'i32' as const };
    const [got] = await compute(device, ([t, i]) => t!.gather(onDevice(i!)), [table, at]);
    expect(got!.shape).toEqual([2, 2, 2]);
    expect([...got!.data]).toEqual([30, 31, 10, 11, 30, 31, 10, 11]);
  });

  test('gather of many rows', async () => {
    const drawn = fc.record({
      rows: fc.integer({ min: 1, max: 40 }),
      width: fc.integer({ min: 1, max: 40 }),
      seed: seeds,
    });
    const law = fc.asyncProperty(drawn, shapes(2), async ({ rows, width, seed }, shape) => {
      const inputs = [values([rows, width], seed), indices(shape, rows, seed, true)];
      await agree(
        device,
        ([t, i]) => [t!.gather(onDevice(i!)), t!.gather(onDevice(i!)).softmax()],
        inputs,
        1e-5,
      );
    });
    await fc.assert(law, runs(15));
  });

  test('indexAdd sums in order and ignores what lies outside', async () => {
    const drawn = fc.record({
      rows: fc.integer({ min: 1, max: 20 }),
      width: fc.integer({ min: 1, max: 33 }),
      n: fc.constantFrom(0, 1, 2, 17, 100),
      seed: seeds,
    });
    const law = fc.asyncProperty(drawn, async ({ rows, width, n, seed }) => {
      const inputs = [indices([n], rows, seed, true), values([n, width], seed)];
      const apply = ([i, u]: Tensor[]): Tensor[] => [
        zeros([rows, width]).indexAdd(0, onDevice(i!), u!),
        zeros([rows, width]).indexAdd(0, onDevice(i!), u!.mul(3)).add(1).square(),
      ];
      await agree(device, apply, inputs, 2e-5);
    });
    await fc.assert(law, runs(15));
  });

  test('indexAdd is the transpose of gather', async () => {
    const inputs = [values([7, 5], 1), indices([11], 7, 2), values([11, 5], 3)];
    const law = ([t, i, u]: Tensor[]): Tensor[] => [
      t!.gather(onDevice(i!)).mul(u!).sum(),
      t!.mul(zeros([7, 5]).indexAdd(0, onDevice(i!), u!)).sum(),
    ];
    const [left, right] = await compute(device, law, inputs);
    expect(left!.data[0]).toBeCloseTo(right!.data[0]!, 3);
  });
});
