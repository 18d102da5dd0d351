/** @file Losses against PyTorch (tools/oracle/optimisers.py), and where PyTorch gives NaN. */
import { grad } from '@camada/autograd';
import { ShapeError, realize, tensor } from '@camada/tensor';
import { bceWithLogits, crossEntropy, mseLoss } from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEVICES, goldenJson, maxDifference, on } from './support.ts';

interface Golden {
  readonly crossEntropy: {
    logits: number[][][];
    labels: number[][];
    loss: number;
    gradient: number[][][];
  };
  readonly mse: { prediction: number[]; target: number[]; loss: number; gradient: number[] };
}

const golden = goldenJson<Golden>('losses.json');

describe.each(DEVICES)('on %s', (device) => {
  beforeAll(() => on(device));

  it('crossEntropy and its gradient are PyTorch’s, with ignored labels and logits of 10⁴', async () => {
    const record = golden.crossEntropy;
    const logits = tensor(record.logits.flat(2), [2, 5, 7]);
    const loss = crossEntropy(logits, tensor(Int32Array.from(record.labels.flat()), [2, 5]));
    const [gradient] = grad(loss, [logits]);
    await realize([loss, gradient!]);
    expect(Math.abs((await loss.item()) / record.loss - 1)).toBeLessThan(1e-6);
    expect(maxDifference(await gradient!.data(), record.gradient.flat(2))).toBeLessThan(1e-6);
  });

  it('bceWithLogits is σ(x) − y in its gradient, also at 0 and at logits of 10⁴', async () => {
    const x = [0, 0, 0.5, -3, 1e4, 1e4, -1e4, -1e4];
    const y = [0, 1, 0.25, 1, 1, 0, 0, 1];
    const logits = tensor(x, [2, 4]);
    const loss = bceWithLogits(logits, tensor(y, [2, 4]));
    const [gradient] = grad(loss, [logits]);
    const sigma = x.map((value) => 1 / (1 + Math.exp(-value)));
    const expected = sigma.map((value, i) => (value - y[i]!) / 8);
    expect(maxDifference(await gradient!.data(), expected)).toBeLessThan(1e-6);
    const small = x.slice(0, 4).map((value, i) => Math.log1p(Math.exp(value)) - value * y[i]!);
    const mean = (small.reduce((sum, value) => sum + value, 0) + 2e4) / 8;
    expect(Math.abs((await loss.item()) / mean - 1)).toBeLessThan(1e-6);
    expect(() => bceWithLogits(logits, tensor(y))).toThrow(ShapeError);
  });

  it('crossEntropy is 0, with gradient 0, when every label is ignored', async () => {
    const logits = tensor([1, 2, 3, 4], [2, 2]);
    const loss = crossEntropy(logits, tensor(Int32Array.of(-100, -100)));
    const [gradient] = grad(loss, [logits]);
    expect(await loss.item()).toBe(0);
    expect([...(await gradient!.data())]).toEqual([0, 0, 0, 0]);
  });

  it('mseLoss and its gradient are PyTorch’s', async () => {
    const record = golden.mse;
    const prediction = tensor(record.prediction);
    const loss = mseLoss(prediction, tensor(record.target));
    const [gradient] = grad(loss, [prediction]);
    expect(await loss.item()).toBeCloseTo(record.loss, 4);
    expect(maxDifference(await gradient!.data(), record.gradient)).toBeLessThan(1e-5);
  });
});

describe('losses', () => {
  it('refuse shapes that do not fit', () => {
    expect(() => crossEntropy(tensor([1, 2], [1, 2]), tensor(Int32Array.of(0, 1)))).toThrow(
      ShapeError,
    );
    expect(() => mseLoss(tensor([1]), tensor([1, 2]))).toThrow(
      /prediction \[1\] and target \[2\] differ/,
    );
  });
});
