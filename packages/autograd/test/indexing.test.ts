import { tensor, zeros } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { grad, gradcheck } from '../src/index.ts';
import { sample } from './helpers.ts';

const index = tensor(Int32Array.of(2, 0, 2, 1, 2, 0), [2, 3]);

describe('indexing gradients', () => {
  it.each([
    ['rows of a table', [4, 3]],
    ['elements of a vector', [4]],
    ['rows of more axes', [4, 2, 2]],
  ])('gather: %s', async (_, shape) => {
    const { maxError } = await gradcheck(
      ([t, i]) => t!.gather(i!).square(),
      [sample(shape), index],
    );
    expect(maxError).toBeLessThan(1e-6);
  });

  it('indexAdd', async () => {
    const flat = index.reshape([6]);
    const f = gradcheck(
      ([u, i]) => zeros([4, 2]).indexAdd(0, i!, u!).square(),
      [sample([6, 2]), flat],
    );
    expect((await f).maxError).toBeLessThan(1e-6);
  });

  it('indexAdd gives no gradient to updates whose index it ignores', async () => {
    const updates = sample([3, 2]);
    const [g] = grad(
      zeros([2, 2])
        .indexAdd(0, tensor(Int32Array.of(1, -1, 9)).add(0), updates)
        .sum(),
      [updates],
    );
    expect([...(await g!.data())]).toEqual([1, 1, 0, 0, 0, 0]);
  });

  it('sums the rows that are looked up more than once', async () => {
    const table = sample([3, 1]);
    const [g] = grad(table.gather(index).sum(), [table]);
    expect([...(await g!.data())]).toEqual([2, 1, 3]);
  });

  it('twice', async () => {
    const f = ([t]: ReturnType<typeof sample>[]): ReturnType<typeof sample> =>
      grad(t!.gather(index).exp().sum(), [t!])[0]!;
    await gradcheck(f, [sample([4, 2])], { tolerance: 1e-5 });
  });
});
