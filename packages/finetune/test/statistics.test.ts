/** @file Student's distribution against tables (scipy.stats 1.17), and the paired test against `ttest_rel`. */
import { expect, test } from 'vitest';
import { meanAndSd, pairedTest, studentCdf, studentQuantile } from '../src/compare/statistics.ts';

test.each([
  [1, 12.706204736174694],
  [2, 4.302652729749462],
  [5, 2.5705818356363146],
  [30, 2.0422724563012378],
  [200, 1.9718962236339088],
])('the 0.975 quantile for %i degrees of freedom', (freedom, expected) => {
  expect(studentQuantile(0.975, freedom)).toBeCloseTo(expected, 7);
  expect(studentCdf(expected, freedom)).toBeCloseTo(0.975, 9);
  expect(studentCdf(-expected, freedom)).toBeCloseTo(0.025, 9);
});

test('the paired test', () => {
  const [a, b] = [
    [0.91, 0.87, 0.9, 0.93],
    [0.89, 0.88, 0.86, 0.9],
  ];
  const { difference, p, low, high, pairs } = pairedTest(a!, b!);
  expect(pairs).toBe(4);
  expect(difference).toBeCloseTo(0.02, 12);
  expect(p).toBeCloseTo(0.1611618472135195, 9);
  expect(low).toBeCloseTo(-0.0143743488185831, 9);
  expect(high).toBeCloseTo(0.0543743488185831, 9);
});

test('the ends: one pair, equal differences', () => {
  expect(pairedTest([1], [0]).p).toBeUndefined();
  expect(pairedTest([0.5, 0.6], [0.5, 0.6])).toMatchObject({ difference: 0, p: 1 });
  expect(meanAndSd([2]).sd).toBe(0);
  expect(meanAndSd([1, 2, 3])).toEqual({ mean: 2, sd: 1 });
});
