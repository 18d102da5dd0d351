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
});
