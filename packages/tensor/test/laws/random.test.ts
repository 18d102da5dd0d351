/** @file Random numbers: the same bits on every device, for every view and size. */
import { describe, expect, test } from 'vitest';
import {
  bitsAt,
  foldKey,
  full,
  randomBernoulli,
  randomBits,
  randomCategorical,
  randomExponential,
  randomGumbel,
  randomInteger,
  randomNormal,
  randomPermutation,
  randomUniform,
  tensor,
} from '@camada/tensor';
import type { RandomKey, Tensor } from '@camada/tensor';
import { DEVICES, compute } from './devices.ts';

const keys: RandomKey[] = [
  [0, 0],
  [1, 2],
  [0xffffffff, 0xffffffff],
  [0x12345678, 0x9abcdef0],
];

describe.each(DEVICES)('random numbers on %s', (device) => {
  test.each(keys)('key %i, %i: the bits of the reference', async (...key) => {
    const law = (): Tensor[] => [
      randomUniform([1000], key as unknown as RandomKey),
      randomUniform([3, 5, 7], key as unknown as RandomKey).permute([2, 0, 1]),
      randomUniform([4, 9], key as unknown as RandomKey).slice(1, 2, -3),
      randomUniform([], key as unknown as RandomKey),
    ];
    const expected = await compute('reference', law, []);
    const got = await compute(device, law, []);
    expect(got.map(({ data }) => [...data])).toEqual(expected.map(({ data }) => [...data]));
  });

  test('a mask of dropout is the same for the same key and another for another', async () => {
    const mask = (n: number) => (): Tensor =>
      randomUniform([64, 64], foldKey([3, 4], n))
        .lt(0.1)
        .cast('f32');
    const [first] = await compute(device, mask(0), []);
    const [again] = await compute(device, mask(0), []);
    const [other] = await compute(device, mask(1), []);
    expect([...again!.data]).toEqual([...first!.data]);
    expect([...other!.data]).not.toEqual([...first!.data]);
    const rate = [...first!.data].reduce((sum, x) => sum + x, 0) / 4096;
    expect(Math.abs(rate - 0.1)).toBeLessThan(0.02);
  });
});

describe('Philox4x32-10', () => {
  test('is uniform in [0, 1) and matches the published vector', async () => {
    // Random123's known answers (kat_vectors): counter 0, key 0 → 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
    const [zero] = await compute('reference', () => randomUniform([1], [0, 0]), []);
    expect(zero!.data[0]).toBe((0x6627e8d5 >>> 8) * 2 ** -24);
    const [many] = await compute('reference', () => randomUniform([50_000], [5, 6]), []);
    const data = [...many!.data];
    expect(Math.min(...data)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...data)).toBeLessThan(1);
    const buckets = new Array<number>(10).fill(0);
    for (const x of data) buckets[Math.floor(x * 10)]! += 1;
    for (const count of buckets) expect(Math.abs(count - 5000)).toBeLessThan(300);
  });
});

/** Draws enough that the bounds below are five standard deviations of what they bound. */
const MANY = 40_000;

/** Mean and variance. */
function moments(x: ArrayLike<number>): [mean: number, variance: number] {
  const list = Array.from(x);
  const mean = list.reduce((sum, v) => sum + v, 0) / list.length;
  return [mean, list.reduce((sum, v) => sum + (v - mean) ** 2, 0) / list.length];
}

/** Pearson's χ² of counts against probabilities. */
function chiSquare(counts: readonly number[], p: readonly number[]): number {
  const n = counts.reduce((sum, c) => sum + c, 0);
  return counts.reduce((sum, c, i) => sum + (c - n * p[i]!) ** 2 / (n * p[i]!), 0);
}

function countsOf(x: ArrayLike<number>, classes: number, low = 0): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const v of Array.from(x)) counts[v - low]! += 1;
  return counts;
}

const EULER = 0.5772156649;

describe.each(DEVICES)('distributions on %s', (device) => {
  const distributions: [string, (key: RandomKey) => Tensor, number, number][] = [
    ['uniform', (key) => randomUniform([MANY], key, -2, 4), 1, 3],
    ['normal', (key) => randomNormal([MANY], key, 3, 2), 3, 4],
    ['exponential', (key) => randomExponential([MANY], key, 0.5), 2, 4],
    ['Gumbel', (key) => randomGumbel([MANY], key), EULER, Math.PI ** 2 / 6],
    ['Bernoulli', (key) => randomBernoulli(0.2, key, [MANY]), 0.2, 0.16],
  ];
  test.each(distributions)('%s: mean and variance', async (_name, make, mean, variance) => {
    const [got] = await compute(device, () => make([7, 8]), []);
    const [m, v] = moments(got!.data);
    expect(Math.abs(m - mean)).toBeLessThan(5 * Math.sqrt(variance / MANY));
    expect(Math.abs(v / variance - 1)).toBeLessThan(0.1);
  });

  test('whole numbers: every one as often, negative ones too', async () => {
    const [got] = await compute(device, () => randomInteger([MANY], [1, 5], -3, 7), []);
    const p = new Array<number>(10).fill(0.1);
    expect(got!.dtype).toBe('i32');
    expect(chiSquare(countsOf(got!.data, 10, -3), p)).toBeLessThan(28); // p = 0.001 of 9 degrees
  });

  test('classes come with the probabilities of their logits; −∞ never', async () => {
    const p = [0.5, 0.3, 0, 0.15, 0.05];
    const law = (): Tensor => randomCategorical(tensor(p.map(Math.log)), [3, 9], MANY);
    const [got] = await compute(device, law, []);
    expect(got!.shape).toEqual([MANY]);
    const counts = countsOf(got!.data, 5);
    expect(counts[2]).toBe(0);
    const seen = (list: number[]): number[] => list.filter((_, i) => i !== 2);
    expect(chiSquare(seen(counts), seen(p))).toBeLessThan(16.3); // p = 0.001 of 3 degrees
  });

  test('permutations hold every number once, and no place favours one', async () => {
    const [long] = await compute(device, () => randomPermutation(5000, [2, 2]), []);
    expect([...long!.data].toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 5000 }, (_, i) => i),
    );
    const law = (): Tensor[] =>
      Array.from({ length: 50 }, (_, i) => randomPermutation(5, foldKey([4, 4], i)));
    const short = await compute(device, law, []);
    const firsts = countsOf(
      short.map(({ data }) => data[0]!),
      5,
    );
    expect(Math.min(...firsts)).toBeGreaterThan(1);
  });

  test('bits, whole numbers, choices and permutations are equal to the bit', async () => {
    const key: RandomKey = [0xdeadbeef, 0x12345678];
    const law = (): Tensor[] => [
      randomBits([100, 3], key),
      randomInteger([100], key, -5, 2 ** 31 - 100),
      randomBernoulli(full([4, 1], 0.3), key, [4, 50]),
      randomPermutation(300, key),
      randomCategorical(full([20, 10], 0), key),
    ];
    const expected = await compute('reference', law, []);
    const got = await compute(device, law, []);
    expect(got.map(({ data }) => [...data])).toEqual(expected.map(({ data }) => [...data]));
    expect(got[0]!.data[5]).toBe(bitsAt(5, key));
  });
});

describe('random numbers', () => {
  test('[low, high) never gives high, though rounding would', async () => {
    const [got] = await compute('wasm', () => randomUniform([200_000], [1, 1], 1000, 1001), []);
    expect([...got!.data].some((x) => x < 1000 || x >= 1001)).toBe(false);
  });

  test('wrong parameters are refused', () => {
    expect(() => randomUniform([2], [1, 1], 2, 2)).toThrow(/low 2 must be below high 2/);
    expect(() => randomInteger([2], [1, 1], 0, 2.5)).toThrow(/whole numbers low < high/);
    expect(() => randomInteger([2], [1, 1], 0, 2 ** 32)).toThrow(/whole numbers low < high/);
    expect(() => randomBernoulli(1.5, [1, 1])).toThrow(/p must be from 0 to 1/);
    expect(() => randomExponential([2], [1, 1], 0)).toThrow(/rate must be above 0/);
    expect(() => randomCategorical(full([3, 0], 0), [1, 1])).toThrow(/have no classes/);
  });
});
