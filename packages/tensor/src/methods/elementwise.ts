/** @file Elementwise maths, comparison and conversion. Rules of types and special values: docs/numerics.md. */
import * as build from '../graph/build.ts';
import * as composite from '../graph/composite/elementwise.ts';
import * as transcendental from '../graph/composite/transcendental.ts';
import type { DType } from '../dtype.ts';
import type { Node } from '../graph/node.ts';
import type { ElementwiseName } from '../ops/elementwise.ts';
import { TensorBase } from './base.ts';

/** Elementwise maths, comparison and conversion, as methods. */
export abstract class ElementwiseMethods<
  Self extends ElementwiseMethods<Self>,
> extends TensorBase<Self> {
  private unary(name: ElementwiseName): Self {
    return this.wrap(build.elementwise(name, [this.node]));
  }

  private binary(name: ElementwiseName, other: Self | number): Self {
    return this.wrap(build.elementwise(name, [this.node, this.operand(other)]));
  }
  /** this + other. */
  add(other: Self | number): Self {
    return this.binary('add', other);
  }
  /** this − other. */
  sub(other: Self | number): Self {
    return this.binary('sub', other);
  }
  /** this · other, elementwise. */
  mul(other: Self | number): Self {
    return this.binary('mul', other);
  }
  /** this / other, true division of floats. */
  div(other: Self | number): Self {
    return this.binary('div', other);
  }
  /** ⌊this / other⌋; of integers 0 where other is 0. */
  floorDivide(other: Self | number): Self {
    return this.wrap(composite.floorDivide(this.node, this.operand(other)));
  }
  /** this − other·⌊this / other⌋, with the sign of other, as in Python; of integers 0 where other is 0. */
  remainder(other: Self | number): Self {
    return this.wrap(composite.remainder(this.node, this.operand(other)));
  }
  /** this − other·trunc(this / other), with the sign of this; of integers 0 where other is 0. */
  fmod(other: Self | number): Self {
    return this.binary('fmod', other);
  }
  /** this to the power of other, in floats; of a negative number signed where other is whole, else NaN. */
  pow(other: Self | number): Self {
    const value = typeof other === 'number' ? other : undefined;
    return this.wrap(composite.pow(this.node, this.operand(other), value));
  }
  /** The larger of both; NaN where either is. */
  maximum(other: Self | number): Self {
    return this.binary('maximum', other);
  }
  /** The smaller of both; NaN where either is. */
  minimum(other: Self | number): Self {
    return this.binary('minimum', other);
  }
  /** this, but not below `min` nor above `max`, where given; `max` where they cross. */
  clamp(min?: Self | number, max?: Self | number): Self {
    const bound = (x?: Self | number): Node | undefined =>
      x === undefined ? undefined : this.operand(x);
    return this.wrap(composite.clamp(this.node, bound(min), bound(max)));
  }
  /** this + weight · (end − this). */
  lerp(end: Self, weight: Self | number): Self {
    const w = typeof weight === 'number' ? build.scalar(weight, 'f32') : weight.node;
    return this.wrap(composite.lerp(this.node, end.node, w));
  }
  /** this · ln other, and 0 where this is 0. */
  xlogy(other: Self | number): Self {
    return this.wrap(composite.xlogy(this.node, this.operand(other)));
  }
  /** √(this² + other²) without overflow. */
  hypot(other: Self | number): Self {
    return this.wrap(transcendental.hypot(this.node, this.operand(other)));
  }
  /** Angle of the point (other, this) in (−π, π]. */
  atan2(other: Self | number): Self {
    return this.binary('atan2', other);
  }
  /** |this| with the sign of other. */
  copysign(other: Self | number): Self {
    return this.binary('copysign', other);
  }
  /** this < other, bool. */
  lt(other: Self | number): Self {
    return this.binary('lt', other);
  }
  /** this ≤ other, bool. */
  le(other: Self | number): Self {
    return this.binary('le', other);
  }
  /** this > other, bool. */
  gt(other: Self | number): Self {
    return this.wrap(composite.gt(this.node, this.operand(other)));
  }
  /** this ≥ other, bool. */
  ge(other: Self | number): Self {
    return this.wrap(composite.ge(this.node, this.operand(other)));
  }
  /** this = other, bool. */
  eq(other: Self | number): Self {
    return this.binary('eq', other);
  }
  /** this ≠ other, bool. */
  ne(other: Self | number): Self {
    return this.binary('ne', other);
  }
  /** Both hold; of integers, bit by bit. */
  and(other: Self | number): Self {
    return this.binary('and', other);
  }
  /** Either holds; of integers, bit by bit. */
  or(other: Self | number): Self {
    return this.binary('or', other);
  }
  /** One of both holds; of integers, bit by bit. */
  xor(other: Self | number): Self {
    return this.binary('xor', other);
  }
  /** Negation of a bool, or of every bit of an integer. */
  not(): Self {
    return this.unary('not');
  }
  /** this · 2ⁿ modulo 2³², n = other modulo 32; integers. */
  bitwiseLeftShift(other: Self | number): Self {
    return this.wrap(composite.shift('bitwiseLeftShift', this.node, this.operand(other)));
  }
  /** ⌊this / 2ⁿ⌋, n = other modulo 32; integers. */
  bitwiseRightShift(other: Self | number): Self {
    return this.wrap(composite.shift('bitwiseRightShift', this.node, this.operand(other)));
  }
  /** Whether this is NaN, bool. */
  isNaN(): Self {
    return this.unary('isNaN');
  }
  /** Whether this is neither infinite nor NaN, bool. */
  isFinite(): Self {
    return this.unary('isFinite');
  }
  /** Whether this is infinite, bool. */
  isInf(): Self {
    return this.wrap(composite.isInf(this.node));
  }
  /** −this. */
  neg(): Self {
    return this.unary('neg');
  }
  /** Absolute value. */
  abs(): Self {
    return this.unary('abs');
  }
  /** 1 above 0, −1 below, 0 at 0 and for NaN. */
  sign(): Self {
    return this.wrap(composite.sign(this.node));
  }
  /** Largest integer not above. */
  floor(): Self {
    return this.wrap(composite.whole('floor', this.node));
  }
  /** Smallest integer not below. */
  ceil(): Self {
    return this.wrap(composite.whole('ceil', this.node));
  }
  /** Nearest integer, ties to even. */
  round(): Self {
    return this.wrap(composite.whole('round', this.node));
  }
  /** The integer part. */
  trunc(): Self {
    return this.wrap(composite.whole('trunc', this.node));
  }
  /** What the integer part leaves, with the sign of this. */
  frac(): Self {
    return this.wrap(composite.frac(this.node));
  }
  /** this². */
  square(): Self {
    return this.wrap(composite.square(this.node));
  }
  /** Square root. */
  sqrt(): Self {
    return this.unary('sqrt');
  }
  /** 1/√this. */
  rsqrt(): Self {
    return this.unary('rsqrt');
  }
  /** 1/this. */
  reciprocal(): Self {
    return this.unary('reciprocal');
  }
  /** e to this. */
  exp(): Self {
    return this.unary('exp');
  }
  /** 2 to this. */
  exp2(): Self {
    return this.unary('exp2');
  }
  /** e to this, less 1, exact near 0. */
  expm1(): Self {
    return this.unary('expm1');
  }
  /** Natural logarithm. */
  log(): Self {
    return this.unary('log');
  }
  /** Logarithm to base 2. */
  log2(): Self {
    return this.unary('log2');
  }
  /** Logarithm to base 10. */
  log10(): Self {
    return this.wrap(transcendental.log10(this.node));
  }
  /** Logarithm of 1 + this, exact near 0. */
  log1p(): Self {
    return this.unary('log1p');
  }
  /** Sine, radians. */
  sin(): Self {
    return this.unary('sin');
  }
  /** Cosine, radians. */
  cos(): Self {
    return this.unary('cos');
  }
  /** Tangent, radians. */
  tan(): Self {
    return this.wrap(transcendental.tan(this.node));
  }
  /** Arc sine, in [−π/2, π/2]; NaN beyond ±1. */
  asin(): Self {
    return this.wrap(transcendental.asin(this.node));
  }
  /** Arc cosine, in [0, π]; NaN beyond ±1. */
  acos(): Self {
    return this.wrap(transcendental.acos(this.node));
  }
  /** Arc tangent, in (−π/2, π/2). */
  atan(): Self {
    return this.wrap(transcendental.atan(this.node));
  }
  /** Hyperbolic sine. */
  sinh(): Self {
    return this.wrap(transcendental.sinh(this.node));
  }
  /** Hyperbolic cosine. */
  cosh(): Self {
    return this.wrap(transcendental.cosh(this.node));
  }
  /** Hyperbolic tangent. */
  tanh(): Self {
    return this.unary('tanh');
  }
  /** Inverse hyperbolic sine. */
  asinh(): Self {
    return this.wrap(transcendental.asinh(this.node));
  }
  /** Inverse hyperbolic cosine; NaN below 1. */
  acosh(): Self {
    return this.wrap(transcendental.acosh(this.node));
  }
  /** Inverse hyperbolic tangent; NaN beyond ±1. */
  atanh(): Self {
    return this.wrap(transcendental.atanh(this.node));
  }
  /** Error function. */
  erf(): Self {
    return this.unary('erf');
  }
  /** 1 − erf, exact in its tail. */
  erfc(): Self {
    return this.unary('erfc');
  }
  /** Conversion of the element type: floats to integers truncate and saturate, NaN is 0; bools are ≠ 0. */
  cast(dtype: DType): Self {
    return this.wrap(build.cast(this.node, dtype));
  }
  /** The same value; no gradient passes. */
  detach(): Self {
    return this.wrap(build.detach(this.node));
  }
}
