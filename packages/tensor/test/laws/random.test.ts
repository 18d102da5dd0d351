/** @file Random numbers: the same bits on every device, for every view and size. */
import { describe, expect, test } from 'vitest';
import { foldKey, randomUniform } from '@camada/tensor';
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
