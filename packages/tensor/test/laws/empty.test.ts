/**
 * @file Shapes of size zero: every public operation on every device, each with an empty axis somewhere, and empty tensors
 * through each kind of kernel with work before and after.
 */
import { describe, expect, test } from 'vitest';
import { concat, realize, tensor, zeros } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { Draw } from '@camada/tensor/catalogue';
import { ROWS, runCase } from './cases.ts';
import { DEVICES, on } from './devices.ts';

/** Draws shapes with an empty axis wherever an empty one is allowed. */
class EmptyDraw extends Draw {
  override shape(least = 0, most = 4, filled = false, largest?: number): number[] {
    const shape = super.shape(least, most, filled, largest);
    if (filled || most === 0 || shape.includes(0)) return shape;
    if (shape.length === 0) return [0];
    return shape.with(this.int(0, shape.length - 1), 0);
  }
}

function seeded(seed: number): Draw {
  const { int } = Draw.seeded(seed);
  return new EmptyDraw(int);
}

const none = (...shape: number[]): Tensor => zeros(shape).add(tensor([0]).slice(0, 0, 1));
const indices = tensor(new Int32Array(0));

/** Values that have elements although something before them has none. */
const PROGRAMS: Readonly<Record<string, [() => Tensor, readonly number[]]>> = {
  'map over nothing': [() => none(0, 3).exp().add(1), []],
  'sum over an empty axis': [() => none(2, 0).exp().sum(1).add(1), [1, 1]],
  'sum of nothing': [() => none(0, 3).sum().mul(2), [0]],
  'product with an empty sum': [() => none(2, 0).matmul(none(0, 2)).add(3), [3, 3, 3, 3]],
  'product with no rows': [() => none(0, 2).matmul(none(2, 3)).sum(0), [0, 0, 0]],
  'batches of none': [() => none(0, 2, 2).matmul(none(2, 2)).sum(), [0]],
  'softmax of nothing': [() => none(0, 4).softmax().sum(0), [0, 0, 0, 0]],
  'look-up of nothing': [() => tensor([1, 2, 3]).gather(indices).sum().add(1), [1]],
  'sum by no index': [() => zeros([2, 2]).indexAdd(0, indices, none(0, 2)).add(1), [1, 1, 1, 1]],
  'nothing beside something': [() => concat([none(0), tensor([5]), none(0)], 0).mul(2), [10]],
  'padding around nothing': [() => none(0).pad([1], [2], 7), [7, 7, 7]],
};

describe.each(DEVICES)('empty shapes on %s', (device) => {
  test.each(ROWS)('$name of $dtype', async (row) => {
    await on(device);
    for (const seed of [1, 2, 3]) await runCase(row, seeded(seed));
  });

  test.each(Object.entries(PROGRAMS))('%s', async (_name, [program, expected]) => {
    await on(device);
    const result = program();
    expect(result.size).toBe(expected.length);
    expect([...(await result.data())]).toEqual(expected);
  });

  test('an empty parameter is updated, and all at once with others', async () => {
    await on(device);
    const [empty, full] = [tensor(new Float32Array(0), [0, 2]), tensor([1, 2])];
    empty.assign(empty.mul(2).add(1));
    full.assign(full.add(empty.sum(0)));
    await realize([empty, full]);
    expect([...(await full.data()), ...(await empty.data())]).toEqual([1, 2]);
  });
});
