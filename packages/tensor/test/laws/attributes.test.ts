/**
 * @file Computations that differ in nothing but an attribute, of one shape and over one tensor: in one program they
 * must not be merged, and one after the other they must not share a program.
 */
import { describe, expect, test } from 'vitest';
import { realize, tensor } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { DEVICES, on } from './devices.ts';

const DATA = [5, 1, 4, 2, 8, 3, 7, 6, 9];

/** Pairs that give different values of the same shape on a 3 × 3 matrix. */
const PAIRS: Readonly<Record<string, readonly ((x: Tensor) => Tensor)[]>> = {
  'axes of a sum': [(x) => x.sum(0), (x) => x.sum(1)],
  'kind of a reduction': [(x) => x.max(0), (x) => x.min(0)],
  'order of axes': [(x) => x.permute([0, 1]).add(0), (x) => x.permute([1, 0]).add(0)],
  'start of a slice': [(x) => x.slice(0, 0, 2).add(0), (x) => x.slice(0, 1, 3).add(0)],
  'step of a slice': [(x) => x.slice(1, 0, 2).add(0), (x) => x.slice(1, 0, 3, 2).add(0)],
  'side of a padding': [(x) => x.pad([1, 0], [0, 0]), (x) => x.pad([0, 0], [1, 0])],
  'filler of a padding': [(x) => x.pad([1, 0], [0, 0], 1), (x) => x.pad([1, 0], [0, 0], 2)],
  'direction of a sort': [(x) => x.argsort(0), (x) => x.argsort(0, true)],
  'name of an op': [(x) => x.sin(), (x) => x.cos()],
};

describe.each(DEVICES)('attributes on %s', (device) => {
  test.each(Object.entries(PAIRS))('%s', async (_name, pair) => {
    await on('reference');
    const expected: number[][] = [];
    for (const f of pair) expected.push([...(await f(tensor(DATA, [3, 3])).data())]);
    expect(expected[0]).not.toEqual(expected[1]);
    await on(device);
    const x = tensor(DATA, [3, 3]);
    const together = pair.map((f) => f(x));
    await realize(together);
    for (const [i, f] of pair.entries()) {
      const apart = await f(tensor(DATA, [3, 3])).data();
      for (const found of [await together[i]!.data(), apart])
        expected[i]!.forEach((value, k) => expect(found[k]).toBeCloseTo(value, 4));
    }
  });
});
