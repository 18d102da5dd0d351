/**
 * @file Remainders, integer quotients and shifts on four lanes. There is no vector instruction for any of
 * them: division goes through f64, two lanes at a time, which is exact; shifts by different counts go lane by lane.
 */
import { f64x2, i32x4, lane, op, shuffle, type Code, type Expr, type Local } from './assembler.ts';

/** Lanes 2 and 3 in the place of 0 and 1. */
function upper(x: Expr): Expr {
  return shuffle(x, x, [2, 3, 2, 3]);
}

/** The sign, the exponent and 24 significant bits of an f64. */
const LEADING_BITS = i32x4(0xe0000000, -1, 0xe0000000, -1);

/**
 * What is left of two f64 lanes: 24 leading bits of the quotient at a time, so that every product and every
 * difference is exact. One round, unless the quotient has more bits.
 */
function restOfHalf(c: Code, x: Expr, y: Expr): Local {
  const rest = c.let('v128', op('f64x2.promote_low_f32x4', x));
  const by = c.let('v128', op('f64x2.promote_low_f32x4', y));
  const size = c.let('v128', op('f64x2.abs', by));
  const round = (): void => {
    const quotient = op('f64x2.trunc', op('f64x2.div', rest, by));
    const leading = op('v128.and', quotient, LEADING_BITS);
    c.set(rest, op('f64x2.sub', rest, op('f64x2.mul', leading, by)));
  };
  c.doWhile(round, op('v128.any_true', op('f64x2.ge', op('f64x2.abs', rest), size)));
  return c.let('v128', op('f32x4.demote_f64x2_zero', rest));
}

/** x − y·trunc(x/y) of floats, exact, with the sign of x; NaN where x is infinite or y is 0. */
export function floatRest(c: Code, x: Local, y: Local): Expr {
  const low = restOfHalf(c, x, y);
  const high = restOfHalf(c, upper(x), upper(y));
  const rest = shuffle(low, high, [0, 1, 4, 5]);
  const signed = op('v128.or', rest, op('v128.and', x, i32x4(0x80000000)));
  // Also where y is infinite, whose product with 0 is NaN.
  const smaller = op('f32x4.lt', op('f32x4.abs', x), op('f32x4.abs', y));
  return op('v128.bitselect', x, signed, smaller);
}

/** 1.5·2⁵²: in a sum with it, an integer stands modulo 2³² in the low word. */
const INTEGER_PLACE = f64x2(6755399441055744);

/** Quotients of 32-bit integers, rounded by an instruction, modulo 2³²; 0 where y is 0. */
export function quotient(
  c: Code,
  x: Local,
  y: Local,
  signed: boolean,
  rounding: 'f64x2.floor' | 'f64x2.trunc',
): Local {
  const widen = signed ? 'f64x2.convert_low_i32x4_s' : 'f64x2.convert_low_i32x4_u';
  const half = (a: Expr, b: Expr): Local => {
    const ratio = op('f64x2.div', op(widen, a), op(widen, b));
    return c.let('v128', op('f64x2.add', op(rounding, ratio), INTEGER_PLACE));
  };
  const words = shuffle(half(x, y), half(upper(x), upper(y)), [0, 2, 4, 6]);
  return c.let('v128', op('v128.and', words, op('i32x4.ne', y, i32x4(0))));
}

/** What truncated division leaves of integers, with the sign of x; 0 where y is 0. */
export function integerRest(c: Code, x: Local, y: Local, signed: boolean): Expr {
  const product = op('i32x4.mul', quotient(c, x, y, signed, 'f64x2.trunc'), y);
  return op('v128.and', op('i32x4.sub', x, product), op('i32x4.ne', y, i32x4(0)));
}

/** Each lane shifted by its own count, modulo 32; at once where the counts are all alike. */
export function shift(name: 'shl' | 'shr_s' | 'shr_u', x: Local, y: Local, uniform: boolean): Expr {
  if (uniform) return op(`i32x4.${name}`, x, lane('i32x4.extract_lane', 0, y));
  const one = (k: number): Expr =>
    op(`i32.${name}`, lane('i32x4.extract_lane', k, x), lane('i32x4.extract_lane', k, y));
  return [0, 1, 2, 3].reduce<Expr>((all, k) => lane('i32x4.replace_lane', k, all, one(k)), x);
}
