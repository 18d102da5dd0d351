import { readFileSync } from 'node:fs';
import { device, openDevice, tensor, useDevice, type Tensor } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { MinibatchCka, StreamingCka, linearCka } from '../src/index.ts';
import { gaussian, normal } from './helpers.ts';

interface Golden {
  readonly analytic: { readonly biased: number; readonly debiased: number };
  readonly minibatch: Readonly<Record<string, number>>;
}

const GOLDEN = JSON.parse(
  readFileSync(new URL('./golden/cka.json', import.meta.url), 'utf8'),
) as Golden;

const ESTIMATORS = ['biased', 'debiased'] as const;
const FORMS = ['gram', 'features'] as const;

function table(n: number, p: number, f: (i: number, j: number) => number): Tensor {
  const data = Float64Array.from({ length: n * p }, (_, k) => f(Math.floor(k / p), k % p));
  return tensor(data, [n, p]);
}

const X = table(8, 3, (i, j) => Math.sin(1 + 3 * i + j));
const Y = table(8, 4, (i, j) => Math.cos(2 + 4 * i + j) + 0.5 * Math.sin(1 + 3 * i));

describe('linear CKA', () => {
  it.each(ESTIMATORS.flatMap((estimator) => FORMS.map((form) => [estimator, form] as const)))(
    '%s by %s gives the golden vector',
    async (estimator, form) => {
      const value = await linearCka(X, Y, { estimator, form });
      expect(value).toBeCloseTo(GOLDEN.analytic[estimator], 10);
      expect(value).toBeCloseTo({ biased: 0.1516580883, debiased: -0.1031006445 }[estimator], 9);
    },
  );

  it.each(ESTIMATORS)('%s is the same streamed in uneven batches', async (estimator) => {
    const [x, y] = [gaussian(40, 5, 1).add(3), gaussian(40, 7, 2).sub(100)];
    const stream = new StreamingCka();
    for (const [from, to] of [
      [0, 1],
      [1, 17],
      [17, 40],
    ] as const)
      await stream.add(x.slice(0, from, to), y.slice(0, from, to));
    expect(stream.examples).toBe(40);
    const [gram, once] = [
      await linearCka(x, y, { estimator, form: 'gram' }),
      await linearCka(x, y, { estimator, form: 'features' }),
    ];
    expect(await stream.value(estimator)).toBeCloseTo(gram, 9);
    expect(once).toBeCloseTo(gram, 9);
  });

  it.each(ESTIMATORS)(
    '%s does not change under orthogonal maps, scaling and shifts',
    async (estimator) => {
      const [x, y] = [gaussian(20, 2, 3), gaussian(20, 3, 4).add(gaussian(20, 1, 5))];
      const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
      const rotation = tensor([c, s, -s, c], [2, 2]);
      const moved = x
        .matmul(rotation)
        .mul(17)
        .add(tensor([5, -9]));
      const before = await linearCka(x, y, { estimator });
      expect(await linearCka(moved, y, { estimator })).toBeCloseTo(before, 5); // the map is f32
      const stretched = x.mul(tensor([10, 1]));
      expect(Math.abs((await linearCka(stretched, y, { estimator })) - before)).toBeGreaterThan(
        1e-3,
      );
    },
  );

  it.each(ESTIMATORS)('%s of a representation with itself is 1', async (estimator) => {
    expect(await linearCka(X, X, { estimator })).toBeCloseTo(1, 10);
  });

  it('debiased is near 0 for unrelated data of few examples and many features; biased is not', async () => {
    const [x, y] = [gaussian(48, 1024, 6), gaussian(48, 1024, 7)];
    expect(await linearCka(x, y, { estimator: 'biased' })).toBeGreaterThan(0.9);
    expect(Math.abs(await linearCka(x, y))).toBeLessThan(0.05);
  });

  it('refuses constant representations, too few and unequal examples', async () => {
    const constant = tensor(new Float64Array(8).fill(3), [8, 1]);
    for (const form of FORMS)
      await expect(linearCka(constant, Y, { form })).rejects.toThrow(/same for all examples/);
    await expect(linearCka(X.slice(0, 0, 3), Y.slice(0, 0, 3))).rejects.toThrow(/at least 4/);
    await expect(linearCka(X, Y.slice(0, 0, 7))).rejects.toThrow(/\[8, 3\] and \[7, 4\]/);
  });

  it('is refused, not NaN, for data that is not finite', async () => {
    const broken = tensor(
      Float64Array.from({ length: 8 }, (_, i) => (i === 2 ? NaN : i)),
      [8, 1],
    );
    await expect(linearCka(broken, Y)).rejects.toThrow(/not finite/);
  });
});

describe('linear CKA in f32', () => {
  /** Two related representations whose means are far larger than their spread, made on the current device. */
  function shifted(): [Tensor, Tensor] {
    const [a, b] = [normal(64 * 8, 11), normal(64 * 8, 12)];
    const offset = (i: number): number => 300 * (i % 8);
    const x = a.map((value, i) => value + offset(i));
    const y = b.map((value, i) => 0.5 * value + a[i]! + offset(i));
    return [tensor(x, [64, 8]), tensor(y, [64, 8])];
  }

  it.each(ESTIMATORS)('%s keeps its digits where means are large', async (estimator) => {
    const exact = await linearCka(...shifted(), { estimator });
    const before = await device();
    const wasm = await openDevice('wasm');
    useDevice(wasm);
    try {
      const stream = new StreamingCka();
      const [x, y] = shifted();
      for (let at = 0; at < 64; at += 16)
        await stream.add(x.slice(0, at, at + 16), y.slice(0, at, at + 16));
      expect(await stream.value(estimator)).toBeCloseTo(exact, 4);
      expect(await linearCka(x, y, { estimator, form: 'gram' })).toBeCloseTo(exact, 4);
    } finally {
      useDevice(before);
      wasm.dispose();
    }
  });
});

describe('mini-batch CKA', () => {
  const x = table(96, 5, (i, j) => Math.sin(1 + 3 * i + j + (i * j) / 7));
  const y = x.mul(tensor([1, 2, 3, 4, 5])).add(table(96, 5, (i, j) => Math.cos(i * (j + 1))));

  it.each([8, 32, 96])('of batches of %i gives the golden value', async (size) => {
    const minibatch = new MinibatchCka();
    for (let at = 0; at < 96; at += size)
      await minibatch.add(x.slice(0, at, at + size), y.slice(0, at, at + size));
    expect(minibatch.batches).toBe(96 / size);
    expect(minibatch.value).toBeCloseTo(GOLDEN.minibatch[`batch${size}`]!, 9);
  });

  it('skips batches that are too small and is undefined without any', async () => {
    const minibatch = new MinibatchCka();
    expect(await minibatch.add(x.slice(0, 0, 3), y.slice(0, 0, 3))).toBe(false);
    expect(minibatch.value).toBeUndefined();
  });
});
