/** @file Records of elementwise maths. Primitives take meaning and tolerance from their own table. */
import { ELEMENTWISE, type ElementwiseName } from '../ops/elementwise.ts';
import type { Domain } from '../ops/primitive.ts';
import type { ElementwiseMethods } from '../methods/elementwise.ts';
import type { TensorBase } from '../methods/base.ts';
import type { Tensor } from '../tensor.ts';
import type { Draw } from './draw.ts';
import { map, type ElementType, type HostArray } from './host.ts';
import {
  ANY,
  FLOAT,
  NUMERIC,
  type GradientKind,
  type OpCase,
  type OpRecord,
  type Records,
} from './record.ts';

/** What the factories of elementwise records need. */
export interface Meaning {
  /** Of the elements, then of the numbers of a setting. */
  readonly f: (...x: number[]) => number;
  /** Of integers, where it is another formula. */
  readonly integer?: ((...x: number[]) => number) | undefined;
  readonly domains: readonly Domain[];
  readonly tolerance: number;
  readonly dtypes?: readonly ElementType[];
  readonly gradient?: GradientKind;
  /** Element type of the result; that of the operands when left out. */
  readonly result?: ElementType;
  /** Numbers that follow the operands at a call; one of these lists is drawn. */
  readonly settings?: readonly (readonly number[])[];
}

/** Name of a method of one tensor, or of several. */
type Call = keyof Tensor & string;

/** The record of a method whose operands are broadcast tensors, and numbers after them. */
export function elementwiseRecord(name: Call, meaning: Meaning): OpRecord {
  const { domains, tolerance, dtypes = FLOAT, gradient = 'smooth', settings = [[]] } = meaning;
  const sample = (draw: Draw, dtype: ElementType): OpCase => {
    const shape = draw.shape();
    const inputs = domains.map((domain, i) =>
      draw.array(i === 0 ? shape : draw.broadcastTo(shape), dtype, domain),
    );
    const numbers = draw.pick(settings);
    const isInteger = dtype === 'i32' || dtype === 'u32';
    const f = isInteger ? (meaning.integer ?? meaning.f) : meaning.f;
    return {
      inputs,
      call: `x.${name}(${[...['y', 'z'].slice(0, inputs.length - 1), ...numbers].join(', ')})`,
      run: ([x, ...rest]) =>
        (x![name] as (...args: (Tensor | number)[]) => Tensor)(...rest, ...numbers),
      reference: (arrays: readonly HostArray[]) =>
        map(meaning.result ?? dtype, (...x) => f(...x, ...numbers), ...arrays),
    };
  };
  return { dtypes, gradient, tolerance, sample };
}

/** The record of a primitive; other domains than its own where gradients need them. */
function primitive(
  name: ElementwiseName & Call,
  domains: readonly Domain[] = ELEMENTWISE[name].sample,
): OpRecord {
  const op = ELEMENTWISE[name];
  const result = op.result === 'bool' ? 'bool' : undefined;
  const zero = op.types.includes('f32') && !result ? 'zero' : 'none';
  return elementwiseRecord(name, {
    f: op.reference,
    integer: op.integer,
    domains,
    tolerance: op.tolerance,
    dtypes: op.types as readonly ElementType[],
    gradient: op.smooth ? 'smooth' : zero,
    ...(result && { result }),
  });
}

/** The record of a function of one float. */
function ofReal(
  name: Call,
  f: (x: number) => number,
  domain: Domain = 'real',
  tolerance = 2e-6,
): OpRecord {
  return elementwiseRecord(name, { f, domains: [domain], tolerance });
}

/** The record of a rounding: what it gives is exact, and its slope is 0. */
function rounding(name: 'floor' | 'ceil' | 'round' | 'trunc'): OpRecord {
  const { reference: f } = ELEMENTWISE[name];
  const integer = (x: number): number => x;
  const rest = { tolerance: 0, dtypes: NUMERIC, gradient: 'zero' } as const;
  return elementwiseRecord(name, { f, integer, domains: ['real'], ...rest });
}

function comparison(name: Call, f: (x: number, y: number) => boolean): OpRecord {
  const g = (x: number, y: number): number => Number(f(x, y));
  const rest = { tolerance: 0, dtypes: NUMERIC, gradient: 'none', result: 'bool' } as const;
  return elementwiseRecord(name, { f: g, domains: ['integer', 'integer'], ...rest });
}

/** What a division with a remainder leaves, with the sign of y. */
function modulo(x: number, y: number): number {
  return x - y * Math.floor(x / y);
}

const orZero =
  (f: (x: number, y: number) => number) =>
  (x: number, y: number): number =>
    y === 0 ? 0 : f(x, y);

const bounded = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));

/** Bounds that are numbers, tensors, or only one number. */
const CLAMP: OpRecord = {
  dtypes: NUMERIC,
  gradient: 'smooth',
  tolerance: 0,
  sample: (draw, dtype) => {
    const numbers = elementwiseRecord('clamp', {
      f: (x, low = -Infinity, high = Infinity) => bounded(x, low, high),
      domains: ['real'],
      tolerance: 0,
      settings: dtype === 'f32' ? [[-1.5, 2.25], [0.5], []] : [[3, 40], [5], []],
    });
    const tensors = elementwiseRecord('clamp', {
      f: bounded,
      domains: ['real', 'unit', 'aboveOne'],
      tolerance: 0,
    });
    return (draw.flag() ? numbers : tensors).sample(draw, dtype);
  },
};

const CAST: OpRecord = {
  dtypes: ANY,
  gradient: 'none',
  tolerance: 0,
  sample: (draw, dtype) => {
    const to = draw.pick(['i32', 'u32', 'bool'] as const);
    const f = to === 'bool' ? (x: number): number => Number(x !== 0) : Math.trunc;
    return {
      inputs: [draw.array(draw.shape(), dtype, 'positive')],
      call: `x.cast('${to}')`,
      run: ([x]) => x!.cast(to),
      reference: ([x]) => map(to, f, x!),
    };
  },
};

/** Records of elementwise maths. */
export const ELEMENTWISE_OPS: Records<ElementwiseMethods<Tensor>, TensorBase<Tensor>> = {
  add: primitive('add'),
  sub: primitive('sub'),
  mul: primitive('mul'),
  div: primitive('div'),
  floorDivide: elementwiseRecord('floorDivide', {
    f: (x, y) => Math.floor(x / y),
    integer: orZero((x, y) => Math.floor(x / y)),
    domains: ['real', 'nonzero'],
    tolerance: 0,
    dtypes: NUMERIC,
    gradient: 'zero',
  }),
  remainder: elementwiseRecord('remainder', {
    f: modulo,
    integer: orZero(modulo),
    domains: ['real', 'aboveOne'],
    tolerance: 1e-6,
    dtypes: NUMERIC,
  }),
  fmod: primitive('fmod', ['real', 'aboveOne']),
  pow: primitive('pow'),
  maximum: primitive('maximum'),
  minimum: primitive('minimum'),
  clamp: CLAMP,
  lerp: elementwiseRecord('lerp', {
    f: (a, b, w) => a * (1 - w) + b * w,
    domains: ['real', 'real', 'unit'],
    tolerance: 1e-6,
  }),
  xlogy: elementwiseRecord('xlogy', {
    f: (x, y) => (x === 0 ? 0 : x * Math.log(y)),
    domains: ['real', 'positive'],
    tolerance: 4e-6,
  }),
  hypot: elementwiseRecord('hypot', {
    f: Math.hypot,
    domains: ['nonzero', 'nonzero'],
    tolerance: 2e-6,
  }),
  atan2: primitive('atan2'),
  copysign: primitive('copysign'),
  lt: comparison('lt', (x, y) => x < y),
  le: comparison('le', (x, y) => x <= y),
  gt: comparison('gt', (x, y) => x > y),
  ge: comparison('ge', (x, y) => x >= y),
  eq: comparison('eq', (x, y) => x === y),
  ne: comparison('ne', (x, y) => x !== y),
  and: primitive('and'),
  or: primitive('or'),
  xor: primitive('xor'),
  not: primitive('not'),
  bitwiseLeftShift: primitive('bitwiseLeftShift'),
  bitwiseRightShift: primitive('bitwiseRightShift'),
  isNaN: primitive('isNaN'),
  isFinite: primitive('isFinite'),
  isInf: elementwiseRecord('isInf', {
    f: (x) => Number(Math.abs(x) === Infinity),
    domains: ['real'],
    tolerance: 0,
    gradient: 'none',
    result: 'bool',
  }),
  neg: primitive('neg'),
  abs: primitive('abs'),
  sign: elementwiseRecord('sign', {
    f: Math.sign,
    domains: ['real'],
    tolerance: 0,
    dtypes: NUMERIC,
    gradient: 'zero',
  }),
  floor: rounding('floor'),
  ceil: rounding('ceil'),
  round: rounding('round'),
  trunc: rounding('trunc'),
  frac: elementwiseRecord('frac', {
    f: (x) => x % 1,
    domains: ['real'],
    tolerance: 0,
    dtypes: NUMERIC,
  }),
  square: elementwiseRecord('square', {
    f: (x) => x * x,
    domains: ['real'],
    tolerance: 1e-6,
    dtypes: NUMERIC,
  }),
  sqrt: primitive('sqrt'),
  rsqrt: primitive('rsqrt'),
  reciprocal: primitive('reciprocal'),
  exp: primitive('exp'),
  exp2: primitive('exp2'),
  expm1: primitive('expm1'),
  log: primitive('log'),
  log2: primitive('log2'),
  log10: ofReal('log10', Math.log10, 'positive'),
  log1p: primitive('log1p'),
  sin: primitive('sin'),
  cos: primitive('cos'),
  tan: ofReal('tan', Math.tan, 'unit'),
  asin: ofReal('asin', Math.asin, 'unit'),
  acos: ofReal('acos', Math.acos, 'unit'),
  atan: ofReal('atan', Math.atan),
  sinh: ofReal('sinh', Math.sinh, 'real', 4e-6),
  cosh: ofReal('cosh', Math.cosh, 'real', 4e-6),
  tanh: primitive('tanh'),
  asinh: ofReal('asinh', Math.asinh),
  acosh: ofReal('acosh', Math.acosh, 'aboveOne'),
  atanh: ofReal('atanh', Math.atanh, 'unit', 4e-6),
  erf: primitive('erf'),
  erfc: primitive('erfc'),
  cast: CAST,
  detach: elementwiseRecord('detach', {
    f: (x) => x,
    domains: ['real'],
    tolerance: 0,
    dtypes: ANY,
    gradient: 'zero',
  }),
};
