/**
 * @file Derivatives of the elementwise primitives: one list a primitive, one entry an operand. Operands
 * have the result's shape (broadcasting is an explicit expand node), so no shape is looked at here.
 * Integers and bools carry no gradient; the sweep never asks for them.
 */
import { full, where, zeros } from '@camada/tensor';
import type { ElementwiseName, Tensor } from '@camada/tensor';
import type { Rule } from './rule.ts';

/** Operands, result and incoming gradient of one elementwise node; all of one shape. */
interface Values {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly z: Tensor;
  readonly out: Tensor;
  readonly dy: Tensor;
}

/** Derivative with respect to one operand, times `dy`. */
type Derivative = (values: Values) => Tensor;

/** No derivative, or one that is zero wherever it exists. */
const NO: readonly Derivative[] = [];

/** A literal of the program, not a host number. */
function literal(value: number): Tensor {
  return full([], value, 'f32');
}

/** 1 where the condition holds, else 0: constant almost everywhere, so its own derivative is zero. */
function indicator(condition: Tensor): Tensor {
  return condition.detach().cast('f32');
}

/** Share of the gradient of maximum or minimum: 0 for the loser, ½ each at a tie, else 1, NaN included (PyTorch). */
function share(loses: Tensor, ties: Tensor): Tensor {
  return literal(1)
    .sub(indicator(loses))
    .sub(indicator(ties).mul(literal(0.5)));
}

/** Derivatives of every elementwise primitive, by operand. */
const DERIVATIVES: { readonly [N in ElementwiseName]: readonly Derivative[] } = {
  // d(−x) = −1
  neg: [({ dy }) => dy.neg()],
  // d eˣ = eˣ
  exp: [({ dy, out }) => dy.mul(out)],
  // d 2ˣ = 2ˣ·ln 2
  exp2: [({ dy, out }) => dy.mul(out).mul(literal(Math.LN2))],
  // d(eˣ − 1) = eˣ
  expm1: [({ dy, x }) => dy.mul(x.exp())],
  // d ln x = 1/x
  log: [({ dy, x }) => dy.div(x)],
  // d log₂ x = 1/(x·ln 2)
  log2: [({ dy, x }) => dy.mul(literal(1 / Math.LN2)).div(x)],
  // d ln(1 + x) = 1/(1 + x)
  log1p: [({ dy, x }) => dy.div(x.add(literal(1)))],
  // d √x = 1/(2√x)
  sqrt: [({ dy, out }) => dy.mul(literal(0.5)).div(out)],
  // d x^(−½) = −½·x^(−3/2)
  rsqrt: [({ dy, out }) => dy.mul(literal(-0.5)).mul(out.mul(out).mul(out))],
  // d(1/x) = −1/x²
  reciprocal: [({ dy, out }) => dy.mul(out.mul(out)).neg()],
  // d sin x = cos x
  sin: [({ dy, x }) => dy.mul(x.cos())],
  // d cos x = −sin x
  cos: [({ dy, x }) => dy.mul(x.sin()).neg()],
  // d tanh x = 1 − tanh²x
  tanh: [({ dy, out }) => dy.mul(literal(1).sub(out.mul(out)))],
  // d erf x = 2/√π · exp(−x²)
  erf: [({ dy, x }) => dy.mul(literal(2 / Math.sqrt(Math.PI))).mul(x.mul(x).neg().exp())],
  // d erfc x = −2/√π · exp(−x²)
  erfc: [({ dy, x }) => dy.mul(literal(-2 / Math.sqrt(Math.PI))).mul(x.mul(x).neg().exp())],
  // d|x| = sign x, 0 at 0 (PyTorch)
  abs: [({ dy, x }) => dy.mul(x.sign())],
  floor: NO,
  ceil: NO,
  round: NO,
  trunc: NO,
  isNaN: NO,
  isFinite: NO,
  not: NO,
  // d(x + y) = 1, 1
  add: [({ dy }) => dy, ({ dy }) => dy],
  // d(x − y) = 1, −1
  sub: [({ dy }) => dy, ({ dy }) => dy.neg()],
  // d(x·y) = y, x
  mul: [({ dy, y }) => dy.mul(y), ({ dy, x }) => dy.mul(x)],
  // d(x/y) = 1/y, −(x/y)/y
  div: [({ dy, y }) => dy.div(y), ({ dy, y, out }) => dy.mul(out).div(y).neg()],
  // d(x − y·trunc(x/y)) = 1, −trunc(x/y)
  fmod: [({ dy }) => dy, ({ dy, x, y, out }) => dy.mul(x.sub(out).div(y).detach().round()).neg()],
  floorDivide: NO,
  pow: [powBase, powExponent],
  // d atan2(x, y) = y/(x² + y²), −x/(x² + y²)
  atan2: [
    ({ dy, x, y }) => dy.mul(y).div(x.mul(x).add(y.mul(y))),
    ({ dy, x, y }) =>
      dy
        .mul(x)
        .div(x.mul(x).add(y.mul(y)))
        .neg(),
  ],
  // d(|x|·sign y) = sign x·sign y, 0
  copysign: [({ dy, x, y }) => dy.mul(x.sign()).mul(literal(1).copysign(y.detach()))],
  // d max(x, y) = [x > y] + ½[x = y], and the rest
  maximum: [
    ({ dy, x, y }) => dy.mul(share(x.lt(y), x.eq(y))),
    ({ dy, x, y }) => dy.mul(share(x.gt(y), x.eq(y))),
  ],
  // d min(x, y) = [x < y] + ½[x = y], and the rest
  minimum: [
    ({ dy, x, y }) => dy.mul(share(x.gt(y), x.eq(y))),
    ({ dy, x, y }) => dy.mul(share(x.lt(y), x.eq(y))),
  ],
  lt: NO,
  le: NO,
  eq: NO,
  ne: NO,
  and: NO,
  or: NO,
  xor: NO,
  bitwiseLeftShift: NO,
  bitwiseRightShift: NO,
  // d where(c, y, z) = –, [c], [¬c]; select, not multiply: the branch not taken may be infinite
  where: [
    ({ dy }) => dy,
    ({ dy, x }) => where(x, dy, zeros(dy.shape, dy.dtype)),
    ({ dy, x }) => where(x, zeros(dy.shape, dy.dtype), dy),
  ],
  // conversion between float types: dy itself, which the sweep keeps in f32
  cast: [({ dy }) => dy],
};

/** ∂xʸ/∂x = y·x^(y−1), and 0 where y = 0 (at x = 0 the product would be 0·∞). */
function powBase({ dy, x, y }: Values): Tensor {
  const slope = y.mul(x.pow(y.sub(literal(1))));
  return dy.mul(where(y.eq(literal(0)).detach(), zeros(dy.shape, 'f32'), slope));
}

/** ∂xʸ/∂y = xʸ·ln x, and 0 where x = 0 (the limit for y > 0; 0·(−∞) would be NaN). */
function powExponent({ dy, x, out }: Values): Tensor {
  const positive = where(x.eq(literal(0)).detach(), full(x.shape, 1, 'f32'), x);
  return dy.mul(out).mul(positive.log());
}

/** Gradient rule of elementwise nodes. */
export const elementwise: Rule<'elementwise'> = {
  carries: (node, input) => DERIVATIVES[node.attrs.name][input] !== undefined,
  gradient: ({ node, dy, x, y }, input) => {
    const [first, second, third] = x as [Tensor, Tensor, Tensor];
    return DERIVATIVES[node.attrs.name][input]!({ x: first, y: second, z: third, out: y, dy });
  },
};
