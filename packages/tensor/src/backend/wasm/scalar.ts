/**
 * @file The meaning of every elementwise op on four 32-bit lanes. The table is total. There is no second
 * meaning for single elements: a tail runs the same instructions with one lane that matters, so an
 * element's bits do not depend on where a vector begins. A bool is a mask: all ones or all zeros.
 */
import type { ScalarType } from '../../dtype.ts';
import type { ElementwiseName } from '../../ops/elementwise.ts';
import { f32x4, i32x4, op, type Code, type Expr, type Local } from './assembler.ts';
import type { PLAIN } from './opcodes.ts';
import * as f32 from './transcendental.ts';

/** Types around an op: of its result and of its (last) operand. */
export interface OpTypes {
  readonly dtype: ScalarType;
  readonly from: ScalarType;
}

/** Writes what an op needs beforehand and returns its value. */
export type EmitOp = (c: Code, how: f32.Arithmetic, x: readonly Local[], types: OpTypes) => Expr;

type Name = keyof typeof PLAIN;
type ByType = Partial<Record<ScalarType, Name>>;

/** An instruction for each operand type. */
function plain(names: ByType): EmitOp {
  return (_c, _how, x, { from }) => op(names[from]!, ...x);
}

function float(name: Name): EmitOp {
  return plain({ f32: name });
}

function comparison(name: 'lt' | 'le' | 'eq' | 'ne'): EmitOp {
  const sign = name === 'eq' || name === 'ne' ? (['', ''] as const) : (['_s', '_u'] as const);
  const names = {
    f32: `f32x4.${name}`,
    i32: `i32x4.${name}${sign[0]}`,
    u32: `i32x4.${name}${sign[1]}`,
    bool: `i32x4.${name}`,
  };
  return plain(names as ByType);
}

function ofOne(f: (c: Code, how: f32.Arithmetic, x: Local) => Expr): EmitOp {
  return (c, how, x) => f(c, how, x[0]!);
}

const CONVERT: Record<ScalarType, Record<ScalarType, (x: Local) => Expr>> = {
  f32: {
    f32: (x) => x,
    i32: (x) => op('i32x4.trunc_sat_f32x4_s', x),
    u32: (x) => op('i32x4.trunc_sat_f32x4_u', x),
    bool: (x) => op('f32x4.ne', x, f32x4(0)),
  },
  i32: {
    f32: (x) => op('f32x4.convert_i32x4_s', x),
    i32: (x) => x,
    u32: (x) => x,
    bool: (x) => op('i32x4.ne', x, i32x4(0)),
  },
  u32: {
    f32: (x) => op('f32x4.convert_i32x4_u', x),
    i32: (x) => x,
    u32: (x) => x,
    bool: (x) => op('i32x4.ne', x, i32x4(0)),
  },
  bool: {
    f32: (x) => op('v128.and', x, f32x4(1)),
    i32: (x) => op('v128.and', x, i32x4(1)),
    u32: (x) => op('v128.and', x, i32x4(1)),
    bool: (x) => x,
  },
};

/** `x` as another type: floats truncate to integers (saturating), anything to bool is ≠ 0. */
export function convert(x: Local, from: ScalarType, to: ScalarType): Expr {
  return CONVERT[from][to](x);
}

/** The table. */
export const EMIT: { readonly [K in ElementwiseName]: EmitOp } = {
  neg: plain({ f32: 'f32x4.neg', i32: 'i32x4.neg' }),
  exp: ofOne(f32.exp),
  log: ofOne(f32.log),
  sqrt: float('f32x4.sqrt'),
  rsqrt: (_c, _how, x) => op('f32x4.div', f32x4(1), op('f32x4.sqrt', x[0]!)),
  reciprocal: (_c, _how, x) => op('f32x4.div', f32x4(1), x[0]!),
  sin: ofOne(f32.sin),
  cos: ofOne(f32.cos),
  tanh: ofOne(f32.tanh),
  erf: ofOne(f32.erf),
  abs: plain({ f32: 'f32x4.abs', i32: 'i32x4.abs' }),
  floor: float('f32x4.floor'),
  not: plain({ bool: 'v128.not' }),
  add: plain({ f32: 'f32x4.add', i32: 'i32x4.add', u32: 'i32x4.add' }),
  sub: plain({ f32: 'f32x4.sub', i32: 'i32x4.sub', u32: 'i32x4.sub' }),
  mul: plain({ f32: 'f32x4.mul', i32: 'i32x4.mul', u32: 'i32x4.mul' }),
  div: float('f32x4.div'),
  pow: (c, how, x) => f32.pow(c, how, x[0]!, x[1]!),
  maximum: plain({ f32: 'f32x4.pmax', i32: 'i32x4.max_s', u32: 'i32x4.max_u' }),
  minimum: plain({ f32: 'f32x4.pmin', i32: 'i32x4.min_s', u32: 'i32x4.min_u' }),
  lt: comparison('lt'),
  le: comparison('le'),
  eq: comparison('eq'),
  ne: comparison('ne'),
  and: plain({ bool: 'v128.and' }),
  or: plain({ bool: 'v128.or' }),
  where: (_c, _how, x) => op('v128.bitselect', x[1]!, x[2]!, x[0]!),
  cast: (_c, _how, x, { dtype, from }) => convert(x[0]!, from, dtype),
};
