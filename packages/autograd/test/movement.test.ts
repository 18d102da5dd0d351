import { concat, stack } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { grad, gradcheck } from '../src/index.ts';
import { sample } from './helpers.ts';

describe('movement gradients', () => {
  const x = sample([2, 3, 4]);
  it.each([
    ['reshape', () => gradcheck(([a]) => a!.reshape([6, 4]).square(), [x])],
    ['permute', () => gradcheck(([a]) => a!.permute([2, 0, 1]).square(), [x])],
    ['transpose', () => gradcheck(([a]) => a!.transpose().square(), [x])],
    ['expand', () => gradcheck(([a]) => a!.expand([2, 5, 3]).square(), [sample([2, 1, 3])])],
    ['broadcast', () => gradcheck(([a, b]) => a!.mul(b!), [sample([3, 1]), sample([2, 1, 4], 2)])],
    ['slice', () => gradcheck(([a]) => a!.slice(1, 1, 3).square(), [x])],
    ['slice from the end', () => gradcheck(([a]) => a!.slice(-1, -2, 4).square(), [x])],
    ['pad', () => gradcheck(([a]) => a!.pad([1, 0, 2], [0, 3, 1], 0.5).square(), [x])],
    [
      'concat',
      () => gradcheck(([a, b]) => concat([a!, b!], 1).square(), [x, sample([2, 2, 4], 3)]),
    ],
    ['stack', () => gradcheck(([a, b]) => stack([a!, b!], 1).square(), [x, sample([2, 3, 4], 3)])],
    ['chain', () => gradcheck(([a]) => a!.transpose().flatten(0, 1).slice(0, 2, 7).square(), [x])],
  ])('%s', async (_, check) => {
    expect((await check()).maxError).toBeLessThan(1e-6);
  });

  it('keeps shapes with empty axes', () => {
    const empty = sample([0, 3]);
    const [g] = grad(empty.square().sum(), [empty]);
    expect(g!.shape).toEqual([0, 3]);
  });
});
