/** @file Records of elementwise maths. Primitives take meaning and tolerance from their own table. */
import { ELEMENTWISE, type Domain, type ElementwiseName } from '../ops/elementwise.ts';
import type { ElementwiseMethods } from '../methods/elementwise.ts';
import type { TensorBase } from '../methods/base.ts';
import type { Tensor } from '../tensor.ts';
import type { Draw } from './draw.ts';
import { map, type ElementType, type HostArray } from './host.ts';
import { ANY, FLOAT, NUMERIC, type GradientKind, type OpRecord, type Records } from './record.ts';

/** What the factories of elementwise records need. */
export interface Meaning {
  readonly f: (...x: number[]) => number;
  readonly domains: readonly Domain[];
  readonly tolerance: number;
  readonly dtypes?: readonly ElementType[];
  readonly gradient?: GradientKind;
  /** Element type of the result; that of the operands when left out. */
  readonly result?: ElementType;
}

/** Name of a method of one tensor, or of two. */
type Call = keyof Tensor & string;

/** The record of a method whose operands are all broadcast tensors. */
export function elementwiseRecord(name: Call, meaning: Meaning): OpRecord {
  const { f, domains, tolerance, dtypes = FLOAT, gradient = 'smooth', result } = meaning;
  const sample = (draw: Draw, dtype: ElementType): ReturnType<OpRecord['sample']> => {
    const shape = draw.shape();
    const inputs = domains.map((domain, i) =>
      draw.array(i === 0 ? shape : draw.broadcastTo(shape), dtype, domain),
    );
    return {
      inputs,
      call: `x.${name}(${['y', 'z'].slice(0, inputs.length - 1).join(', ')})`,
      run: ([x, ...rest]) => (x![name] as (...args: Tensor[]) => Tensor)(...rest),
      reference: (arrays: readonly HostArray[]) => map(result ?? dtype, f, ...arrays),
    };
  };
  return { dtypes, gradient, tolerance, sample };
}

/** The record of a primitive. */
function primitive(name: ElementwiseName & Call): OpRecord {
  const op = ELEMENTWISE[name];
  const result = op.result === 'bool' ? 'bool' : undefined;
  const zero = op.types.includes('f32') && !result ? 'zero' : 'none';
  return elementwiseRecord(name, {
    f: op.reference,
    domains: op.sample,
    tolerance: op.tolerance,
    dtypes: op.types as readonly ElementType[],
    gradient: op.smooth ? 'smooth' : zero,
    ...(result && { result }),
  });
}

function comparison(name: Call, f: (x: number, y: number) => boolean): OpRecord {
  const g = (x: number, y: number): number => Number(f(x, y));
  const rest = { tolerance: 0, dtypes: NUMERIC, gradient: 'none', result: 'bool' } as const;
  return elementwiseRecord(name, { f: g, domains: ['integer', 'integer'], ...rest });
}

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
  pow: primitive('pow'),
  maximum: primitive('maximum'),
  minimum: primitive('minimum'),
  lt: comparison('lt', (x, y) => x < y),
  le: comparison('le', (x, y) => x <= y),
  gt: comparison('gt', (x, y) => x > y),
  ge: comparison('ge', (x, y) => x >= y),
  eq: comparison('eq', (x, y) => x === y),
  ne: comparison('ne', (x, y) => x !== y),
  and: primitive('and'),
  or: primitive('or'),
  not: primitive('not'),
  neg: primitive('neg'),
  exp: primitive('exp'),
  log: primitive('log'),
  sqrt: primitive('sqrt'),
  rsqrt: primitive('rsqrt'),
  reciprocal: primitive('reciprocal'),
  sin: primitive('sin'),
  cos: primitive('cos'),
  tanh: primitive('tanh'),
  erf: primitive('erf'),
  abs: primitive('abs'),
  floor: primitive('floor'),
  square: elementwiseRecord('square', {
    f: (x) => x * x,
    domains: ['real'],
    tolerance: 1e-6,
    dtypes: NUMERIC,
  }),
  cast: CAST,
  detach: elementwiseRecord('detach', {
    f: (x) => x,
    domains: ['real'],
    tolerance: 0,
    dtypes: ANY,
    gradient: 'zero',
  }),
};
