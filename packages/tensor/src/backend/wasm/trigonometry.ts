/** @file Sine, cosine and the angle of a point on four f32 lanes. Errors are measured against f64. NaN stays NaN. */
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
import { multiplyAdd, polynomial, type Arithmetic } from './polynomial.ts';

const HALF_PI = Math.PI / 2;
/** The first 33 bits of π/2, so that n·HALF_PI_HIGH is exact in f64 for |n| < 2²⁰, and the rest. */
const HALF_PI_HIGH = 1.57079632673412561417;
const HALF_PI_LOW = 6.07710050650619224932e-11;
/** sin r = r + r³·P(r²) and cos r = 1 − r²/2 + r⁴·Q(r²) on |r| ≤ π/4 (the forms of Cephes' sinf, cosf). */
const SIN = [-1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4];
const COS = [4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5];

/** 2/π in pieces of 24 bits: the product of each with an f32 is exact in f64. */
const TWO_OVER_PI = [
  0xa2f983, 0x6e4e44, 0x1529fc, 0x2757d1, 0xf534dd, 0xc0db62, 0x95993c, 0x439041,
].map((bits, i) => bits * 2 ** (-24 * (i + 1)));

/** Quarter turns in two f64 lanes modulo 4, exact to 10⁻¹⁴ however large x is (Payne & Hanek, SIGNUM 18, 1983). */
function largeTurns(c: Code, x: Local): Local {
  const rest = (piece: number): Expr => {
    const product = c.let('v128', op('f64x2.mul', x, f64x2(piece)));
    const whole = op('f64x2.nearest', op('f64x2.mul', product, f64x2(0.25)));
    return op('f64x2.sub', product, op('f64x2.mul', whole, f64x2(4)));
  };
  const sum = c.let('v128', rest(TWO_OVER_PI[0]!));
  for (const piece of TWO_OVER_PI.slice(1)) c.set(sum, op('f64x2.add', rest(piece), sum));
  return sum;
}

/** Quarter turns in x modulo 2³², and what is left, from two f64 lanes: `[n as i32, r as f32]` in lanes 0 and 1. */
function reduceHalf(c: Code, x: Expr): readonly [Local, Local] {
  const wide = c.let('v128', op('f64x2.promote_low_f32x4', x));
  const n = c.let('v128', op('f64x2.nearest', op('f64x2.mul', wide, f64x2(1 / HALF_PI))));
  const first = op('f64x2.sub', wide, op('f64x2.mul', n, f64x2(HALF_PI_HIGH)));
  const r = c.let('v128', op('f64x2.sub', first, op('f64x2.mul', n, f64x2(HALF_PI_LOW))));
  const large = c.let('v128', op('f64x2.ge', op('f64x2.abs', n), f64x2(2 ** 20)));
  c.if(op('v128.any_true', large), () => {
    const turns = largeTurns(c, wide);
    const whole = c.let('v128', op('f64x2.nearest', turns));
    const left = op('f64x2.mul', op('f64x2.sub', turns, whole), f64x2(HALF_PI));
    c.set(r, op('v128.bitselect', left, r, large));
    c.set(n, op('v128.bitselect', whole, n, large));
  });
  return [
    c.let('v128', op('i32x4.trunc_sat_f64x2_s_zero', n)),
    c.let('v128', op('f32x4.demote_f64x2_zero', r)),
  ];
}

/** sin(x + turns·π/2), reduced in f64: absolute error 1.2·10⁻⁷. NaN for infinite x. */
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

/** atan t = t + t³·P(t²) on [0, 1]: our fit, minimax of the relative error by reweighted least squares, 1.7·10⁻⁸. */
const ATAN = [
  -0.3333315273, 0.1999377264, -0.1421105368, 0.1066599815, -0.07552200284, 0.04321169424,
  -0.01636782503, 0.002920666404,
];

/** min/max of two sizes: 0 where both are 0, 1 where both are infinite. */
function slope(c: Code, a: Local, b: Local): Local {
  const large = c.let('v128', op('f32x4.pmax', a, b));
  const ratio = op('f32x4.div', op('f32x4.pmin', a, b), large);
  const equal = op('v128.bitselect', f32x4(1), ratio, op('f32x4.eq', a, b));
  return c.let('v128', op('v128.and', equal, op('f32x4.ne', large, f32x4(0))));
}

/**
 * Angle of the point (y, x) in (−π, π], by IEEE's rules for zeros and infinities: the angle of the smaller
 * over the larger size, mirrored at the diagonal and the axes. Relative error 3·10⁻⁷.
 */
export function atan2(c: Code, how: Arithmetic, y: Local, x: Local): Expr {
  const a = c.let('v128', op('f32x4.abs', x));
  const b = c.let('v128', op('f32x4.abs', y));
  const t = slope(c, a, b);
  const z = c.let('v128', op('f32x4.mul', t, t));
  const cubic = op('f32x4.mul', op('f32x4.mul', t, z), polynomial(how, z, ATAN));
  const near = c.let('v128', op('f32x4.add', t, cubic));
  const steep = op('f32x4.gt', b, a);
  const far = op('f32x4.sub', f32x4(HALF_PI), near);
  const half = c.let('v128', op('v128.bitselect', far, near, steep));
  const left = op('i32x4.shr_s', x, i32(31));
  const whole = op('v128.bitselect', op('f32x4.sub', f32x4(Math.PI), half), half, left);
  const signed = op('v128.or', whole, op('v128.and', y, i32x4(0x80000000)));
  const nan = op('v128.or', op('f32x4.ne', x, x), op('f32x4.ne', y, y));
  return op('v128.or', signed, nan);
}
