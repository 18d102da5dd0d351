/** @file How far an importance may be off, and how stable a ranking is, from resamples. */

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

/** The q-quantile of ascending numbers, interpolated linearly. */
function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const next = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return sorted[below]! + (at - below) * (next - sorted[below]!);
}

/** The nearest number in [low, high]. */
export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

/** Spearman's rank correlation of two lists; undefined for fewer than 3 numbers or a list of equal ones. */
export function spearman(a: readonly number[], b: readonly number[]): number | undefined {
  if (a.length < 3) return undefined;
  const [x, y] = [ranks(a), ranks(b)];
  const mean = (a.length - 1) / 2;
  const covariance = (p: readonly number[], q: readonly number[]): number =>
    p.reduce((sum, value, i) => sum + (value - mean) * (q[i]! - mean), 0);
  const value = covariance(x, y) / Math.sqrt(covariance(x, x) * covariance(y, y));
  return Number.isFinite(value) ? value : undefined;
}

/** Ranks from 0; equal numbers share the mean of theirs. */
function ranks(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal - 1) / 2;
  });
}
