/** @file Measures against values worked out by hand or with scikit-learn and SciPy. */
import { expect, test } from 'vitest';
import {
  classificationMetrics,
  languageMetrics,
  pearson,
  ranks,
  regressionMetrics,
} from '../src/eval/metrics.ts';

test('classification', () => {
  const logits = [2, 0, 0, 0, 1, 0, 0, 3, 0, 1, 0, 1.5];
  const { n, accuracy, macroF1, loss } = classificationMetrics(logits, [0, 1, 0, 2], 3);
  expect({ n, accuracy }).toEqual({ n: 4, accuracy: 0.75 });
  // F1 of the classes: 2/3, 2/3, 1.
  expect(macroF1).toBeCloseTo((2 / 3 + 2 / 3 + 1) / 3, 12);
  const terms = [
    Math.log(Math.exp(2) + 2) - 2,
    Math.log(Math.E + 2) - 1,
    Math.log(Math.exp(3) + 2),
    Math.log(Math.E + 1 + Math.exp(1.5)) - 1.5,
  ];
  expect(loss).toBeCloseTo(terms.reduce((a, b) => a + b) / 4, 12);
});

test('large logits do not overflow', () => {
  expect(classificationMetrics([1000, 0], [1], 2).loss).toBe(1000);
});

test('regression', () => {
  const { loss, pearson: r, spearman } = regressionMetrics([1, 2, 3, 4], [1, 4, 9, 16]);
  expect(loss).toBeCloseTo((0 + 4 + 36 + 144) / 4, 12);
  expect(r).toBeCloseTo(0.984374, 6);
  expect(spearman).toBeCloseTo(1, 12);
  expect(pearson([1, 1, 1], [1, 2, 3])).toBeNull();
  expect(ranks([3, 1, 3, 2])).toEqual([2.5, 0, 2.5, 1]);
});

test('language models', () => {
  expect(languageMetrics(20, 10)).toEqual({ n: 10, loss: 2, perplexity: Math.exp(2) });
});
