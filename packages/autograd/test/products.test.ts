/** @file Products with Jacobians and Hessians: the law ⟨v, Jᵀu⟩ = ⟨Jv, u⟩, and central differences. */
import { tensor, where } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { grad, hvp, jvp, vjp } from '../src/index.ts';
import { numbers, sample } from './helpers.ts';

type F = (x: readonly Tensor[]) => Tensor;

/** y = softmax(tanh(x·w))·x, a function of everything at once. */
const mixed: F = ([x, w]) => x!.matmul(w!).tanh().softmax().matmul(w!.transpose()).mul(x!);
const CASES: [string, F, number[][]][] = [
  ['a mixed function', mixed, [[3, 4], [4, 2]]],
  ['a linear function', ([x]) => x!.mul(3).sum(0), [[3, 2]]],
  ['a step function', ([x]) => x!.floor().mul(0.5), [[3]]],
  ['the identity', ([x]) => x!, [[2, 2]]],
  ['layer norm', ([x, g]) => x!.sub(x!.mean(-1, true)).mul(x!.variance(-1, true).add(0.1).rsqrt()).mul(g!), [[2, 5], [5]]],
  ['a look-up', ([x]) => x!.gather(tensor(Int32Array.of(2, 0, 2))).square(), [[3, 2]]],
  ['a piecewise function', ([x]) => where(x!.gt(0), x!.square(), x!.mul(0.1)).max(1), [[3, 4]]],
]; // prettier-ignore

const dot = async (x: readonly Tensor[], y: readonly Tensor[]): Promise<number> => {
  let sum = 0;
  for (const [i, one] of x.entries()) sum += await one.mul(y[i]!).sum().item();
  return sum;
};

/** The inputs moved by h along v. */
function moved(x: readonly Tensor[], v: readonly Tensor[], h: number): Tensor[] {
  return x.map((one, i) => one.add(v[i]!.mul(h)));
}

function draw(shapes: readonly number[][], seed: number): Tensor[] {
  return shapes.map((shape, i) => sample(shape, seed + i));
}

function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
}

describe.each(CASES)('%s', (_name, f, shapes) => {
  const x = draw(shapes, 1);
  const v = draw(shapes, 20);

  it('keeps ⟨v, Jᵀu⟩ = ⟨Jv, u⟩', async () => {
    const u = sample(f(x).shape, 40);
    const { gradients } = vjp(f, x, u);
    const { tangent, value } = jvp(f, x, v);
    expect(tangent.shape).toEqual(value.shape);
    expect(await dot(v, gradients)).toBeCloseTo(await dot([tangent], [u]), 6);
  });

  it('has a jvp equal to a central difference', async () => {
    const { tangent } = jvp(f, x, v);
    const h = 1e-5;
    const [up, down] = [f(moved(x, v, h)), f(moved(x, v, -h))];
    const slope = up.sub(down).div(2 * h);
    expect(worst(await tangent.data(), await slope.data())).toBeLessThan(1e-5);
  });

  it('has an hvp equal to a central difference of gradients', async () => {
    const loss: F = (at) => f(at).square().sum().add(f(at).sum().sin());
    const { products } = hvp(loss, x, v);
    const h = 1e-5;
    const gradAt = (at: Tensor[]): Tensor[] => grad(loss(at), at);
    const [up, down] = [gradAt(moved(x, v, h)), gradAt(moved(x, v, -h))];
    for (const [i, product] of products.entries()) {
      const slope = up[i]!.sub(down[i]!).div(2 * h);
      expect(worst(await product.data(), await slope.data())).toBeLessThan(1e-4);
    }
  });
});

describe('products', () => {
  it('of a quadratic form are its matrix', async () => {
    const a = tensor([2, 1, 1, 3], [2, 2]);
    const form: F = ([x]) => x!.unsqueeze(0).matmul(a).matmul(x!.unsqueeze(1)).mul(0.5).sum();
    const { value, products } = hvp(form, [tensor([1, -1])], [tensor([1, 2])]);
    expect(await value.item()).toBeCloseTo(1.5);
    expect([...(await products[0]!.data())]).toEqual([4, 7]);
  });

  it('see a Hessian that is zero', async () => {
    const { products } = hvp(([x]) => x!.relu().sum(), [sample([4])], [sample([4], 2)]);
    expect([...(await products[0]!.data())]).toEqual([0, 0, 0, 0]);
  });

  it('refuse directions that do not fit', () => {
    const x = [sample([2, 3])];
    expect(() => jvp(([a]) => a!, x, [])).toThrow(/0 directions for 1 inputs/);
    expect(() => jvp(([a]) => a!, x, [sample([3])])).toThrow(/v has shape \[3\], wanted \[2, 3\]/);
    expect(() => vjp(([a]) => a!, x, sample([2]))).toThrow(/u has shape \[2\], wanted \[2, 3\]/);
    const counts = [tensor(Int32Array.from(numbers(3)))];
    expect(() => hvp(([a]) => a!.cast('f32').sum(), counts, counts)).toThrow(/is i32 \[3\]/);
  });
});
