/**
 * @file The 16-bit storage types: four f32 lanes from and to four 16-bit patterns. A widened pattern has
 * its 16 bits in the low half of each 32-bit lane. Rounding is to nearest, ties to even.
 */
import { f32x4, i32, i32x4, op, type Code, type Expr, type Local } from './assembler.ts';

/** f32 lanes of widened f16 patterns; subnormals, infinities and NaN included. */
export function widenF16(c: Code, patterns: Expr): Expr {
  const h = c.let('v128', patterns);
  const magnitude = c.let('v128', op('v128.and', h, i32x4(0x7fff)));
  // Read as f32 bits, the magnitude is too small by the difference of the exponents' biases, 127 − 15.
  const scaled = op('f32x4.mul', op('i32x4.shl', magnitude, i32(13)), f32x4(2 ** 112));
  const special = op('i32x4.gt_s', magnitude, i32x4(0x7bff));
  const infinite = op('v128.and', special, i32x4(0x7f800000));
  const sign = op('i32x4.shl', op('v128.and', h, i32x4(0x8000)), i32(16));
  return op('v128.or', op('v128.or', scaled, infinite), sign);
}

/** f32 lanes of widened bf16 patterns: their bits are the upper half of an f32. */
export function widenBf16(_c: Code, patterns: Expr): Expr {
  return op('i32x4.shl', patterns, i32(16));
}

function magnitudeOf(c: Code, x: Local): Local {
  return c.let('v128', op('v128.and', x, i32x4(0x7fffffff)));
}

/** `bits + half of the last place kept − 1 + its lowest bit`: rounds to even when shifted right. */
function roundUp(bits: Local, shift: number): Expr {
  const odd = op('v128.and', op('i32x4.shr_u', bits, i32(shift)), i32x4(1));
  return op('i32x4.add', op('i32x4.add', bits, i32x4((1 << (shift - 1)) - 1)), odd);
}

/** Widened f16 patterns of f32 lanes; too large becomes infinity. */
export function narrowF16(c: Code, x: Local): Expr {
  const a = magnitudeOf(c, x);
  const rebased = op('i32x4.sub', roundUp(a, 13), i32x4(0x38000000));
  const normal = op('i32x4.shr_u', rebased, i32(13));
  // Half has a last place of 2⁻²⁴, that of f16 subnormals: adding it lets the FPU round.
  const subnormal = op('i32x4.sub', op('f32x4.add', a, f32x4(0.5)), f32x4(0.5));
  const isSmall = op('i32x4.lt_s', a, i32x4(0x38800000));
  const finite = op('v128.bitselect', subnormal, normal, isSmall);
  const isLarge = op('i32x4.gt_s', a, i32x4(0x477fffff));
  const bounded = op('v128.bitselect', i32x4(0x7c00), finite, isLarge);
  const isNan = op('i32x4.gt_s', a, i32x4(0x7f800000));
  const result = op('v128.bitselect', i32x4(0x7e00), bounded, isNan);
  const sign = op('v128.and', op('i32x4.shr_u', x, i32(16)), i32x4(0x8000));
  return op('v128.or', result, sign);
}

/** Widened bf16 patterns of f32 lanes. */
export function narrowBf16(c: Code, x: Local): Expr {
  const rounded = op('i32x4.shr_u', roundUp(x, 16), i32(16));
  const isNan = op('i32x4.gt_s', magnitudeOf(c, x), i32x4(0x7f800000));
  return op('v128.bitselect', i32x4(0x7fc0), rounded, isNan);
}
