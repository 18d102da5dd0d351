/** @file Matrix products: every layout, batch broadcasting, prologues, epilogues, awkward sizes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { where } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { agree } from './compare.ts';
import { DEVICES, compute, type HostInput } from './devices.ts';
import { below, runs, seeds, sequence, values } from './generate.ts';

/** Ways for an operand [..., R, C] to lie in memory. */
const LAYOUTS = ['plain', 'transposed', 'sliced', 'heads', 'expanded'] as const;
type Layout = (typeof LAYOUTS)[number];

interface Stored {
  readonly host: HostInput;
  readonly view: (x: Tensor) => Tensor;
}

/** Stores an operand of shape [B, R, C] in a layout. */
function stored(
  [b, r, c]: readonly [number, number, number],
  layout: Layout,
  seed: number,
): Stored {
  switch (layout) {
    case 'plain':
      return { host: values([b, r, c], seed), view: (x) => x };
    case 'transposed':
      return { host: values([b, c, r], seed), view: (x) => x.transpose() };
    case 'sliced':
      return {
        host: values([b, r + 2, c + 3], seed),
        view: (x) => x.slice(1, 1, r + 1).slice(2, 2, c + 2),
      };
    case 'heads': // [R, B, C], as attention heads lie in a projection
      return { host: values([r, b, c], seed), view: (x) => x.permute([1, 0, 2]) };
    case 'expanded':
      return { host: values([1, r, c], seed), view: (x) => x.expand([b, r, c]) };
  }
}

/** What may follow a product in the same kernel. `y` has the product's shape, `bias` its last axis. */
const EPILOGUES: Record<string, (p: Tensor, y: Tensor, bias: Tensor) => Tensor> = {
  none: (p) => p,
  bias: (p, _y, bias) => p.add(bias),
  'bias and gelu': (p, _y, bias) => p.add(bias).gelu(),
  residual: (p, y) => p.add(y),
  'scale, bias, silu, residual': (p, y, bias) => p.mul(0.5).add(bias).silu().add(y),
  'mask and softmax': (p, y) => where(y.gt(0), p, -1e9).softmax(),
  'transposed result': (p) => p.transpose().mul(2),
  'product and its square': (p) => p.mul(p),
};

const size = fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 33);
const drawn = fc.record({
  batch: fc.constantFrom(1, 2, 3),
  m: size,
  k: size,
  n: size,
  a: fc.constantFrom(...LAYOUTS),
  b: fc.constantFrom(...LAYOUTS),
  seed: seeds,
});

describe.each(DEVICES)('matmul on %s', (device) => {
  test.each(Object.keys(EPILOGUES))('with %s, in every layout', async (name) => {
    const law = fc.asyncProperty(drawn, async ({ batch, m, k, n, a, b, seed }) => {
      const left = stored([batch, m, k], a, seed);
      const right = stored([batch, k, n], b, seed + 1);
      const apply = ([x, y, z, bias]: Tensor[]): Tensor =>
        EPILOGUES[name]!(left.view(x!).matmul(right.view(y!)), z!, bias!);
      const inputs = [
        left.host,
        right.host,
        values([batch, m, n], seed + 2),
        values([n], seed + 3),
      ];
      await agree(device, apply, inputs, 1e-4);
    });
    await fc.assert(law, runs(12));
  });

  test('with work before the product', async () => {
    const law = fc.asyncProperty(drawn, async ({ batch, m, k, n, a, b, seed }) => {
      const left = stored([batch, m, k], a, seed);
      const right = stored([batch, k, n], b, seed + 1);
      const apply = ([x, y]: Tensor[]): Tensor =>
        left.view(x!).tanh().matmul(right.view(y!).mul(0.5)).sum(-1);
      await agree(device, apply, [left.host, right.host], 1e-4);
    });
    await fc.assert(law, runs(10));
  });

  test('with computed operands of the same size as the result', async () => {
    for (const n of [1, 4, 16]) {
      const law = ([x, y]: Tensor[]): Tensor[] => {
        const left = x!.tanh();
        const product = left.matmul(y!.add(1).transpose()).mul(0.1);
        return [product, product.add(left).gelu(), left.mul(2)];
      };
      await agree(device, law, [values([n, n], 1), values([n, n], 2)], 1e-5);
    }
  });

  test('batch broadcasting', async () => {
    const pairs = [
      [
        [3, 4],
        [4, 2],
      ],
      [
        [2, 3, 4],
        [4, 5],
      ],
      [
        [3, 4],
        [2, 4, 5],
      ],
      [
        [2, 1, 3, 4],
        [3, 4, 2],
      ],
      [
        [1, 3, 4],
        [5, 4, 2],
      ],
      [
        [2, 2, 3, 4],
        [2, 1, 4, 2],
      ],
    ];
    for (const [a, b] of pairs)
      await agree(device, ([x, y]) => x!.matmul(y!), [values(a!, 1), values(b!, 2)], 1e-5);
  });

  test.each([
    [64, 64, 64],
    [128, 65, 96],
    [1, 300, 200],
    [200, 300, 1],
    [130, 1, 70],
    [33, 257, 129],
  ])('sizes around tiles: %i × %i × %i', async (m, k, n) => {
    for (const [a, b] of [
      ['plain', 'plain'],
      ['plain', 'transposed'],
      ['transposed', 'plain'],
    ] as const) {
      const [x, y] = [stored([1, m, k], a, 1), stored([1, k, n], b, 2)];
      const law = ([p, q]: Tensor[]): Tensor => x.view(p!).matmul(y.view(q!));
      await agree(device, law, [x.host, y.host], 2e-4);
    }
  });

  test('no rows, no columns, no inner axis', async () => {
    for (const [m, k, n] of [
      [0, 3, 2],
      [2, 3, 0],
      [2, 0, 3],
      [0, 0, 0],
    ] as const) {
      const law = ([x, y, bias]: Tensor[]): Tensor => x!.matmul(y!).add(bias!);
      await agree(device, law, [values([m, k], 1), values([k, n], 2), values([n], 3)], 1e-6);
    }
  });

  test('refuses sizes that do not meet', async () => {
    const wrong = [values([2, 3], 1), values([4, 5], 2)];
    await expect(compute(device, ([x, y]) => x!.matmul(y!), wrong)).rejects.toThrow(
      /inner sizes differ.*\[2, 3\].*\[4, 5\]/,
    );
  });

  test('f16 and bf16 weights are read as their values', async () => {
    for (const dtype of ['f16', 'bf16'] as const) {
      const next = sequence(3);
      const bits = Uint16Array.from({ length: 48 }, () => 0x3c00 + below(next, 0x300));
      const weight = { data: bits, shape: [6, 8], dtype };
      const law = ([x, w]: Tensor[]): Tensor[] => [x!.matmul(w!.transpose()), w!.mul(1)];
      await agree(device, law, [values([5, 8], 1), weight], 1e-4);
    }
  });
});
