/** @file Reductions on lanes: identities, combining two partial results, and joining the four lanes. */
import type { ScalarType } from '../../dtype.ts';
import type { ReduceName } from '../../ops/reduction.ts';
import { f32x4, i32x4, op, shuffle, type Code, type Expr, type Local } from './assembler.ts';
import type { PLAIN } from './opcodes.ts';

/** How a row is combined. */
export interface Reduction {
  readonly reduce: ReduceName;
  readonly dtype: ScalarType;
}

const IDENTITY: Record<ReduceName, Record<ScalarType, Expr>> = {
  sum: { f32: f32x4(0), i32: i32x4(0), u32: i32x4(0), bool: i32x4(0) },
  prod: { f32: f32x4(1), i32: i32x4(1), u32: i32x4(1), bool: i32x4(-1) },
  max: { f32: f32x4(-Infinity), i32: i32x4(-(2 ** 31)), u32: i32x4(0), bool: i32x4(0) },
  peak: { f32: f32x4(-Infinity), i32: i32x4(-(2 ** 31)), u32: i32x4(0), bool: i32x4(0) },
  min: { f32: f32x4(Infinity), i32: i32x4(2 ** 31 - 1), u32: i32x4(-1), bool: i32x4(-1) },
};

const COMBINE: Record<ReduceName, Record<ScalarType, keyof typeof PLAIN>> = {
  sum: { f32: 'f32x4.add', i32: 'i32x4.add', u32: 'i32x4.add', bool: 'v128.or' },
  prod: { f32: 'f32x4.mul', i32: 'i32x4.mul', u32: 'i32x4.mul', bool: 'v128.and' },
  max: { f32: 'f32x4.pmax', i32: 'i32x4.max_s', u32: 'i32x4.max_u', bool: 'v128.or' },
  peak: { f32: 'f32x4.pmax', i32: 'i32x4.max_s', u32: 'i32x4.max_u', bool: 'v128.or' },
  min: { f32: 'f32x4.pmin', i32: 'i32x4.min_s', u32: 'i32x4.min_u', bool: 'v128.and' },
};

/** The value that changes nothing. */
export function identity({ reduce, dtype }: Reduction): Expr {
  return IDENTITY[reduce][dtype];
}

/**
 * Two partial results in one; of floats, max and min give NaN where either is. pmax and pmin keep a NaN of x and
 * the comparison makes one of y's: three instructions, where f32x4.max is eight.
 */
export function combine({ reduce, dtype }: Reduction, x: Expr, y: Expr): Expr {
  const either = op(COMBINE[reduce][dtype], x, y);
  const keepsNaN = dtype === 'f32' && (reduce === 'max' || reduce === 'min');
  return keepsNaN ? op('v128.or', either, op('f32x4.ne', y, y)) : either;
}

/** All lanes hold the combination of the four. */
export function joinLanes(c: Code, how: Reduction, x: Local): Expr {
  const pairs = c.let('v128', combine(how, x, shuffle(x, x, [2, 3, 0, 1])));
  return combine(how, pairs, shuffle(pairs, pairs, [1, 0, 3, 2]));
}

/** Only lane 0 of a value, the identity in the others. */
export function firstLane(how: Reduction, x: Expr): Expr {
  return op('v128.bitselect', x, identity(how), i32x4(-1, 0, 0, 0));
}
