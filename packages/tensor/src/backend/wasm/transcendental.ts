/**
 * @file exp, log, sin, cos, tanh, erf and pow on four f32 lanes. Errors, measured against f64, are
 * stated at each function; an ulp is 2⁻²³ relative. NaN stays NaN. Minima and maxima are written with
 * pmin and pmax, which are one machine instruction and keep a NaN in their first operand.
 */
import {
  f32x4,
  f64x2,
  i32x4,
  i32,
  op,
  shuffle,
  type Code,
  type Expr,
  type Local,
} from './assembler.ts';

/** How a multiply-add is written: fused where the engine has relaxed SIMD. */
export interface Arithmetic {
  readonly relaxed: boolean;
}

/** `a · b + c`, fused where possible. */
export function multiplyAdd(how: Arithmetic, a: Expr, b: Expr, c: Expr): Expr {
  return how.relaxed
    ? op('f32x4.relaxed_madd', a, b, c)
    : op('f32x4.add', op('f32x4.mul', a, b), c);
}

/** Polynomial by Horner's rule; coefficients from the lowest power. */
function polynomial(how: Arithmetic, x: Expr, coefficients: readonly number[]): Expr {
  const reversed = [...coefficients].reverse();
  return reversed
    .slice(1)
    .reduce<Expr>((sum, next) => multiplyAdd(how, sum, x, f32x4(next)), f32x4(reversed[0]!));
}

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

/** log(1 + f) = f − f²/2 + f³·P(f) for √½ − 1 ≤ f < √2 − 1 (the form of Cephes' logf). */
const LOG = [
  3.3333331174e-1, -2.4999993993e-1, 2.0000714765e-1, -1.6668057665e-1, 1.4249322787e-1,
  -1.242014084e-1, 1.167699874e-1, -1.151461031e-1, 7.0376836292e-2,
];

/** Natural logarithm. 1.5 ulp of 1 + |log x|; −Infinity at 0, NaN below, exact scaling of subnormals. */
export function log(c: Code, how: Arithmetic, x: Local): Expr {
  const subnormal = c.let('v128', op('f32x4.lt', x, f32x4(2 ** -126)));
  const scaled = op('v128.bitselect', op('f32x4.mul', x, f32x4(2 ** 24)), x, subnormal);
  // With √½ subtracted from the bits, the exponent counts from the interval [√½, √2).
  const bits = c.let('v128', op('i32x4.sub', scaled, i32x4(0x3f3504f3)));
  const exponent = op('i32x4.shr_s', bits, i32(23));
  const lowered = op('i32x4.sub', exponent, op('v128.and', subnormal, i32x4(24)));
  const e = c.let('v128', op('f32x4.convert_i32x4_s', lowered));
  const mantissa = op('i32x4.add', op('v128.and', bits, i32x4(0x7fffff)), i32x4(0x3f3504f3));
  const f = c.let('v128', op('f32x4.sub', mantissa, f32x4(1)));
  const squared = c.let('v128', op('f32x4.mul', f, f));
  const cubic = op('f32x4.mul', polynomial(how, f, LOG), op('f32x4.mul', f, squared));
  const low = multiplyAdd(how, e, f32x4(LN2_LOW), cubic);
  const tail = c.let('v128', multiplyAdd(how, squared, f32x4(-0.5), low));
  const sum = op('f32x4.add', f, tail);
  const finite = c.let('v128', multiplyAdd(how, e, f32x4(LN2_HIGH), sum));
  const unbounded = op('v128.bitselect', finite, x, op('f32x4.lt', x, f32x4(Infinity)));
  const positive = op('v128.or', unbounded, op('f32x4.lt', x, f32x4(0)));
  return op('v128.bitselect', f32x4(-Infinity), positive, op('f32x4.eq', x, f32x4(0)));
}

const HALF_PI = Math.PI / 2;
/** The first 33 bits of π/2, so that n·HALF_PI_HIGH is exact in f64 for |n| < 2²⁰, and the rest. */
const HALF_PI_HIGH = 1.57079632673412561417;
const HALF_PI_LOW = 6.07710050650619224932e-11;
/** sin r = r + r³·P(r²) and cos r = 1 − r²/2 + r⁴·Q(r²) on |r| ≤ π/4 (the forms of Cephes' sinf, cosf). */
const SIN = [-1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4];
const COS = [4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5];

/** Quarter turns in x, and what is left, from two f64 lanes: `[n as i32, r as f32]` in lanes 0 and 1. */
function reduceHalf(c: Code, x: Expr): readonly [Local, Local] {
  const wide = c.let('v128', op('f64x2.promote_low_f32x4', x));
  const n = c.let('v128', op('f64x2.nearest', op('f64x2.mul', wide, f64x2(1 / HALF_PI))));
  const first = op('f64x2.sub', wide, op('f64x2.mul', n, f64x2(HALF_PI_HIGH)));
  const r = op('f64x2.sub', first, op('f64x2.mul', n, f64x2(HALF_PI_LOW)));
  return [
    c.let('v128', op('i32x4.trunc_sat_f64x2_s_zero', n)),
    c.let('v128', op('f32x4.demote_f64x2_zero', r)),
  ];
}

/**
 * sin(x + turns·π/2). Reduced in f64: absolute error 1.2·10⁻⁷ for |x| ≤ 10⁶ and about |x|·10⁻¹⁶ more
 * beyond. NaN for infinite x.
 */
function sine(c: Code, how: Arithmetic, x: Local, turns: number): Expr {
  const [n0, r0] = reduceHalf(c, x);
  const [n1, r1] = reduceHalf(c, shuffle(x, x, [2, 3, 2, 3]));
  const n = c.let('v128', op('i32x4.add', shuffle(n0, n1, [0, 1, 4, 5]), i32x4(turns)));
  const r = c.let('v128', shuffle(r0, r1, [0, 1, 4, 5]));
  const z = c.let('v128', op('f32x4.mul', r, r));
  const sin = c.let('v128', multiplyAdd(how, op('f32x4.mul', polynomial(how, z, SIN), z), r, r));
  const even = multiplyAdd(how, z, f32x4(-0.5), f32x4(1));
  const cos = multiplyAdd(how, polynomial(how, z, COS), op('f32x4.mul', z, z), even);
  const odd = op('i32x4.ne', op('v128.and', n, i32x4(1)), i32x4(0));
  const sign = op('i32x4.shl', op('v128.and', n, i32x4(2)), i32(30));
  return op('v128.xor', op('v128.bitselect', cos, sin, odd), sign);
}

/** Sine; see `sine`. */
export function sin(c: Code, how: Arithmetic, x: Local): Expr {
  return sine(c, how, x, 0);
}

/** Cosine; see `sine`. */
export function cos(c: Code, how: Arithmetic, x: Local): Expr {
  return sine(c, how, x, 1);
}

/** An odd function as x·P(x²)/Q(x²), reaching ±1 at ±limit. */
interface OddRational {
  readonly limit: number;
  readonly numerator: readonly number[];
  readonly denominator: readonly number[];
}

/** Our fit to tanh on [0, 9]: minimax of the relative error by reweighted least squares, 2·10⁻⁸ in f64. */
const TANH: OddRational = {
  limit: 9,
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
  limit: 4,
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

/** Hyperbolic tangent. Relative error 3.5·10⁻⁷ everywhere (3 ulp); ±1 beyond |x| = 9. */
export function tanh(c: Code, how: Arithmetic, x: Local): Expr {
  return oddRational(c, how, TANH, x);
}

/** Error function. Relative error 4.5·10⁻⁷ everywhere; ±1 beyond |x| = 4. */
export function erf(c: Code, how: Arithmetic, x: Local): Expr {
  return oddRational(c, how, ERF, x);
}

/**
 * xʸ = e^(y·log x). The rounding of y·log x counts: relative error 10⁻⁷·(1 + |y·log x|). 1 where y = 0;
 * NaN for x < 0.
 */
export function pow(c: Code, how: Arithmetic, x: Local, y: Local): Expr {
  const logarithm = c.let('v128', log(c, how, x));
  const exponent = c.let('v128', op('f32x4.mul', y, logarithm));
  const power = exp(c, how, exponent);
  return op('v128.bitselect', f32x4(1), power, op('f32x4.eq', y, f32x4(0)));
}
