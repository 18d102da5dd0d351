/**
 * @file The elementwise primitives, one record each: its meaning in f64 (the oracle of every test) and
 * in WGSL. The WebAssembly meaning is in `backend/wasm/scalar.ts`, the gradient in `@camada/autograd`;
 * both tables are total, so the compiler names what a new record lacks. `docs/numerics.md` has the
 * rules for special values and says where the tolerances come from.
 */
import {
  ANY,
  BITS,
  EXACT,
  FLOAT,
  INTEGER,
  NUMERIC,
  binary,
  bitwise,
  classification,
  comparison,
  unary,
  type ElementwiseOp,
} from './primitive.ts';
import { copySign, erf, erfc, floorQuotient, integerRest, power, roundEven } from './special.ts';

/** Name of an elementwise primitive. */
export type ElementwiseName =
  | 'neg'
  | 'abs'
  | 'floor'
  | 'ceil'
  | 'round'
  | 'trunc'
  | 'exp'
  | 'exp2'
  | 'expm1'
  | 'log'
  | 'log2'
  | 'log1p'
  | 'sqrt'
  | 'rsqrt'
  | 'reciprocal'
  | 'sin'
  | 'cos'
  | 'tanh'
  | 'erf'
  | 'erfc'
  | 'isNaN'
  | 'isFinite'
  | 'not'
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'fmod'
  | 'floorDivide'
  | 'pow'
  | 'atan2'
  | 'copysign'
  | 'maximum'
  | 'minimum'
  | 'lt'
  | 'le'
  | 'eq'
  | 'ne'
  | 'and'
  | 'or'
  | 'xor'
  | 'bitwiseLeftShift'
  | 'bitwiseRightShift'
  | 'where'
  | 'cast';

/** The table of elementwise primitives. */
export const ELEMENTWISE: Readonly<Record<ElementwiseName, ElementwiseOp>> = {
  /** −x. */
  neg: unary(
    NUMERIC,
    (x) => -x,
    (x, dtype) => (dtype === 'u32' ? `(0u - ${x})` : `(-${x})`),
    { tolerance: 0 },
  ),
  /** |x|. */
  abs: unary(NUMERIC, Math.abs, (x) => `abs(${x})`, { sample: ['nonzero'], tolerance: 0 }),
  /** Largest integer not above x. */
  floor: unary(FLOAT, Math.floor, (x) => `floor(${x})`, EXACT),
  /** Smallest integer not below x. */
  ceil: unary(FLOAT, Math.ceil, (x) => `ceil(${x})`, EXACT),
  /** Nearest integer, ties to even. */
  round: unary(FLOAT, roundEven, (x) => `round(${x})`, EXACT),
  /** The integer next to x on the side of 0. */
  trunc: unary(FLOAT, Math.trunc, (x) => `trunc(${x})`, EXACT),
  /** eˣ. */
  exp: unary(FLOAT, Math.exp, (x) => `camada_exp(${x})`, {
    sample: ['small'],
    tolerance: 4e-6,
    cost: 8,
  }),
  /** 2ˣ. */
  exp2: unary(
    FLOAT,
    (x) => 2 ** x,
    (x) => `camada_exp2(${x})`,
    {
      sample: ['small'],
      tolerance: 4e-6,
      cost: 8,
    },
  ),
  /** eˣ − 1, to relative accuracy near 0. */
  expm1: unary(FLOAT, Math.expm1, (x) => `camada_expm1(${x})`, {
    sample: ['small'],
    tolerance: 4e-6,
    cost: 12,
  }),
  /** Natural logarithm; −∞ at 0, NaN below. */
  log: unary(FLOAT, Math.log, (x) => `camada_log(${x})`, {
    sample: ['positive'],
    tolerance: 4e-6,
    cost: 10,
  }),
  /** Logarithm to base 2. */
  log2: unary(FLOAT, Math.log2, (x) => `camada_log2(${x})`, {
    sample: ['positive'],
    tolerance: 4e-6,
    cost: 10,
  }),
  /** log(1 + x), to relative accuracy near 0. */
  log1p: unary(FLOAT, Math.log1p, (x) => `camada_log1p(${x})`, {
    sample: ['positive'],
    tolerance: 4e-6,
    cost: 12,
  }),
  /** Square root; NaN below 0. */
  sqrt: unary(FLOAT, Math.sqrt, (x) => `sqrt(${x})`, { sample: ['positive'], cost: 4 }),
  /** 1/√x; one op since every device has it. */
  rsqrt: unary(
    FLOAT,
    (x) => 1 / Math.sqrt(x),
    (x) => `inverseSqrt(${x})`,
    {
      sample: ['positive'],
      tolerance: 2e-6,
      cost: 7,
    },
  ),
  /** 1/x. */
  reciprocal: unary(
    FLOAT,
    (x) => 1 / x,
    (x) => `(1.0 / ${x})`,
    {
      sample: ['nonzero'],
      tolerance: 2e-6,
      cost: 4,
    },
  ),
  /** Sine, radians. */
  sin: unary(FLOAT, Math.sin, (x) => `camada_sin(${x})`, {
    sample: ['small'],
    tolerance: 2e-6,
    cost: 16,
  }),
  /** Cosine, radians. */
  cos: unary(FLOAT, Math.cos, (x) => `camada_cos(${x})`, {
    sample: ['small'],
    tolerance: 2e-6,
    cost: 16,
  }),
  /** Hyperbolic tangent. */
  tanh: unary(FLOAT, Math.tanh, (x) => `camada_tanh(${x})`, { tolerance: 2e-6, cost: 11 }),
  /** Error function. */
  erf: unary(FLOAT, erf, (x) => `camada_erf(${x})`, { tolerance: 2e-6, cost: 13 }),
  /** 1 − erf x, to relative accuracy in its tail. */
  erfc: unary(FLOAT, erfc, (x) => `camada_erfc(${x})`, { tolerance: 2e-6, cost: 20 }),
  /** Whether x is NaN. */
  isNaN: classification(Number.isNaN, (bits) => `(${bits} > 0x7f800000u)`),
  /** Whether x is neither NaN nor infinite. */
  isFinite: classification(Number.isFinite, (bits) => `(${bits} < 0x7f800000u)`),
  /** Negation of a bool, or of every bit. */
  not: unary(
    BITS,
    (x) => 1 - x,
    (x, dtype) => (dtype === 'bool' ? `(!${x})` : `(~${x})`),
    {
      ...EXACT,
      integer: (x) => ~x,
      sample: ['bool'],
    },
  ),
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
    { integer: Math.imul },
  ),
  /** True division of floats. */
  div: binary(
    FLOAT,
    (x, y) => x / y,
    (x, y) => `(${x} / ${y})`,
    {
      sample: ['real', 'nonzero'],
      tolerance: 4e-6,
      cost: 4,
    },
  ),
  /** x − y·trunc(x/y), exact; of integers 0 where y is 0. */
  fmod: binary(
    NUMERIC,
    (x, y) => x % y,
    (x, y, dtype) => (dtype === 'f32' ? `camada_fmod(${x}, ${y})` : `(${x} % ${y})`),
    { integer: integerRest, sample: ['real', 'nonzero'], tolerance: 0, cost: 12 },
  ),
  /** ⌊x/y⌋ of integers; 0 where y is 0. */
  floorDivide: binary(
    INTEGER,
    floorQuotient,
    (x, y, dtype) => `camada_floor_${dtype}(${x}, ${y})`,
    {
      ...EXACT,
      sample: ['integer', 'nonzero'],
      cost: 8,
    },
  ),
  /** xʸ; for x < 0 signed where y is whole, else NaN. */
  pow: binary(FLOAT, power, (x, y) => `camada_pow(${x}, ${y})`, {
    sample: ['positive', 'small'],
    tolerance: 4e-5,
    cost: 24,
  }),
  /** Angle of the point (y, x), first operand y, in (−π, π]. */
  atan2: binary(FLOAT, Math.atan2, (y, x) => `camada_atan2(${y}, ${x})`, {
    sample: ['nonzero', 'nonzero'],
    cost: 14,
  }),
  /** |x| with the sign of y. */
  copysign: binary(FLOAT, copySign, (x, y) => `camada_copysign(${x}, ${y})`, {
    sample: ['nonzero', 'nonzero'],
    tolerance: 0,
  }),
  /** Larger operand; NaN where either is. */
  maximum: binary(
    NUMERIC,
    Math.max,
    (x, y, dtype) => `${dtype === 'f32' ? 'camada_max' : 'max'}(${x}, ${y})`,
    { tolerance: 0 },
  ),
  /** Smaller operand; NaN where either is. */
  minimum: binary(
    NUMERIC,
    Math.min,
    (x, y, dtype) => `${dtype === 'f32' ? 'camada_min' : 'min'}(${x}, ${y})`,
    { tolerance: 0 },
  ),
  lt: comparison((x, y) => x < y, '<'),
  le: comparison((x, y) => x <= y, '<='),
  eq: comparison((x, y) => x === y, '=='),
  // NaN ≠ NaN: WGSL compilers make an ordered comparison of `!=`, which denies it.
  ne: {
    ...comparison((x, y) => x !== y, '!='),
    wgsl: (x) => `(!(${x[0]} == ${x[1]}))`,
  },
  and: bitwise(
    (x, y) => x & y,
    (x, y) => `(${x} & ${y})`,
  ),
  or: bitwise(
    (x, y) => x | y,
    (x, y) => `(${x} | ${y})`,
  ),
  xor: bitwise(
    (x, y) => x ^ y,
    (x, y, dtype) => (dtype === 'bool' ? `(${x} != ${y})` : `(${x} ^ ${y})`),
  ),
  /** x·2^(y mod 32). */
  bitwiseLeftShift: binary(
    INTEGER,
    (x, y) => x << y,
    (x, y) => `(${x} << (u32(${y}) & 31u))`,
    EXACT,
  ),
  /** ⌊x/2^(y mod 32)⌋: copies of the sign of i32, zeros into u32. */
  bitwiseRightShift: binary(
    INTEGER,
    (x, y) => (x < 0 ? x >> y : x >>> y),
    (x, y) => `(${x} >> (u32(${y}) & 31u))`,
    EXACT,
  ),
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
    cost: 1,
  },
  /** Conversion to the result's type: floats to integers truncate and saturate, NaN is 0; anything to bool is ≠ 0. */
  cast: unary(
    ANY,
    (x) => x,
    (x, dtype, from) => {
      if (from === 'f32' && dtype !== 'f32') return `camada_to_${dtype}(${x})`;
      return from === 'u32' && dtype === 'f32' ? `camada_from_u32(${x})` : `${dtype}(${x})`;
    },
    { tolerance: 0, result: 'attr' },
  ),
};
