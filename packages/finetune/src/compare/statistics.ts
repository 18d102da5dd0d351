/** @file Statistics of the scores of paired runs. */

/** Mean and standard deviation of a sample (n − 1); the deviation of one number is 0. */
export function meanAndSd(values: readonly number[]): {
  readonly mean: number;
  readonly sd: number;
} {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, sd: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}

/** A paired comparison of two lists of scores. */
export interface PairedTest {
  readonly pairs: number;
  /** Mean of a − b. */
  readonly difference: number;
  /** Ends of the 95 % interval of the mean difference; the difference itself where all are equal. */
  readonly low: number;
  readonly high: number;
  /** Two-sided, of Student's paired t-test; 1 where all differences are 0, undefined for one pair. */
  readonly p: number | undefined;
}

/** Student's paired t-test of a[i] − b[i]. Student 1908, Biometrika 6(1). */
export function pairedTest(a: readonly number[], b: readonly number[]): PairedTest {
  const pairs = a.length;
  const { mean: difference, sd } = meanAndSd(a.map((value, i) => value - b[i]!));
  if (pairs < 2) return { pairs, difference, low: -Infinity, high: Infinity, p: undefined };
  const error = sd / Math.sqrt(pairs);
  if (error === 0)
    return { pairs, difference, low: difference, high: difference, p: difference === 0 ? 1 : 0 };
  const reach = error * studentQuantile(0.975, pairs - 1);
  const p = 2 * (1 - studentCdf(Math.abs(difference) / error, pairs - 1));
  return { pairs, difference, low: difference - reach, high: difference + reach, p };
}

/** P(T ≤ t) of Student's distribution: DLMF 8.17 for the incomplete beta function. */
export function studentCdf(t: number, freedom: number): number {
  const tail = incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2;
  return t > 0 ? 1 - tail : tail;
}

/** The t with P(T ≤ t) = q, for q above a half, by bisection. */
export function studentQuantile(q: number, freedom: number): number {
  let [low, high] = [0, 1];
  while (studentCdf(high, freedom) < q) high *= 2;
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2;
    if (studentCdf(middle, freedom) < q) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** I_x(a, b), by the continued fraction 8.17.22 where it converges fast, else by the symmetry 8.17.4. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(
    logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x),
  );
  return (front / a) * fraction(x, a, b);
}

/** Evaluated from its end; 200 terms are many more than it needs. */
function fraction(x: number, a: number, b: number): number {
  let value = 1;
  for (let m = 100; m >= 1; m--) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m - 1) * (a + b + m - 1) * x) / ((a + 2 * m - 2) * (a + 2 * m - 1));
    value = 1 + odd / (1 + even / value);
  }
  return 1 / value;
}

/** Stirling's series (DLMF 5.11.1) beyond 8, by the recurrence below. */
function logGamma(z: number): number {
  if (z < 8) return logGamma(z + 1) - Math.log(z);
  const series = 1 / (12 * z) - 1 / (360 * z ** 3) + 1 / (1260 * z ** 5) - 1 / (1680 * z ** 7);
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series;
}
