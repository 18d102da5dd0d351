/**
 * @file Trigonometric and hyperbolic functions over a few primitives. Their formulas neither cancel near 0
 * nor overflow before the result does; their derivatives are written down, not derived from them.
 */
import { isFloat } from '../../dtype.ts';
import * as build from '../build.ts';
import type { Node } from '../node.ts';
import { gt, square } from './elementwise.ts';
import { literal } from './literal.ts';

const { elementwise } = build;

/** x as floats. */
export function real(x: Node): Node {
  return isFloat(x.dtype) ? x : build.cast(x, 'f32');
}

/** A value computed from x alone, with f′(x) as a formula of x and of the value. */
export function withDerivative(x: Node, value: Node, derivative: (x: Node, y: Node) => Node): Node {
  return build.customGradient(value, [x], ([argument], y, dy) => [
    elementwise('mul', [dy, derivative(argument!, y)]),
  ]);
}

const add = (x: Node, y: Node): Node => elementwise('add', [x, y]);
const mul = (x: Node, y: Node): Node => elementwise('mul', [x, y]);
const div = (x: Node, y: Node): Node => elementwise('div', [x, y]);
const abs = (x: Node): Node => elementwise('abs', [x]);
const one = (x: Node): Node => literal(1, x);
const plusOne = (x: Node): Node => add(x, one(x));

/** (1 − x)(1 + x) = 1 − x², without its cancellation near ±1. */
function besideOne(x: Node): Node {
  return mul(elementwise('sub', [one(x), x]), plusOne(x));
}

/** log₁₀ x. */
export function log10(x: Node): Node {
  const logarithm = elementwise('log', [x]);
  return mul(logarithm, literal(Math.LOG10E, logarithm));
}

/** tan x = sin x/cos x; tan′ = 1 + tan². */
export function tan(input: Node): Node {
  const x = real(input);
  const value = div(elementwise('sin', [x]), elementwise('cos', [x]));
  return withDerivative(x, value, (_, y) => plusOne(square(y)));
}

/** Arc sine by the angle of (√(1 − x²), x); asin′ = 1/√(1 − x²). */
export function asin(input: Node): Node {
  const x = real(input);
  const value = elementwise('atan2', [x, elementwise('sqrt', [besideOne(x)])]);
  return withDerivative(x, value, (at) => elementwise('rsqrt', [besideOne(at)]));
}

/** Arc cosine by the angle of (x, √(1 − x²)); acos′ = −1/√(1 − x²). */
export function acos(input: Node): Node {
  const x = real(input);
  const value = elementwise('atan2', [elementwise('sqrt', [besideOne(x)]), x]);
  const slope = (at: Node): Node => elementwise('rsqrt', [besideOne(at)]);
  return withDerivative(x, value, (at) => elementwise('neg', [slope(at)]));
}

/** Arc tangent; atan′ = 1/(1 + x²). */
export function atan(input: Node): Node {
  const x = real(input);
  const value = elementwise('atan2', [x, one(x)]);
  return withDerivative(x, value, (at) => elementwise('reciprocal', [plusOne(square(at))]));
}

/** f(|x|) with the sign of x. */
function odd(x: Node, f: (size: Node) => Node): Node {
  return elementwise('copysign', [f(abs(x)), x]);
}

/** Hyperbolic sine: with u = e^(|x|/2) − 1 it is u·(2 + u)/2·(1 + 1/(1 + u)²); sinh′ = cosh. */
export function sinh(input: Node): Node {
  const x = real(input);
  const value = odd(x, (size) => {
    const u = elementwise('expm1', [mul(size, literal(0.5, size))]);
    const inverse = elementwise('reciprocal', [plusOne(u)]);
    const half = plusOne(mul(u, literal(0.5, u)));
    return mul(mul(u, half), plusOne(square(inverse)));
  });
  return withDerivative(x, value, cosh);
}

/** Hyperbolic cosine (e^(x/2))²/2 + (e^(−x/2))²/2; cosh′ = sinh. */
export function cosh(input: Node): Node {
  const x = real(input);
  const e = elementwise('exp', [mul(x, literal(0.5, x))]);
  const half = literal(0.5, e);
  const value = add(mul(mul(e, half), e), div(div(half, e), e));
  return withDerivative(x, value, sinh);
}

/** Where log(1 + √(1 + 1/x²)) is ln 2 in f32, and x² does not overflow yet. */
const LARGE = 2 ** 14;

/** Inverse hyperbolic sine, log1p(|x| + x²/(1 + √(1 + x²))); ln|x| + ln 2 where large; asinh′ = 1/√(1 + x²). */
export function asinh(input: Node): Node {
  const x = real(input);
  const value = odd(x, (size) => {
    const root = elementwise('sqrt', [plusOne(square(size))]);
    const near = elementwise('log1p', [add(size, div(square(size), plusOne(root)))]);
    return elementwise('where', [gt(size, literal(LARGE, size)), logOfTwice(size), near]);
  });
  return withDerivative(x, value, (at) => elementwise('rsqrt', [plusOne(square(at))]));
}

function logOfTwice(x: Node): Node {
  return add(elementwise('log', [x]), literal(Math.LN2, x));
}

/** Inverse hyperbolic cosine, log1p(t + √(t·(t + 2))) with t = x − 1; NaN below 1; acosh′ = 1/√((x − 1)(x + 1)). */
export function acosh(input: Node): Node {
  const x = real(input);
  const t = elementwise('sub', [x, one(x)]);
  const root = elementwise('sqrt', [mul(t, add(t, literal(2, t)))]);
  const near = elementwise('log1p', [add(t, root)]);
  const large = elementwise('where', [gt(x, literal(LARGE, x)), logOfTwice(x), near]);
  const outside = elementwise('lt', [x, one(x)]);
  const value = elementwise('where', [outside, literal(NaN, x), large]);
  return withDerivative(x, value, (at) => {
    const below = elementwise('sub', [at, one(at)]);
    return elementwise('rsqrt', [mul(below, plusOne(at))]);
  });
}

/** Inverse hyperbolic tangent, ½·log1p(2|x|/(1 − |x|)); atanh′ = 1/(1 − x²). */
export function atanh(input: Node): Node {
  const x = real(input);
  const value = odd(x, (size) => {
    const ratio = div(mul(size, literal(2, size)), elementwise('sub', [one(size), size]));
    return mul(elementwise('log1p', [ratio]), literal(0.5, ratio));
  });
  return withDerivative(x, value, (at) => elementwise('reciprocal', [besideOne(at)]));
}

/** √(x² + y²) as max·√(1 + (min/max)²), which does not overflow; the gradient is that of x/√…, y/√…. */
export function hypot(a: Node, b: Node): Node {
  const [x, y] = [abs(a), abs(b)];
  const large = elementwise('maximum', [x, y]);
  const ratio = div(elementwise('minimum', [x, y]), large);
  const scaled = mul(large, elementwise('sqrt', [plusOne(square(ratio))]));
  const plain = elementwise('or', [
    elementwise('eq', [large, literal(0, large)]),
    elementwise('not', [elementwise('isFinite', [large])]),
  ]);
  const value = elementwise('where', [plain, large, scaled]);
  return build.customGradient(value, [expandTo(a, value), expandTo(b, value)], (args, h, dy) =>
    args.map((x) => mul(dy, div(x, h))),
  );
}

function expandTo(x: Node, like: Node): Node {
  return build.expand(real(x), like.shape);
}
