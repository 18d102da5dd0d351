/** @file Derived elementwise maths of numbers: comparison, division, bounds. */
import { computeType, isFloat } from '../../dtype.ts';
import * as build from '../build.ts';
import type { Node } from '../node.ts';
import type { ElementwiseName } from '../../ops/elementwise.ts';
import { literal } from './literal.ts';

const { elementwise } = build;

/** a > b. */
export function gt(a: Node, b: Node): Node {
  return elementwise('lt', [b, a]);
}

/** a ≥ b. */
export function ge(a: Node, b: Node): Node {
  return elementwise('le', [b, a]);
}

/** x². */
export function square(x: Node): Node {
  return elementwise('mul', [x, x]);
}

/** Rounding of floats to whole numbers; integers and bools are whole. */
export function whole(name: 'floor' | 'ceil' | 'round' | 'trunc', x: Node): Node {
  return isFloat(x.dtype) ? elementwise(name, [x]) : x;
}

/** x − trunc x, with the sign of x. */
export function frac(x: Node): Node {
  return elementwise('sub', [x, whole('trunc', x)]);
}

/** 1 above 0, −1 below, 0 at 0 and for NaN; the type of x. No gradient passes. */
export function sign(x: Node): Node {
  const type = x.dtype === 'bool' ? 'i32' : computeType(x.dtype);
  const y = build.detach(x);
  const zero = literal(0, y);
  const above = build.cast(gt(y, zero), type);
  if (type === 'u32') return above;
  return elementwise('sub', [above, build.cast(elementwise('lt', [y, zero]), type)]);
}

/** Whether x is +∞ or −∞. */
export function isInf(x: Node): Node {
  const isNaN = elementwise('isNaN', [x]);
  return elementwise('not', [elementwise('or', [elementwise('isFinite', [x]), isNaN])]);
}

/**
 * The base to a number or a tensor. Powers by 2, 3, ½ and −1 of a number are products, roots and quotients, as
 * in PyTorch: exact where these are.
 */
export function pow(x: Node, exponent: Node, value: number | undefined): Node {
  const base = isFloat(x.dtype) ? x : build.cast(x, 'f32');
  if (value === 2) return square(base);
  if (value === 3) return elementwise('mul', [square(base), base]);
  if (value === 0.5) return elementwise('sqrt', [base]);
  if (value === -1) return elementwise('reciprocal', [base]);
  return elementwise('pow', [base, exponent]);
}

/** Where a remainder of truncated division must move towards the sign of y. */
function otherSign(rest: Node, y: Node): Node {
  const zero = literal(0, rest);
  const signs = elementwise('xor', [elementwise('lt', [rest, zero]), elementwise('lt', [y, zero])]);
  return elementwise('and', [elementwise('ne', [rest, zero]), signs]);
}

/** x − y·⌊x/y⌋, with the sign of y: Python's and PyTorch's rule. Of integers 0 where y is 0. */
export function remainder(x: Node, y: Node): Node {
  const rest = elementwise('fmod', [x, y]);
  const other = build.detach(otherSign(rest, y));
  return elementwise('where', [other, elementwise('add', [rest, y]), rest]);
}

/** ⌊x/y⌋; of integers 0 where y is 0. */
export function floorDivide(x: Node, y: Node): Node {
  if (!isFloat(x.dtype) && !isFloat(y.dtype)) return elementwise('floorDivide', [x, y]);
  return floorOfQuotient(build.detach(x), build.detach(y));
}

/**
 * ⌊x/y⌋ of floats by way of the exact remainder, since x/y may round up to a whole number (CPython's
 * float_floor_div); x/y itself where y is 0.
 */
function floorOfQuotient(x: Node, y: Node): Node {
  const rest = elementwise('fmod', [x, y]);
  const below = elementwise('div', [elementwise('sub', [x, rest]), y]);
  const one = build.cast(otherSign(rest, y), 'f32');
  const quotient = elementwise('round', [elementwise('sub', [below, one])]);
  const ratio = elementwise('div', [x, y]);
  const signed = elementwise('copysign', [quotient, ratio]);
  const fromZero = elementwise('eq', [quotient, literal(0, quotient)]);
  const finite = elementwise('where', [fromZero, signed, quotient]);
  return elementwise('where', [elementwise('eq', [y, literal(0, y)]), ratio, finite]);
}

/** x·2ʸ or ⌊x/2ʸ⌋ in the integer type of x; y counts modulo 32. */
export function shift(name: ElementwiseName & `bitwise${string}`, x: Node, y: Node): Node {
  const typed = isFloat(y.dtype) || x.dtype === 'bool' ? y : build.cast(y, x.dtype);
  return elementwise(name, [x, typed]);
}

/** x not below `min` nor above `max`, where given; `max` where they cross. The gradient passes at the bounds (PyTorch). */
export function clamp(x: Node, min: Node | undefined, max: Node | undefined): Node {
  const raised = min ? elementwise('where', [elementwise('lt', [x, min]), min, x]) : x;
  return max ? elementwise('where', [gt(raised, max), max, raised]) : raised;
}

/** a + w·(b − a), exactly a at w = 0 and b at w = 1 (PyTorch's formula). */
export function lerp(a: Node, b: Node, w: Node): Node {
  const difference = elementwise('sub', [b, a]);
  const fromA = elementwise('add', [a, elementwise('mul', [w, difference])]);
  const rest = elementwise('sub', [literal(1, w), w]);
  const fromB = elementwise('sub', [b, elementwise('mul', [difference, rest])]);
  return elementwise('where', [elementwise('lt', [w, literal(0.5, w)]), fromA, fromB]);
}

/** x·ln y, and 0 where x is 0, whatever y is but NaN: the term of an entropy (PyTorch's xlogy). */
export function xlogy(x: Node, y: Node): Node {
  const nothing = elementwise('eq', [x, literal(0, x)]);
  const noLogarithm = elementwise('le', [y, literal(0, y)]);
  const both = elementwise('and', [nothing, noLogarithm]);
  const safe = elementwise('where', [both, literal(1, y), y]);
  return elementwise('mul', [x, elementwise('log', [safe])]);
}
