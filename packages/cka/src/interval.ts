/** @file How far an importance may be off, from resamples. */
import { clamp, quantile } from './numbers.ts';

/** An interval that holds the estimate. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Nothing is known: importances lie in [0, 1]. */
const UNKNOWN: Interval = { low: 0, high: 1 };

/**
 * Percentile interval of the resamples' deviations from their own median, around the estimate: the biased estimator
 * is larger in smaller samples, and only its spread matters here.
 * @param shrink factor on the deviations.
 */
export function intervalOf(
  estimate: number,
  resamples: readonly number[],
  confidence: number,
  shrink: number,
): Interval {
  if (resamples.length === 0) return UNKNOWN;
  const sorted = [...resamples].sort((a, b) => a - b);
  const median = quantile(sorted, 0.5);
  const bound = (q: number): number =>
    clamp(estimate + shrink * (quantile(sorted, q) - median), 0, 1);
  return { low: bound((1 - confidence) / 2), high: bound((1 + confidence) / 2) };
}
