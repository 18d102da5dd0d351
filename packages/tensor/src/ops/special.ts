/** @file Functions that JavaScript lacks or defines otherwise, in f64, for the reference interpreter. */

/**
 * Error function to about 1e-16: Maclaurin series for |x| < 2.5 (Abramowitz & Stegun 7.1.5), continued
 * fraction of erfc beyond (7.1.14).
 */
export function erf(x: number): number {
  if (Number.isNaN(x)) return NaN;
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  return a < 2.5 ? erfSeries(x) : Math.sign(x) * (1 - erfcFraction(a));
}

/** 1 − erf x, by the continued fraction where that difference would cancel. */
export function erfc(x: number): number {
  return x < 2.5 ? 1 - erf(x) : Number.isNaN(x) ? NaN : erfcFraction(x);
}

function erfSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum) && n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

function erfcFraction(x: number): number {
  if (x > 40) return 0;
  let tail = x;
  for (let k = 60; k >= 1; k--) tail = x + k / 2 / tail;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / tail;
}

/** Nearest integer, ties to the even one. */
export function roundEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
  return copySign(up ? floor + 1 : floor, x);
}

/** |x| with the sign of y. */
export function copySign(x: number, y: number): number {
  const negative = y < 0 || Object.is(y, -0);
  return negative ? -Math.abs(x) : Math.abs(x);
}

/** xʸ as C and PyTorch have it: JavaScript gives NaN for 1^NaN, 1^∞ and (−1)^∞. */
export function power(x: number, y: number): number {
  if (x === 1 || (x === -1 && Math.abs(y) === Infinity)) return 1;
  return Math.pow(x, y);
}

/** ⌊x/y⌋ of integers below 2³² in size, exact; 0 where y is 0. */
export function floorQuotient(x: number, y: number): number {
  return y === 0 ? 0 : Math.floor(x / y);
}

/** What ⌊|x|/|y|⌋ leaves of x, with the sign of x; 0 where y is 0. */
export function integerRest(x: number, y: number): number {
  return y === 0 ? 0 : x % y;
}
