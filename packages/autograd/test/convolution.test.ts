/** @file Convolutions and pooling: what the catalogue does not draw, adjoints, and how many kernels a layer takes. */
import { ShapeError, openDevice, realize, tensor, useDevice } from '@camada/tensor';
import type { Device, Tensor } from '@camada/tensor';
import { beforeAll, describe, expect, it } from 'vitest';
import { grad, gradcheck } from '../src/index.ts';
import { sample } from './helpers.ts';

const list = async (x: Tensor): Promise<number[]> => [...(await x.data())];

describe('convolution', () => {
  it('slides without turning the weight, with and without a batch axis', async () => {
    const x = tensor([1, 2, 3, 4, 5], [1, 5]);
    const w = tensor([1, 0, -1], [1, 1, 3]);
    expect(await list(x.conv1d(w))).toEqual([-2, -2, -2]);
    expect(x.conv1d(w).shape).toEqual([1, 3]);
    expect(x.unsqueeze(0).conv1d(w, { padding: 'same' }).shape).toEqual([1, 1, 5]);
    expect(await list(x.conv1d(w, { padding: 'same' }))).toEqual([-2, -2, -2, -2, 4]);
    const even = tensor([1, 1], [1, 1, 2]);
    expect(await list(x.conv1d(even, { padding: 'same' }))).toEqual([3, 5, 7, 9, 5]);
  });

  it('has the gradients of input, weight and bias', async () => {
    const inputs = [sample([2, 3, 6, 5]), sample([4, 3, 3, 2], 2), sample([4], 3)];
    const options = { stride: [2, 1], padding: [1, 0], dilation: [1, 2] } as const;
    const check = gradcheck(
      ([x, w, b]) => x!.conv2d(w!, { ...options, bias: b! }).square(),
      inputs,
      { tolerance: 1e-5 },
    );
    expect((await check).maxError).toBeLessThan(1e-5);
  });

  it('has the gradients of one filter a channel', async () => {
    const inputs = [sample([2, 3, 6]), sample([3, 1, 3], 2)];
    const check = gradcheck(([x, w]) => x!.conv1d(w!, { groups: 3, padding: 1 }).square(), inputs);
    expect((await check).maxError).toBeLessThan(1e-6);
  });

  it.each([
    { stride: 1, padding: 0, dilation: 1 },
    { stride: 2, padding: 1, dilation: 1 },
    { stride: 3, padding: 2, dilation: 2 },
  ])('transposed is the gradient with respect to the input: %o', async (options) => {
    const [x, w] = [sample([2, 4, 9, 9]), sample([4, 3, 3, 3], 2)];
    const y = sample([2, 3, 9, 9], 3);
    const forward = y.conv2d(w, options);
    const upstream = x.slice(2, 0, forward.shape[2]!).slice(3, 0, forward.shape[3]!);
    const [dy] = grad(forward.mul(upstream).sum(), [y]);
    const left = (9 + 2 * options.padding - options.dilation * 2 - 1) % options.stride;
    const back = upstream.convTranspose2d(w, { ...options, outputPadding: left });
    expect(back.shape).toEqual(y.shape);
    const [expected, got] = [await list(dy!), await list(back)];
    got.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 10));
  });

  it.each([
    [
      'channels',
      () => sample([1, 3, 5]).conv1d(sample([2, 2, 3])),
      /does not fit 3 input channels/,
    ],
    ['a window too large', () => sample([1, 1, 2]).conv1d(sample([1, 1, 3])), /do not fit axis 2/],
    ['ranks', () => sample([5]).conv1d(sample([1, 1, 3])), /wants \[N, C, L\]/],
    ['a weight of ranks', () => sample([1, 1, 5]).conv1d(sample([1, 3])), /a weight of 3 axes/],
    [
      'same with strides',
      () => sample([1, 1, 5]).conv1d(sample([1, 1, 3]), { padding: 'same', stride: 2 }),
      /needs stride 1/,
    ],
    [
      'a bias',
      () => sample([1, 1, 5]).conv1d(sample([2, 1, 3]), { bias: sample([3]) }),
      /bias must be \[2\]/,
    ],
    ['padding past half', () => sample([1, 1, 5]).maxPool1d(2, { padding: 2 }), /half the window/],
    ['parts', () => sample([1, 1, 5]).adaptiveAvgPool1d(2), /must divide/],
    ['a stride of 0', () => sample([1, 1, 5]).avgPool1d(2, { stride: 0 }), /at least 1/],
  ])('refuses what does not fit: %s', (_, run, message) => {
    expect(run).toThrow(ShapeError);
    expect(run).toThrow(message);
  });
});

describe('pooling', () => {
  it('gives the gradient to the first maximum', async () => {
    const x = tensor([1, 3, 3, 0, 2, 2], [1, 1, 6]);
    const [g] = grad(x.maxPool1d(3).sum(), [x]);
    expect(await list(g!)).toEqual([0, 1, 0, 0, 1, 0]);
  });

  it('adds gradients of windows that overlap', async () => {
    const x = tensor([0, 5, 1], [1, 1, 3]);
    const [g] = grad(x.maxPool1d(2, { stride: 1 }).sum(), [x]);
    expect(await list(g!)).toEqual([0, 2, 0]);
  });

  it('passes NaN on', async () => {
    const x = tensor([1, NaN, 0, 2], [1, 1, 4]);
    expect(await list(x.maxPool1d(2))).toEqual([NaN, 2]);
  });
});

describe('kernels', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice('wasm');
  });

  it('of a layer and its gradients stay few', async () => {
    useDevice(device);
    const [x, w, b] = [sample([2, 4, 8, 8]), sample([6, 4, 3, 3], 2), sample([6], 3)];
    const count = async (outputs: Tensor[]): Promise<number> => {
      const before = device.counters.kernels;
      await realize(outputs);
      return device.counters.kernels - before;
    };
    // Padding, windows, product with bias and activation.
    expect(await count([x.conv2d(w, { padding: 1, bias: b }).relu()])).toBe(3);
    expect(await count([sample([2, 4, 8, 8]).maxPool2d(2)])).toBe(1);
    const gradients = grad(x.conv2d(w, { padding: 1, bias: b }).square().sum(), [x, w, b]);
    expect(await count(gradients)).toBeLessThanOrEqual(9);
    device.dispose();
  });
});
