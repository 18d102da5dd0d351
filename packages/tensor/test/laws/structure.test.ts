/** @file Structure: how many kernels a program takes, so that fusion cannot silently stop. */
import { describe, expect, test } from 'vitest';
import { concat, randomUniform, realize, tensor, where, zeros } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { DEVICES, on } from './devices.ts';
import { values } from './generate.ts';

function input(shape: number[], seed = 1): Tensor {
  const { data } = values(shape, seed);
  return tensor(data, shape);
}

const layerNorm = (x: Tensor, gain: Tensor, shift: Tensor): Tensor =>
  x.sub(x.mean(-1, true)).mul(x.variance(-1, true).add(1e-5).rsqrt()).mul(gain).add(shift);

interface Row {
  readonly name: string;
  readonly kernels: number;
  readonly build: () => Tensor | Tensor[];
}

const x = (): Tensor => input([8, 16]);

const rows: Row[] = [
  {
    name: 'a chain of ten elementwise ops',
    kernels: 1,
    build: () => x().add(1).tanh().mul(2).gelu().sub(x()).exp(),
  },
  {
    name: 'elementwise over views',
    kernels: 1,
    build: () =>
      x()
        .transpose()
        .add(input([16, 8], 2))
        .slice(0, 1),
  },
  { name: 'producers into a reduction', kernels: 1, build: () => x().square().add(1).sum(-1) },
  {
    name: 'a reduction and what follows it',
    kernels: 1,
    build: () => x().sum(-1, true).add(1).rsqrt().mul(x()),
  },
  { name: 'softmax', kernels: 1, build: () => x().softmax() },
  { name: 'log softmax', kernels: 1, build: () => x().logSoftmax() },
  {
    name: 'masked softmax',
    kernels: 1,
    build: () => where(x().gt(0), x().mul(0.5), -1e9).softmax(),
  },
  { name: 'layer norm', kernels: 1, build: () => layerNorm(x(), input([16], 2), input([16], 3)) },
  {
    name: 'dropout, residual and layer norm',
    kernels: 1,
    build: () => {
      const kept = where(randomUniform([8, 16], [1, 2]).ge(0.1), input([8, 16], 4).div(0.9), 0);
      return layerNorm(x().add(kept), input([16], 2), input([16], 3));
    },
  },
  {
    name: 'linear and bias',
    kernels: 1,
    build: () =>
      x()
        .matmul(input([16, 4], 2))
        .add(input([4], 3)),
  },
  {
    name: 'linear of a transposed weight, bias and gelu',
    kernels: 1,
    build: () =>
      x()
        .matmul(input([4, 16], 2).transpose())
        .add(input([4], 3))
        .gelu(),
  },
  {
    name: 'linear, bias and residual',
    kernels: 1,
    build: () =>
      x()
        .matmul(input([16, 16], 2))
        .add(input([16], 3))
        .add(x()),
  },
  {
    name: 'attention scores and their softmax',
    kernels: 2,
    build: () =>
      x()
        .matmul(input([8, 16], 2).transpose())
        .mul(0.25)
        .softmax(),
  },
  {
    name: 'look-up, position and layer norm',
    kernels: 1,
    build: () => {
      const rows = input([50, 16]).gather(tensor(Int32Array.of(1, 2, 3, 4)));
      return layerNorm(rows.add(input([4, 16], 5)), input([16], 2), input([16], 3));
    },
  },
  { name: 'argmax', kernels: 1, build: () => x().argmax() },
  { name: 'argsort', kernels: 1, build: () => x().argsort() },
  { name: 'the three largest of each row', kernels: 3, build: () => x().topk(3) },
  { name: 'a running sum of four doubling steps', kernels: 2, build: () => x().cumsum() },
  { name: 'a running sum of six', kernels: 2, build: () => input([4, 64]).cumsum() },
  {
    name: 'rotation of halves, of a sum that is not in memory',
    kernels: 1,
    build: () => {
      const y = x().add(input([8, 16], 2));
      const turned = concat([y.slice(1, 8, 16).neg(), y.slice(1, 0, 8)], 1);
      return y.mul(input([8, 16], 3)).add(turned.mul(input([8, 16], 4)));
    },
  },
  {
    name: 'indexAdd',
    kernels: 1,
    build: () => zeros([5, 4]).indexAdd(0, tensor(Int32Array.of(1, 1, 0)), input([3, 4])),
  },
];

describe.each(DEVICES)('kernels on %s', (device) => {
  test.each(rows)('$name: $kernels', async ({ kernels, build }) => {
    const engine = await on(device);
    const outputs = [build()].flat();
    const before = engine.counters.kernels;
    await realize(outputs);
    expect(engine.counters.kernels - before).toBe(kernels);
  });

  test('host numbers are data: another value compiles nothing', async () => {
    const engine = await on(device);
    const base = input([4, 4], 9);
    const run = (rate: number): Promise<unknown> =>
      base
        .mul(rate)
        .add(rate * 2)
        .softmax()
        .data();
    await run(0.1);
    const { compiled } = engine.counters;
    for (let i = 0; i < 5; i++) await run(0.2 + i);
    expect(engine.counters.compiled).toBe(compiled);
  });

  test('one run is one submit', async () => {
    const engine = await on(device);
    const y = x()
      .matmul(input([16, 16], 2))
      .softmax()
      .matmul(input([16, 4], 3))
      .tanh();
    const before = engine.counters.submits;
    await realize([y]);
    expect(engine.counters.submits - before).toBeLessThanOrEqual(1);
  });
});
