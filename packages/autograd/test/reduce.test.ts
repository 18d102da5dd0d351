import { tensor } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { grad, gradcheck } from '../src/index.ts';
import { sample } from './helpers.ts';

describe('reduction gradients', () => {
  const x = sample([2, 3, 4]);
  it.each([
    ['sum of all', () => gradcheck(([a]) => a!.square().sum(), [x])],
    ['sum of an axis', () => gradcheck(([a]) => a!.square().sum(1), [x])],
    ['sum of two axes, kept', () => gradcheck(([a]) => a!.square().sum([0, 2], true), [x])],
    ['mean', () => gradcheck(([a]) => a!.square().mean(-1), [x])],
    ['variance', () => gradcheck(([a]) => a!.variance(-1), [x])],
    ['max', () => gradcheck(([a]) => a!.max(1).square(), [x])],
    ['max of two axes', () => gradcheck(([a]) => a!.max([0, 2], true).square(), [x])],
    ['min', () => gradcheck(([a]) => a!.min(-1).square(), [x])],
    ['logSumExp', () => gradcheck(([a]) => a!.logSumExp(-1), [x])],
  ])('%s', async (_, check) => {
    expect((await check()).maxError).toBeLessThan(1e-6);
  });

  it('shares the gradient of max among equal maxima, as amax', async () => {
    const x = tensor([1, 3, 3, 0], [1, 4]);
    const [g] = grad(x.max(-1).sum(), [x]);
    expect([...(await g!.data())]).toEqual([0, 0.5, 0.5, 0]);
  });

  it('of a product is right where there are zeros, and so is its derivative', async () => {
    const x = tensor([2, 0, 3, 0, 0, 5, 2, 3, 4], [3, 3]);
    const [g] = grad(x.prod(-1).sum(), [x]);
    const [h] = grad(g!.sum(), [x]);
    expect([...(await g!.data())]).toEqual([0, 6, 0, 0, 0, 0, 12, 8, 6]);
    expect([...(await h!.data())]).toEqual([3, 5, 2, 5, 5, 0, 7, 6, 5]);
  });

  it('of a running product goes through zeros', async () => {
    const x = tensor([2, 0, 3, 4]);
    const [g] = grad(x.cumprod().sum(), [x]);
    expect([...(await g!.data())]).toEqual([1, 2 + 6 + 24, 0, 0]);
  });

  it('is 0, not NaN, where a norm or a deviation is 0 and where nothing adds to a log Σ exp', async () => {
    const x = tensor([0, 0]);
    for (const y of [x.norm(), x.norm(3), x.norm(0.5), x.std()]) {
      const [g] = grad(y, [x]);
      expect([...(await g!.data())]).toEqual([0, 0]);
    }
    const low = tensor([-Infinity, -Infinity]);
    for (const y of [low.logSumExp(), low.logcumsumexp().sum()]) {
      const [g] = grad(y, [low]);
      expect([...(await g!.data())]).toEqual([0, 0]);
    }
  });

  it('goes back to where the sorted, largest and middle elements stood', async () => {
    const x = tensor([3, 1, 2, 1], [1, 4]);
    const weights = tensor([1, 10, 100, 1000], [1, 4]);
    const [sorted] = grad(x.sort()[0].mul(weights).sum(), [x]);
    expect([...(await sorted!.data())]).toEqual([1000, 1, 100, 10]);
    const [top] = grad(
      x
        .topk(2)[0]
        .mul(tensor([5, 7]))
        .sum(),
      [x],
    );
    expect([...(await top!.data())]).toEqual([5, 0, 7, 0]);
    const [middle] = grad(x.median().sum(), [x]);
    expect([...(await middle!.data())]).toEqual([0, 0, 0, 1]);
    const [best] = grad(x.cummax()[0].sum(), [x]);
    expect([...(await best!.data())]).toEqual([4, 0, 0, 0]);
  });
});
