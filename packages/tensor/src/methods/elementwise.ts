/** @file Elementwise maths, comparison and conversion. */
import * as build from '../graph/build.ts';
import * as composite from '../graph/composite/elementwise.ts';
import type { DType } from '../dtype.ts';
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
  /** this to the power of other; NaN for a negative base (WGSL's rule). */
  pow(other: Self | number): Self {
    return this.binary('pow', other);
  }
  /** The larger of both. */
  maximum(other: Self | number): Self {
    return this.binary('maximum', other);
  }
  /** The smaller of both. */
  minimum(other: Self | number): Self {
    return this.binary('minimum', other);
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
  /** Both hold; bools. */
  and(other: Self): Self {
    return this.binary('and', other);
  }
  /** Either holds; bools. */
  or(other: Self): Self {
    return this.binary('or', other);
  }
  /** Negation of a bool. */
  not(): Self {
    return this.unary('not');
  }
  /** −this. */
  neg(): Self {
    return this.unary('neg');
  }
  /** e to this. */
  exp(): Self {
    return this.unary('exp');
  }
  /** Natural logarithm. */
  log(): Self {
    return this.unary('log');
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
  /** Sine, radians. */
  sin(): Self {
    return this.unary('sin');
  }
  /** Cosine, radians. */
  cos(): Self {
    return this.unary('cos');
  }
  /** Hyperbolic tangent. */
  tanh(): Self {
    return this.unary('tanh');
  }
  /** Error function. */
  erf(): Self {
    return this.unary('erf');
  }
  /** Absolute value. */
  abs(): Self {
    return this.unary('abs');
  }
  /** Largest integer not above. */
  floor(): Self {
    return this.unary('floor');
  }
  /** this². */
  square(): Self {
    return this.wrap(composite.square(this.node));
  }
  /** Conversion of the element type. */
  cast(dtype: DType): Self {
    return this.wrap(build.cast(this.node, dtype));
  }
  /** The same value; no gradient passes. */
  detach(): Self {
    return this.wrap(build.detach(this.node));
  }
}
