/** @file Logistic regression against scikit-learn (tools/oracle/logistic.py), and its own conditions. */
import { crossValidate, fitLogistic } from '@camada/lora';
import { describe, expect, test } from 'vitest';
import { golden, json, maxDifference, numbers } from './support.ts';

interface Case {
  readonly classes: number;
  readonly C: number;
  readonly values: readonly number[];
  readonly labels: readonly number[];
  readonly weight: readonly number[];
  readonly bias: readonly number[];
  readonly loss: number;
}

const { cases } = json<{ cases: readonly Case[] }>(golden('logistic.json'));

describe('a fit', () => {
  test.each(cases)('of $classes classes, C $C, is that of scikit-learn', (given) => {
    const { C, classes, values, labels } = given;
    const fit = fitLogistic({ values, width: 4, labels, classes }, { C });
    const twice = (x: Float64Array): number[] => [...x.subarray(x.length / 2)].map((y) => 2 * y);
    const weight = classes === 2 ? twice(fit.weight) : fit.weight;
    // With a softmax only differences of biases say something.
    const centred = (x: ArrayLike<number>): number[] =>
      Array.from(x, (y) => y - Array.from(x).reduce((a, b) => a + b, 0) / x.length);
    const bias = classes === 2 ? twice(fit.bias) : centred(fit.bias);
    expect(maxDifference(weight, given.weight)).toBeLessThan(1e-4);
    expect(maxDifference(bias, classes === 2 ? given.bias : centred(given.bias))).toBeLessThan(
      1e-4,
    );
    expect(Math.abs(fit.loss - given.loss)).toBeLessThan(1e-7);
    expect(fit.gradient).toBeLessThan(1e-8);
  });

  test('of separable rows is finite, since the penalty holds it', () => {
    const values = numbers(40, 3);
    const labels = Array.from({ length: 20 }, (_, i) => Number(values[2 * i]! > 0));
    const fit = fitLogistic({ values, width: 2, labels, classes: 2 }, { C: 1e4 });
    expect(fit.loss).toBeLessThan(0.05);
    expect(fit.weight.every(Number.isFinite)).toBe(true);
  });

  test('refuses what cannot be', () => {
    const features = { values: [1, 2, NaN, 4], width: 2, labels: [0, 1], classes: 2 };
    expect(() => fitLogistic(features)).toThrow(/NaN/);
    expect(() => fitLogistic({ ...features, values: [1, 2, 3] })).toThrow(/3 features for 2 rows/);
    expect(() => fitLogistic({ ...features, values: [1, 2, 3, 4], labels: [0, 2] })).toThrow(
      /label 2/,
    );
  });
});

test('cross-validation penalises noise and lets signal through', () => {
  const values = numbers(60 * 8, 5);
  const noise = Array.from({ length: 60 }, (_, i) => i % 2);
  const signal = Array.from({ length: 60 }, (_, i) => Number(values[8 * i]! > 0));
  const features = (labels: readonly number[]) => ({ values, width: 8, labels, classes: 2 });
  const [weak, strong] = [crossValidate(features(noise)), crossValidate(features(signal))];
  expect(weak.C).toBeLessThan(strong.C);
  expect(Math.min(...weak.losses.values())).toBeGreaterThan(0.5);
  expect(strong.C).toBeGreaterThanOrEqual(10);
  expect([...strong.losses.keys()]).toEqual([0.01, 0.1, 1, 10, 100]);
});
