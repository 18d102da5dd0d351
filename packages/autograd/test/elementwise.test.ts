import { ELEMENTWISE, tensor, where } from '@camada/tensor';
import type { Domain, ElementwiseName, Tensor } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { grad, gradcheck } from '../src/index.ts';
import { numbers } from './helpers.ts';

const SHAPE = [3, 2];

/** Operand values inside a domain, away from kinks. */
function draw(domain: Domain, operand: number): Float64Array {
  const x = numbers(6, -1, 1, 7 + operand);
  if (domain === 'positive') return x.map((v) => 0.5 + Math.abs(v) * 2);
  if (domain === 'nonzero') return x.map((v) => (v < 0 ? v - 0.3 : v + 0.3));
  if (domain === 'bool') return x.map((v) => Number(v > 0));
  if (domain === 'integer') return x.map((v) => Math.round(v * 3));
  return x.map((v) => v * 2);
}

/** A primitive as a user calls it: the method of its name, but for two. */
function apply(name: ElementwiseName, operands: readonly Tensor[]): Tensor {
  const [x, ...rest] = operands as [Tensor, ...Tensor[]];
  if (name === 'cast') return x.cast('f32');
  if (name === 'where') return where(x, rest[0]!, rest[1]!);
  return (x[name] as (...rest: Tensor[]) => Tensor)(...rest);
}

function operands(name: ElementwiseName): Tensor[] {
  return ELEMENTWISE[name].sample.map((domain: Domain, i: number) =>
    tensor(draw(domain, i), SHAPE, domain === 'bool' ? 'bool' : 'f32'),
  );
}

const names = Object.keys(ELEMENTWISE) as ElementwiseName[];
const smooth = names.filter((name) => ELEMENTWISE[name].smooth);

describe('elementwise gradients', () => {
  it.each(smooth)('%s agrees with central differences', async (name) => {
    const f = (x: Tensor[]): Tensor => apply(name, x);
    const { maxError } = await gradcheck(f, operands(name), { name });
    expect(maxError).toBeLessThan(1e-6);
  });

  it.each(smooth)('%s has a second derivative', async (name) => {
    const f = (x: Tensor[]): Tensor => {
      const floats = x.filter((t) => t.dtype === 'f32');
      const y = apply(name, x);
      const first = grad(y.mul(y).sum(), floats); // y² has curvature even where the op is linear
      return first.reduce((sum, g) => sum.add(g));
    };
    await gradcheck(f, operands(name), { name: `${name}, twice`, tolerance: 1e-5 });
  });

  it('through floor and comparisons is zero where a smooth path exists', async () => {
    const x = tensor([0.2, 1.7, -2.5]);
    const [g] = grad(x.mul(x.gt(0).cast('f32')).add(x.floor()).sum(), [x]);
    expect([...(await g!.data())]).toEqual([1, 1, 0]);
  });

  it('of maximum is shared at a tie, as in PyTorch', async () => {
    const [x, y] = [tensor([1, 2, 3]), tensor([2, 2, 2])];
    const [gx, gy] = grad(x.maximum(y).sum(), [x, y]);
    expect([...(await gx!.data())]).toEqual([0, 0.5, 1]);
    expect([...(await gy!.data())]).toEqual([1, 0.5, 0]);
  });

  it('of where does not leak an infinite branch', async () => {
    const x = tensor([0, 4]);
    const [g] = grad(where(x.gt(0), x.sqrt(), x).sum(), [x]);
    const [at0, at4] = await g!.data();
    expect(at4).toBeCloseTo(0.25);
    expect(at0).toBeNaN(); // dy 0 · 1/(2√0): the user's where comes after the sqrt, as in PyTorch
  });

  it('of pow at zero is finite', async () => {
    const [x, y] = [tensor([0, 0]), tensor([2, 0])];
    const [gx, gy] = grad(x.pow(y).sum(), [x, y]);
    expect([...(await gx!.data())]).toEqual([0, 0]);
    expect([...(await gy!.data())]).toEqual([0, 0]);
  });
});
