/**
 * @file The meaning of every elementwise op on four 32-bit lanes. The table is total. There is no second
 * meaning for single elements: a tail runs the same instructions with one lane that matters, so an
 * element's bits do not depend on where a vector begins. A bool is a mask: all ones or all zeros.
 */
import type { ScalarType } from '../../dtype.ts';
import type { ElementwiseName } from '../../ops/elementwise.ts';
import { f32x4, i32x4, op, type Code, type Expr, type Local } from './assembler.ts';
import type { PLAIN } from './opcodes.ts';
import { floatRest, integerRest, quotient, shift } from './division.ts';
import type { Arithmetic } from './polynomial.ts';
import * as f32 from './transcendental.ts';
import { atan2, cos, sin } from './trigonometry.ts';

/** Types around an op: of its result and of its (last) operand. */
export interface OpTypes {
  readonly dtype: ScalarType;
  readonly from: ScalarType;
  /** Whether all lanes of the last operand are alike. */
  readonly uniform: boolean;
}

/** Writes what an op needs beforehand and returns its value. */
export type EmitOp = (c: Code, how: Arithmetic, x: readonly Local[], types: OpTypes) => Expr;

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

function ofOne(f: (c: Code, how: Arithmetic, x: Local) => Expr): EmitOp {
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

/** The larger or smaller of floats; pmax and pmin keep a NaN of x, the comparison makes one of y's. */
function choice(f: 'f32x4.pmax' | 'f32x4.pmin', ofInteger: 'max' | 'min'): EmitOp {
  return (_c, _how, [x, y], { from }) => {
    if (from !== 'f32') return op(`i32x4.${ofInteger}_${from === 'i32' ? 's' : 'u'}`, x!, y!);
    return op('v128.or', op(f, x!, y!), op('f32x4.ne', y!, y!));
  };
}

function bitwise(name: 'v128.and' | 'v128.or' | 'v128.xor'): EmitOp {
  return plain({ bool: name, i32: name, u32: name });
}

/** The table. */
export const EMIT: { readonly [K in ElementwiseName]: EmitOp } = {
  neg: plain({ f32: 'f32x4.neg', i32: 'i32x4.neg', u32: 'i32x4.neg' }),
  abs: (_c, _how, [x], { from }) =>
    from === 'u32' ? x! : op(from === 'f32' ? 'f32x4.abs' : 'i32x4.abs', x!),
  floor: float('f32x4.floor'),
  ceil: float('f32x4.ceil'),
  round: float('f32x4.nearest'),
  trunc: float('f32x4.trunc'),
  exp: ofOne(f32.exp),
  exp2: ofOne(f32.exp2),
  expm1: ofOne(f32.expm1),
  log: ofOne(f32.log),
  log2: ofOne(f32.log2),
  log1p: ofOne(f32.log1p),
  sqrt: float('f32x4.sqrt'),
  rsqrt: (_c, _how, x) => op('f32x4.div', f32x4(1), op('f32x4.sqrt', x[0]!)),
  reciprocal: (_c, _how, x) => op('f32x4.div', f32x4(1), x[0]!),
  sin: ofOne(sin),
  cos: ofOne(cos),
  tanh: ofOne(f32.tanh),
  erf: ofOne(f32.erf),
  erfc: ofOne(f32.erfc),
  isNaN: (_c, _how, [x]) => op('f32x4.ne', x!, x!),
  isFinite: (_c, _how, [x]) => op('f32x4.lt', op('f32x4.abs', x!), f32x4(Infinity)),
  not: plain({ bool: 'v128.not', i32: 'v128.not', u32: 'v128.not' }),
  add: plain({ f32: 'f32x4.add', i32: 'i32x4.add', u32: 'i32x4.add' }),
  sub: plain({ f32: 'f32x4.sub', i32: 'i32x4.sub', u32: 'i32x4.sub' }),
  mul: plain({ f32: 'f32x4.mul', i32: 'i32x4.mul', u32: 'i32x4.mul' }),
  div: float('f32x4.div'),
  fmod: (c, _how, [x, y], { from }) =>
    from === 'f32' ? floatRest(c, x!, y!) : integerRest(c, x!, y!, from === 'i32'),
  floorDivide: (c, _how, [x, y], { from }) => quotient(c, x!, y!, from === 'i32', 'f64x2.floor'),
  pow: (c, how, [x, y]) => f32.pow(c, how, x!, y!),
  atan2: (c, how, [y, x]) => atan2(c, how, y!, x!),
  copysign: (_c, _how, [x, y]) => op('v128.bitselect', x!, y!, i32x4(0x7fffffff)),
  maximum: choice('f32x4.pmax', 'max'),
  minimum: choice('f32x4.pmin', 'min'),
  lt: comparison('lt'),
  le: comparison('le'),
  eq: comparison('eq'),
  ne: comparison('ne'),
  and: bitwise('v128.and'),
  or: bitwise('v128.or'),
  xor: bitwise('v128.xor'),
  bitwiseLeftShift: (_c, _how, [x, y], { uniform }) => shift('shl', x!, y!, uniform),
  bitwiseRightShift: (_c, _how, [x, y], { from, uniform }) =>
    shift(from === 'i32' ? 'shr_s' : 'shr_u', x!, y!, uniform),
  where: (_c, _how, x) => op('v128.bitselect', x[1]!, x[2]!, x[0]!),
  cast: (_c, _how, x, { dtype, from }) => convert(x[0]!, from, dtype),
};
