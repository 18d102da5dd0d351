/**
 * @file Exponentials, logarithms, tanh, erf, erfc and pow on four f32 lanes. Errors, measured against f64,
 * are stated at each function; an ulp is 2⁻²³ relative. NaN stays NaN. Minima and maxima are written with
 * pmin and pmax, which are one machine instruction and keep a NaN in their first operand.
 */
import { f32x4, i32x4, i32, op, type Code, type Expr, type Local } from './assembler.ts';
import { multiplyAdd, polynomial, type Arithmetic } from './polynomial.ts';

const LOG2E = Math.LOG2E;
const LN2_HIGH = 0.693359375; // 9 bits: its product with |n| < 2¹⁵ is exact
const LN2_LOW = Math.LN2 - LN2_HIGH;
/** 1.5·2²³: adding it rounds to an integer that then stands in the low bits. */
const ROUNDER = 12582912;
/** Below this e^x is returned as 0; 2⁻¹²⁵ is the least power of two the scaling makes. */
const EXP_LOWEST = -86.9;
/** e^r = 1 + r + r²·P(r) on |r| ≤ ln2/2; Taylor's coefficients, telescoped (Cephes' expf form), doubled. */
const EXP = [
  0.5, 1.6666665459e-1, 4.1665795894e-2, 8.3334519073e-3, 1.3981999507e-3, 1.98756915e-4,
];

/**
 * e^x: e^x = 2ⁿ·e^r with n = round(x·log2 e). 1 ulp; 0 below −86.9 (an absolute error of 2·10⁻³⁸ that
 * spares subnormal arithmetic), +Infinity above 88.73.
 */
export function exp(c: Code, how: Arithmetic, x: Local): Expr {
  const clamped = c.let('v128', op('f32x4.pmax', op('f32x4.pmin', x, f32x4(89)), f32x4(-87)));
  const shifted = c.let('v128', multiplyAdd(how, clamped, f32x4(LOG2E), f32x4(ROUNDER)));
  const n = c.let('v128', op('f32x4.sub', shifted, f32x4(ROUNDER)));
  const high = multiplyAdd(how, n, f32x4(-LN2_HIGH), clamped);
  const r = c.let('v128', multiplyAdd(how, n, f32x4(-LN2_LOW), high));
  // Twice e^r times 2ⁿ⁻¹, so that n = 128 overflows in the product and not in the exponent's bits.
  const twice = EXP.map((coefficient) => 2 * coefficient);
  const squared = op('f32x4.mul', r, r);
  const linear = multiplyAdd(how, r, f32x4(2), f32x4(2));
  const doubled = multiplyAdd(how, polynomial(how, r, twice), squared, linear);
  const scale = op('i32x4.add', op('i32x4.shl', shifted, i32(23)), i32x4(126 << 23));
  const tooSmall = op('f32x4.lt', x, f32x4(EXP_LOWEST));
  return op('v128.andnot', op('f32x4.mul', doubled, scale), tooSmall);
}

/** 2^r = 1 + r·P(r) on |r| ≤ ½: Taylor's coefficients (ln 2)ᵏ/k!, doubled as in `exp`. */
const EXP2 = [1, 2, 3, 4, 5, 6, 7].map((_, i, k) =>
  k.slice(0, i + 1).reduce((product, n) => (product * Math.LN2) / n, 2),
);
/** Below this 2^x is returned as 0. */
const EXP2_LOWEST = -125;

/** 2^x. 1 ulp, exact for whole x; 0 below −125, +Infinity from 128 on. */
export function exp2(c: Code, how: Arithmetic, x: Local): Expr {
  const clamped = c.let('v128', op('f32x4.pmax', op('f32x4.pmin', x, f32x4(129)), f32x4(-126)));
  const shifted = c.let('v128', op('f32x4.add', clamped, f32x4(ROUNDER)));
  const r = c.let('v128', op('f32x4.sub', clamped, op('f32x4.sub', shifted, f32x4(ROUNDER))));
  const doubled = multiplyAdd(how, polynomial(how, r, EXP2), r, f32x4(2));
  const scale = op('i32x4.add', op('i32x4.shl', shifted, i32(23)), i32x4(126 << 23));
  const tooSmall = op('f32x4.lt', x, f32x4(EXP2_LOWEST));
  return op('v128.andnot', op('f32x4.mul', doubled, scale), tooSmall);
}

/** e^r − 1 = r + r²·P(r) on |r| ≤ ½: Taylor's coefficients. */
const EXPM1 = [1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320];

/** e^x − 1. Relative error 3·10⁻⁷; the difference cancels only above |x| = ½. */
export function expm1(c: Code, how: Arithmetic, x: Local): Expr {
  const far = c.let('v128', op('f32x4.sub', exp(c, how, x), f32x4(1)));
  const squared = op('f32x4.mul', x, x);
  const near = multiplyAdd(how, polynomial(how, x, EXPM1), squared, x);
  return op('v128.bitselect', near, far, op('f32x4.lt', op('f32x4.abs', x), f32x4(0.5)));
}

/** log(1 + f) = f − f²/2 + f³·P(f) for √½ − 1 ≤ f < √2 − 1 (the form of Cephes' logf). */
const LOG = [
  3.3333331174e-1, -2.4999993993e-1, 2.0000714765e-1, -1.6668057665e-1, 1.4249322787e-1,
  -1.242014084e-1, 1.167699874e-1, -1.151461031e-1, 7.0376836292e-2,
];

/** x = 2ᵉ·(1 + f) with √½ ≤ 1 + f < √2, and f − log(1 + f) in parts. */
interface LogParts {
  readonly e: Local;
  readonly f: Local;
  readonly squared: Local;
  /** f³·P(f). */
  readonly cubic: Expr;
}

function logParts(c: Code, how: Arithmetic, x: Local): LogParts {
  const subnormal = c.let('v128', op('f32x4.lt', x, f32x4(2 ** -126)));
  const scaled = op('v128.bitselect', op('f32x4.mul', x, f32x4(2 ** 24)), x, subnormal);
  // With √½ subtracted from the bits, the exponent counts from the interval [√½, √2).
  const bits = c.let('v128', op('i32x4.sub', scaled, i32x4(0x3f3504f3)));
  const exponent = op('i32x4.shr_s', bits, i32(23));
  const lowered = op('i32x4.sub', exponent, op('v128.and', subnormal, i32x4(24)));
  const e = c.let('v128', op('f32x4.convert_i32x4_s', lowered));
  const mantissa = op('i32x4.add', op('v128.and', bits, i32x4(0x7fffff)), i32x4(0x3f3504f3));
  const f = c.let('v128', op('f32x4.sub', mantissa, f32x4(1)));
  return { e, f, ...cubicOf(c, how, f) };
}

function cubicOf(c: Code, how: Arithmetic, f: Local): Pick<LogParts, 'squared' | 'cubic'> {
  const squared = c.let('v128', op('f32x4.mul', f, f));
  return { squared, cubic: op('f32x4.mul', polynomial(how, f, LOG), op('f32x4.mul', f, squared)) };
}

/** A logarithm where it is not finite: itself for NaN and +Infinity, −Infinity at 0, NaN below. */
function atEdges(x: Local, finite: Expr): Expr {
  const unbounded = op('v128.bitselect', finite, x, op('f32x4.lt', x, f32x4(Infinity)));
  const positive = op('v128.or', unbounded, op('f32x4.lt', x, f32x4(0)));
  return op('v128.bitselect', f32x4(-Infinity), positive, op('f32x4.eq', x, f32x4(0)));
}

/** Natural logarithm. 1.5 ulp of 1 + |log x|; −Infinity at 0, NaN below, exact scaling of subnormals. */
export function log(c: Code, how: Arithmetic, x: Local): Expr {
  const { e, f, squared, cubic } = logParts(c, how, x);
  const low = multiplyAdd(how, e, f32x4(LN2_LOW), cubic);
  const tail = c.let('v128', multiplyAdd(how, squared, f32x4(-0.5), low));
  const sum = op('f32x4.add', f, tail);
  return atEdges(x, multiplyAdd(how, e, f32x4(LN2_HIGH), sum));
}

/** Logarithm to base 2. As exact as `log`; whole for powers of two. */
export function log2(c: Code, how: Arithmetic, x: Local): Expr {
  const { e, f, squared, cubic } = logParts(c, how, x);
  const sum = op('f32x4.add', f, multiplyAdd(how, squared, f32x4(-0.5), cubic));
  return atEdges(x, multiplyAdd(how, sum, f32x4(LOG2E), e));
}

/** log(1 + x). Relative error 3·10⁻⁷; between √½ − 1 and √2 − 1 the polynomial takes x as it is. */
export function log1p(c: Code, how: Arithmetic, x: Local): Expr {
  const far = c.let('v128', log(c, how, c.let('v128', op('f32x4.add', x, f32x4(1)))));
  const { squared, cubic } = cubicOf(c, how, x);
  const near = op('f32x4.add', x, multiplyAdd(how, squared, f32x4(-0.5), cubic));
  const above = op('f32x4.gt', x, f32x4(Math.SQRT1_2 - 1));
  const isNear = op('v128.and', above, op('f32x4.lt', x, f32x4(Math.SQRT2 - 1)));
  return op('v128.bitselect', near, far, isNear);
}

/** An odd function as x·P(x²)/Q(x²), which at ±limit is beyond ±1 by more than its rounding. */
interface OddRational {
  readonly limit: number;
  readonly numerator: readonly number[];
  readonly denominator: readonly number[];
}

/** Our fit to tanh on [0, 9]: minimax of the relative error by reweighted least squares, 2·10⁻⁸ in f64. */
const TANH: OddRational = {
  limit: 9.4,
  numerator: [
    0.9999999795330845, 0.1338102573938762, 0.0034955881388286057, 0.000020609079793845253,
    1.3354652961190427e-8,
  ],
  denominator: [
    1, 0.4671434135540852, 0.025876982478491673, 0.0003285634713140916, 7.776555908274857e-7,
  ],
};

/** Our fit to erf on [0, 4]: minimax of the relative error by reweighted least squares, 2.5·10⁻⁸ in f64. */
const ERF: OddRational = {
  limit: 4.1,
  numerator: [
    1.1283791394103433, 0.1935374013575783, 0.053100736034722505, 0.00388302313516081,
    0.00028455986618160527, 0.000001986851220839572,
  ],
  denominator: [
    1, 0.5048506129192689, 0.11534683811759151, 0.015206598979158482, 0.001185496121356393,
    0.00003742058656247936,
  ],
};

function oddRational(c: Code, how: Arithmetic, fit: OddRational, x: Local): Expr {
  const low = op('f32x4.pmax', x, f32x4(-fit.limit));
  const clamped = c.let('v128', op('f32x4.pmin', low, f32x4(fit.limit)));
  const z = c.let('v128', op('f32x4.mul', clamped, clamped));
  const top = op('f32x4.mul', clamped, polynomial(how, z, fit.numerator));
  const ratio = op('f32x4.div', top, polynomial(how, z, fit.denominator));
  return op('f32x4.pmin', op('f32x4.pmax', ratio, f32x4(-1)), f32x4(1));
}

/** Hyperbolic tangent. Relative error 3.5·10⁻⁷ everywhere (3 ulp); ±1 beyond |x| = 9.4. */
export function tanh(c: Code, how: Arithmetic, x: Local): Expr {
  return oddRational(c, how, TANH, x);
}

/** Error function. Relative error 4.5·10⁻⁷ everywhere; ±1 beyond |x| = 4.1. */
export function erf(c: Code, how: Arithmetic, x: Local): Expr {
  return oddRational(c, how, ERF, x);
}

/**
 * e^(a²)·erfc a = t·P(t) with t = 1/(1 + 0.4·a) on [0, 10.1]: our fit, minimax of the relative error by
 * reweighted least squares, 8·10⁻⁹ in f64.
 */
const ERFCX = [
  0.225706224, 0.2249653326, 0.2148085828, 0.1301949198, 0.2705768234, -0.281594189, 0.5441046308,
  -0.4963158003, 0.1969526842, -0.02939920034,
];
/** e^(−r) for 0 ≤ r ≤ 0.05. */
const EXP_NEGATIVE = [1, -1, 1 / 2, -1 / 6, 1 / 24, -1 / 120];

/** 1 − erf x. Relative error 10⁻⁶ until it falls below 2⁻¹²⁵ near x = 9.2, then 0. */
export function erfc(c: Code, how: Arithmetic, x: Local): Expr {
  const a = c.let('v128', op('f32x4.pmin', op('f32x4.abs', x), f32x4(10.125)));
  // The square of the 12 leading bits is exact; the rest of a² is small.
  const head = c.let('v128', op('v128.and', a, i32x4(0xfffff000)));
  const below = op('f32x4.sub', a, head);
  const rest = c.let('v128', op('f32x4.mul', below, op('f32x4.add', a, head)));
  const t = c.let('v128', op('f32x4.div', f32x4(1), multiplyAdd(how, a, f32x4(0.4), f32x4(1))));
  const square = c.let('v128', op('f32x4.neg', op('f32x4.mul', head, head)));
  const power = op('f32x4.mul', exp(c, how, square), polynomial(how, rest, EXP_NEGATIVE));
  const scaled = op('f32x4.mul', t, polynomial(how, t, ERFCX));
  const tail = c.let('v128', op('f32x4.mul', power, scaled));
  const left = op('f32x4.lt', x, f32x4(0));
  return op('v128.bitselect', op('f32x4.sub', f32x4(2), tail), tail, left);
}

/** Lanes where y is an odd integer; every f32 from 2²⁴ on is even. */
function isOdd(c: Code, y: Local, whole: Local): Expr {
  const half = c.let('v128', op('f32x4.mul', y, f32x4(0.5)));
  return op('v128.and', whole, op('f32x4.ne', op('f32x4.floor', half), half));
}

/**
 * |x|ʸ = e^(y·log|x|), with the sign of x where y is odd, NaN where x < 0 and y is not whole. The rounding
 * of y·log x counts: relative error 10⁻⁷·(1 + |y·log x|). 1 where y = 0 or x = 1.
 */
export function pow(c: Code, how: Arithmetic, x: Local, y: Local): Expr {
  const base = c.let('v128', op('f32x4.abs', x));
  const logarithm = c.let('v128', log(c, how, base));
  const exponent = c.let('v128', op('f32x4.mul', y, logarithm));
  const raised = exp(c, how, exponent);
  const known = op('v128.and', op('f32x4.eq', base, f32x4(1)), op('f32x4.eq', y, y));
  const size = op('v128.bitselect', f32x4(1), raised, known);
  const whole = c.let('v128', op('f32x4.eq', op('f32x4.floor', y), y));
  const sign = op('v128.and', op('v128.and', x, i32x4(0x80000000)), isOdd(c, y, whole));
  const signed = op('v128.or', size, sign);
  const real = op('v128.or', whole, op('f32x4.eq', base, f32x4(Infinity)));
  const undefined_ = op('v128.andnot', op('f32x4.lt', x, f32x4(0)), real);
  const one = op('v128.or', op('f32x4.eq', y, f32x4(0)), op('f32x4.eq', x, f32x4(1)));
  return op('v128.bitselect', f32x4(1), op('v128.or', signed, undefined_), one);
}
