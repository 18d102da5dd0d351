/**
 * @file The elementwise primitives, one record each: its meaning in f64 (the oracle of every test) and
 * in WGSL. The WebAssembly meaning is in `backend/wasm/scalar.ts`, the gradient in `@camada/autograd`;
 * both tables are total, so the compiler names what a new record lacks.
 */
import type { ScalarType } from '../dtype.ts';
import { erf } from './special.ts';

/** Where an op is defined and smooth; tests draw inputs from it. */
export type Domain = 'real' | 'positive' | 'nonzero' | 'small' | 'integer' | 'bool' | 'any';

/** One elementwise primitive. */
export interface ElementwiseOp {
  readonly arity: 1 | 2 | 3;
  /** Result type: that of the (last) operand, or always bool, or the type named at the call. */
  readonly result: 'same' | 'bool' | 'attr';
  /** Types its operands may have. `where` takes a bool first. */
  readonly types: readonly ScalarType[];
  /** Meaning in f64. Bools are 0 and 1. */
  readonly reference: (...x: number[]) => number;
  /** Meaning in WGSL for operand texts `x`; `dtype` is the result's, `from` the first operand's. */
  readonly wgsl: (x: readonly string[], dtype: ScalarType, from: ScalarType) => string;
  /** Inputs that tests draw, one for each operand. */
  readonly sample: readonly Domain[];
  /** Error bound on f32 devices, relative to 1 + |reference|; see docs/numerics.md. */
  readonly tolerance: number;
  /** True where the derivative exists and is used. */
  readonly smooth: boolean;
}

const NUMERIC = ['f32', 'i32', 'u32'] as const;
const FLOAT = ['f32'] as const;
const SIGNED = ['f32', 'i32'] as const;
const BOOL = ['bool'] as const;
const ANY = ['f32', 'i32', 'u32', 'bool'] as const;

function unary(
  types: readonly ScalarType[],
  reference: (x: number) => number,
  wgsl: (x: string) => string,
  sample: Domain = 'real',
  tolerance = 1e-6,
): ElementwiseOp {
  const text = (x: readonly string[]): string => wgsl(x[0]!);
  const smooth = types !== BOOL;
  return {
    arity: 1,
    result: 'same',
    types,
    reference,
    wgsl: text,
    sample: [sample],
    tolerance,
    smooth,
  };
}

function binary(
  types: readonly ScalarType[],
  reference: (x: number, y: number) => number,
  wgsl: (x: string, y: string) => string,
  sample: readonly [Domain, Domain] = ['real', 'real'],
  tolerance = 1e-6,
): ElementwiseOp {
  const text = (x: readonly string[]): string => wgsl(x[0]!, x[1]!);
  return {
    arity: 2,
    result: 'same',
    types,
    reference,
    wgsl: text,
    sample,
    tolerance,
    smooth: true,
  };
}

function comparison(reference: (x: number, y: number) => boolean, operator: string): ElementwiseOp {
  return {
    arity: 2,
    result: 'bool',
    types: NUMERIC,
    reference: (x, y) => Number(reference(x!, y!)),
    wgsl: (x) => `(${x[0]} ${operator} ${x[1]})`,
    sample: ['integer', 'integer'],
    tolerance: 0,
    smooth: false,
  };
}

function logical(reference: (x: number, y: number) => number, operator: string): ElementwiseOp {
  return {
    ...binary(BOOL, reference, (x, y) => `(${x} ${operator} ${y})`, ['bool', 'bool'], 0),
    smooth: false,
  };
}

/** Name of an elementwise primitive. */
export type ElementwiseName =
  | 'neg'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'rsqrt'
  | 'reciprocal'
  | 'sin'
  | 'cos'
  | 'tanh'
  | 'erf'
  | 'abs'
  | 'floor'
  | 'not'
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'pow'
  | 'maximum'
  | 'minimum'
  | 'lt'
  | 'le'
  | 'eq'
  | 'ne'
  | 'and'
  | 'or'
  | 'where'
  | 'cast';

/** The table of elementwise primitives. */
export const ELEMENTWISE: Readonly<Record<ElementwiseName, ElementwiseOp>> = {
  /** −x. */
  neg: unary(
    SIGNED,
    (x) => -x,
    (x) => `(-${x})`,
    'real',
    0,
  ),
  /** eˣ. */
  exp: unary(FLOAT, Math.exp, (x) => `exp(${x})`, 'small', 4e-6),
  /** Natural logarithm; −∞ at 0, NaN below. */
  log: unary(FLOAT, Math.log, (x) => `log(${x})`, 'positive', 4e-6),
  /** Square root; NaN below 0. */
  sqrt: unary(FLOAT, Math.sqrt, (x) => `sqrt(${x})`, 'positive', 1e-6),
  /** 1/√x; one op since every device has it. */
  rsqrt: unary(
    FLOAT,
    (x) => 1 / Math.sqrt(x),
    (x) => `inverseSqrt(${x})`,
    'positive',
    2e-6,
  ),
  /** 1/x. */
  reciprocal: unary(
    FLOAT,
    (x) => 1 / x,
    (x) => `(1.0 / ${x})`,
    'nonzero',
    2e-6,
  ),
  sin: unary(FLOAT, Math.sin, (x) => `camada_sin(${x})`, 'small', 2e-5),
  cos: unary(FLOAT, Math.cos, (x) => `camada_cos(${x})`, 'small', 2e-5),
  /** Hyperbolic tangent, clamped where it is ±1 in f32 since WGSL's overflows. */
  tanh: unary(FLOAT, Math.tanh, (x) => `tanh(clamp(${x}, -15.0, 15.0))`, 'real', 1e-5),
  /** Error function. */
  erf: unary(FLOAT, erf, (x) => `camada_erf(${x})`, 'real', 2e-6),
  /** |x|. */
  abs: unary(SIGNED, Math.abs, (x) => `abs(${x})`, 'nonzero', 0),
  /** Largest integer not above x. Its gradient is 0. */
  floor: unary(FLOAT, Math.floor, (x) => `floor(${x})`, 'real', 0),
  not: {
    ...unary(
      BOOL,
      (x) => 1 - x,
      (x) => `(!${x})`,
      'bool',
      0,
    ),
    smooth: false,
  },
  add: binary(
    NUMERIC,
    (x, y) => x + y,
    (x, y) => `(${x} + ${y})`,
  ),
  sub: binary(
    NUMERIC,
    (x, y) => x - y,
    (x, y) => `(${x} - ${y})`,
  ),
  mul: binary(
    NUMERIC,
    (x, y) => x * y,
    (x, y) => `(${x} * ${y})`,
  ),
  /** True division of floats. */
  div: binary(
    FLOAT,
    (x, y) => x / y,
    (x, y) => `(${x} / ${y})`,
    ['real', 'nonzero'],
    4e-6,
  ),
  /** xʸ for x ≥ 0 (NaN for x < 0, as in WGSL); integer powers of any base are `square`, `mul`. */
  pow: binary(
    FLOAT,
    (x, y) => (x < 0 ? NaN : Math.pow(x, y)),
    (x, y) => `camada_pow(${x}, ${y})`,
    ['positive', 'small'],
    4e-5,
  ),
  /** Larger operand. */
  maximum: binary(NUMERIC, Math.max, (x, y) => `max(${x}, ${y})`, ['real', 'real'], 0),
  /** Smaller operand. */
  minimum: binary(NUMERIC, Math.min, (x, y) => `min(${x}, ${y})`, ['real', 'real'], 0),
  lt: comparison((x, y) => x < y, '<'),
  le: comparison((x, y) => x <= y, '<='),
  eq: comparison((x, y) => x === y, '=='),
  ne: comparison((x, y) => x !== y, '!='),
  and: logical((x, y) => x & y, '&'),
  or: logical((x, y) => x | y, '|'),
  /** `where(condition, x, y)`: x where the condition holds, else y. Both are evaluated. */
  where: {
    arity: 3,
    result: 'same',
    types: ANY,
    reference: (condition, x, y) => (condition ? x! : y!),
    wgsl: (x) => `select(${x[2]}, ${x[1]}, ${x[0]})`,
    sample: ['bool', 'real', 'real'],
    tolerance: 0,
    smooth: true,
  },
  /** Conversion to the type of the result; float to integer truncates, anything to bool is ≠ 0. */
  cast: {
    arity: 1,
    result: 'attr',
    types: ANY,
    reference: (x) => x,
    wgsl: (x, dtype) => `${dtype}(${x[0]})`,
    sample: ['real'],
    tolerance: 0,
    smooth: true,
  },
};
