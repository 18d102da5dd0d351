import { tensor, where, zeros } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { grad, gradcheck, stopGradient, valueAndGrad } from '../src/index.ts';
import { countOps, sample } from './helpers.ts';

const x = sample([3, 4]);

describe('grad', () => {
  it('gives the value and the gradients', async () => {
    const { value, gradients } = valueAndGrad(() => x.square().sum(), [x]);
    expect(await value.item()).toBeCloseTo(
      [...(await x.data())].reduce((s, v) => s + v * v, 0),
      5,
    );
    const expected = [...(await x.data())].map((v) => 2 * v);
    expect([...(await gradients[0]!.data())].map((v, i) => v - expected[i]!)).toSatisfy(
      (errors: number[]) => errors.every((e) => Math.abs(e) < 1e-6),
    );
  });

  it('adds the contributions of a tensor that is used more than once', async () => {
    const y = tensor([3]);
    const [g] = grad(y.mul(y).add(y.mul(y).mul(y)).sum(), [y]);
    expect(await g!.item()).toBeCloseTo(2 * 3 + 3 * 9, 4);
  });

  it('gives zeros to a tensor off the path', async () => {
    const other = sample([2, 2]);
    const [g] = grad(x.sum(), [other]);
    expect(g!.shape).toEqual([2, 2]);
    expect([...(await g!.data())]).toEqual([0, 0, 0, 0]);
  });

  it('of the loss itself is one, and of an inner tensor what reaches it', async () => {
    const inner = x.exp();
    const loss = inner.sum();
    const [ofLoss, ofInner, ofX] = grad(loss, [loss, inner, x]);
    expect(await ofLoss!.item()).toBe(1);
    expect([...(await ofInner!.data())]).toEqual(new Array(12).fill(1));
    expect([...(await ofX!.data())]).toEqual([...(await inner.data())]);
  });

  it('stops at detach', async () => {
    const y = tensor([3]);
    const [g] = grad(y.mul(stopGradient(y)).sum(), [y]);
    expect(await g!.item()).toBe(3);
    const [none] = grad(y.detach().square().sum(), [y]);
    expect(await none!.item()).toBe(0);
  });

  it('visits nothing below the lowest wanted tensor', () => {
    const weights = [1, 2, 3, 4].map((seed) => sample([4, 4], seed));
    const adapters = [5, 6, 7, 8].map((seed) => sample([4, 4], seed));
    const layer = (h: Tensor, i: number): Tensor =>
      h.matmul(weights[i]!).add(h.matmul(adapters[i]!)).tanh();
    const loss = [0, 1, 2, 3].reduce(layer, x).sum();
    const forward = countOps([loss], 'matmul');
    const backward = (wrt: Tensor[]): number =>
      countOps([loss, ...grad(loss, wrt)], 'matmul') - forward;
    expect(forward).toBe(8);
    expect(backward([adapters[3]!])).toBe(1); // dA of the top layer only
    expect(backward([adapters[2]!])).toBe(3); // through the top layer (2 products), then dA
    expect(backward(adapters)).toBe(4 + 3 * 2); // no gradient of any frozen weight, none of x
    expect(backward([...adapters, ...weights])).toBe(8 + 3 * 2);
  });

  it('is deep without overflowing the stack', async () => {
    let y = tensor([1]);
    const start = y;
    for (let i = 0; i < 20_000; i++) y = y.neg();
    const [g] = grad(y.sum(), [start]);
    expect(countOps([g!], 'elementwise')).toBe(20_000);
  });

  it('refuses a loss of many elements, integers, and meaningless paths', () => {
    expect(() => grad(x, [x])).toThrow(/one element, not shape \[3, 4\]/);
    expect(() => grad(x.sum(), [zeros([2], 'i32')])).toThrow(/tensor 0 of wrt is i32/);
    expect(() => grad(x.gt(0).cast('i32').sum(), [x])).toThrow(/the loss is i32/);
    expect(() => grad(x.gt(0).cast('f32').sum(), [x])).toThrow(/only through lt \(bool \[3, 4\]\)/);
  });
});

describe('a tensor without a gradient', () => {
  it('is an error when only integers connect it, even where others are connected', () => {
    const y = sample([3, 4], 2);
    const loss = x.argmax(1).cast('f32').mul(2).sum().add(y.sum());
    expect(() => grad(loss, [y, x])).toThrow(
      /tensor 1 of wrt, f32 \[3, 4\], reaches the result only through .*i32 \[3\].*customGradient/s,
    );
    expect(() => grad(loss, [y])).not.toThrow();
  });

  it('is zero behind stopGradient, also before an integer op, and beside a condition', async () => {
    const loss = x
      .detach()
      .argmax(1)
      .cast('f32')
      .sum()
      .add(where(x.gt(0), 2, 3).detach().sum());
    const [g] = grad(loss, [x]);
    expect((await g!.data()).every((v) => v === 0)).toBe(true);
  });

  it('is named with allowUnused: false, and whether it is not connected or cut off', () => {
    const other = sample([2]);
    const strict = { allowUnused: false };
    expect(() => grad(x.sum(), [other], strict)).toThrow(/tensor 0 .*\[2\], is not connected/);
    expect(() => grad(x.floor().sum(), [x], strict)).toThrow(
      /tensor 0 .* has no gradient: .*floor/,
    );
    expect(() => grad(x.square().sum(), [x], strict)).not.toThrow();
  });
});

describe('values that were read', () => {
  it('keep their gradient as something on the way', async () => {
    const w = sample([4]);
    const h = w.exp();
    const before = h.square().sum();
    await h.data();
    const loss = before.add(h.sum()); // h from before and after the read
    const [gh, gw] = grad(loss, [h, w]);
    const value = [...(await h.data())];
    expect([...(await gh!.data())]).toEqual(value.map((v) => 2 * v + 1));
    expect([...(await gw!.data())]).toEqual(value.map((v) => 2 * v * v)); // h after the read is data
  });

  it('have no history as a loss', async () => {
    const loss = x.sum();
    await loss.item();
    expect(() => grad(loss, [x])).toThrow(/without a history.*first, then read/s);
    expect(() => grad(tensor([1]), [x])).toThrow(/without a history/);
  });
});

describe('gradcheck', () => {
  it('names op, input, element, expected and got', async () => {
    const wrong = ([a, b]: Tensor[]): Tensor => a!.mul(b!.detach());
    await expect(gradcheck(wrong, [tensor([2]), tensor([3])])).rejects.toThrow(
      /gradcheck of mul: input 1, element 0 \(x = 3\): expected 4\.9\d+, got 0/,
    );
  });

  it('does not take NaN for agreement', async () => {
    await expect(gradcheck(([a]) => a!.log(), [tensor([-1])])).rejects.toThrow(/got/);
  });
});
