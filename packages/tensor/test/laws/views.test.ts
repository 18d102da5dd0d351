/** @file Movement ops: chains of views hold exactly the elements that index arithmetic says. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Tensor } from '@camada/tensor';
import { agree } from './compare.ts';
import { DEVICES, compute } from './devices.ts';
import { applyViews, runs, seeds, shapes, values, viewChains } from './generate.ts';

const drawn = fc.record({ shape: shapes(), chain: viewChains(7), seed: seeds });

describe.each(DEVICES)('views on %s', (device) => {
  test.each(['f32', 'i32', 'bool'] as const)('chains of %s', async (dtype) => {
    const law = fc.asyncProperty(drawn, async ({ shape, chain, seed }) => {
      await agree(device, ([x]) => applyViews(x!, chain), [values(shape, seed, 'real', dtype)], 0);
    });
    await fc.assert(law, runs(30));
  });

  test('a view of a view of a computed value', async () => {
    const law = fc.asyncProperty(drawn, drawn, async ({ shape, chain, seed }, second) => {
      const apply = ([x]: Tensor[]): Tensor =>
        applyViews(applyViews(x!, chain).mul(2).add(1), second.chain, -3);
      await agree(device, apply, [values(shape, seed)], 1e-6);
    });
    await fc.assert(law, runs(20));
  });

  test('padding with infinities and slicing it off again', async () => {
    const input = values([3, 4], 9);
    const law = ([x]: Tensor[]): Tensor[] => {
      const padded = x!.pad([1, 2], [0, 1], -Infinity);
      return [padded.max(-1), padded.slice(0, 1).slice(1, 2, -1)];
    };
    await agree(device, law, [input], 0);
    const [, same] = await compute(device, law, [input]);
    expect([...same!.data]).toEqual([...input.data]);
  });
});

describe('views on the reference', () => {
  test('permute, slice, pad and expand by hand', async () => {
    const input = {
      data: Float32Array.from({ length: 6 }, (_, i) => i),
      shape: [2, 3],
      dtype: 'f32' as const,
    };
    const law = ([x]: Tensor[]): Tensor[] => [
      x!.transpose(),
      x!.slice(1, -2),
      x!.pad([0, 1], [1, 0], 9),
      x!.slice(0, 1).expand([2, 3]),
      x!.reshape([3, -1]).permute([1, 0]),
      x!.transpose().reshape([6]),
    ];
    const results = await compute('reference', law, [input]);
    expect(results.map(({ data }) => [...data])).toEqual([
      [0, 3, 1, 4, 2, 5],
      [1, 2, 4, 5],
      [9, 0, 1, 2, 9, 3, 4, 5, 9, 9, 9, 9],
      [3, 4, 5, 3, 4, 5],
      [0, 2, 4, 1, 3, 5],
      [0, 3, 1, 4, 2, 5],
    ]);
  });
});
