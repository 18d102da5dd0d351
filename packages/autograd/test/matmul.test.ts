import { describe, expect, it } from 'vitest';
import { grad, gradcheck } from '../src/index.ts';
import { countOps, sample } from './helpers.ts';

describe('matmul gradients', () => {
  it.each([
    ['2-D', [3, 4], [4, 2]],
    ['batch', [2, 3, 4], [2, 4, 5]],
    ['two batch axes', [2, 2, 3, 4], [2, 2, 4, 2]],
    ['2-D weight on the right', [2, 3, 4], [4, 5]],
    ['2-D weight under two batch axes', [2, 2, 3, 4], [4, 2]],
    ['2-D weight on the left', [3, 4], [2, 4, 5]],
    ['a batch axis of one', [1, 3, 4], [2, 4, 5]],
    ['batch broadcast on one axis', [2, 2, 3, 4], [2, 1, 4, 2]],
    ['a vector-like inner axis', [3, 1], [1, 4]],
  ])('%s', async (_, a, b) => {
    const { maxError } = await gradcheck(([x, y]) => x!.matmul(y!), [sample(a), sample(b, 2)]);
    expect(maxError).toBeLessThan(1e-6);
  });

  it('of an explicitly expanded weight is one 2-D product', async () => {
    const [x, w] = [sample([3, 4, 5]), sample([1, 5, 2], 2)];
    const forward = x.matmul(w.expand([3, 5, 2]));
    const [dw] = grad(forward.square().sum(), [w]);
    expect(dw!.shape).toEqual([1, 5, 2]);
    const inner = [...products(dw!.node)].filter((shape) => shape.length === 2);
    expect(inner).toEqual([[5, 2]]);
    await gradcheck(([a, b]) => a!.matmul(b!.expand([3, 5, 2])), [x, w]);
    await gradcheck(
      ([b, a]) => a!.expand([3, 2, 5]).matmul(b!),
      [x.transpose(), sample([1, 2, 5])],
    );
  });

  it('of a transposed weight, as Linear uses it', async () => {
    const f = gradcheck(
      ([x, w]) => x!.matmul(w!.transpose()),
      [sample([2, 3, 4]), sample([5, 4], 2)],
    );
    expect((await f).maxError).toBeLessThan(1e-6);
  });

  it('emits no product for a frozen operand', () => {
    const [x, frozen, trained] = [sample([3, 4]), sample([4, 4], 2), sample([4, 2], 3)];
    const loss = x.matmul(frozen).matmul(trained).sum();
    expect(countOps([loss], 'matmul')).toBe(2);
    expect(countOps(grad(loss, [trained]), 'matmul')).toBe(2); // x·frozen again, and its product with dy
    expect(countOps(grad(loss, [trained, frozen]), 'matmul')).toBe(4);
  });
});

/** Shapes of all products below a node. */
function* products(root: import('@camada/tensor').Node): Generator<readonly number[]> {
  const seen = new Set([root]);
  for (const node of seen) {
    if (node.op === 'matmul') yield node.shape;
    node.inputs.forEach((input) => seen.add(input));
  }
}
