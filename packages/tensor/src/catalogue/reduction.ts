/** @file Records of the reductions. */
import type { ActivationMethods } from '../methods/activation.ts';
import type { ReductionMethods } from '../methods/reduction.ts';
import type { Tensor } from '../tensor.ts';
import type { Draw } from './draw.ts';
import { reduceAlong, type ElementType, type HostArray } from './host.ts';
import { FLOAT, NUMERIC, type OpRecord, type Records } from './record.ts';

const total = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);
const mean = (x: readonly number[]): number => total(x) / x.length;
const variance = (x: readonly number[]): number => {
  const m = mean(x);
  return total(x.map((v) => (v - m) ** 2)) / x.length;
};

/** What the factory of reductions needs. */
interface Meaning {
  readonly f: (elements: readonly number[]) => number;
  readonly tolerance: number;
  readonly dtypes?: readonly ElementType[];
  readonly gradient?: OpRecord['gradient'];
  /** True where nothing to reduce is an error. */
  readonly filled?: boolean;
  /** Draws values without ties. */
  readonly distinct?: boolean;
}

type Name = 'sum' | 'mean' | 'max' | 'min' | 'variance';

/** A reduction over any axes with `keepDims`. */
function overAxes(name: Name, meaning: Meaning): OpRecord {
  const { f, tolerance, dtypes = FLOAT, gradient = 'smooth', filled = false } = meaning;
  const sample = (draw: Draw, dtype: ElementType): ReturnType<OpRecord['sample']> => {
    const shape = draw.shape(0, 4, filled);
    const axes = draw.axes(shape.length);
    const keep = draw.flag();
    const input = meaning.distinct ? draw.distinct(shape, dtype) : draw.array(shape, dtype);
    return {
      inputs: [input],
      call: `x.${name}([${axes.join(', ')}], ${keep})`,
      run: ([x]) => x![name](axes, keep),
      reference: ([x]) => reduceAlong(x!, axes, keep, f),
    };
  };
  return { dtypes, gradient, tolerance, sample };
}

/** A function of one axis that keeps it. */
function alongAxis(
  name: 'softmax' | 'logSoftmax',
  f: (elements: readonly number[]) => readonly number[],
): OpRecord {
  const sample = (draw: Draw): ReturnType<OpRecord['sample']> => {
    const shape = draw.shape(1, 4);
    const axis = draw.axis(shape.length);
    return {
      inputs: [draw.array(shape)],
      call: `x.${name}(${axis})`,
      run: ([x]) => x![name](axis),
      reference: ([x]) => transformAlong(x!, axis, f),
    };
  };
  return { dtypes: FLOAT, gradient: 'smooth', tolerance: 1e-5, sample };
}

/** Replaces the elements along an axis by `f` of them. */
function transformAlong(
  x: HostArray,
  axis: number,
  f: (elements: readonly number[]) => readonly number[],
): HostArray {
  const a = axis < 0 ? axis + x.shape.length : axis;
  const inner = x.shape.slice(a + 1).reduce((n, m) => n * m, 1);
  const n = x.shape[a]!;
  const data = [...x.data];
  for (let start = 0; start < data.length; start += n * inner)
    for (let offset = 0; offset < inner; offset++) {
      const places = Array.from({ length: n }, (_, i) => start + offset + i * inner);
      f(places.map((p) => x.data[p]!)).forEach((value, i) => (data[places[i]!] = value));
    }
  return { ...x, data };
}

const logSumExp = (x: readonly number[]): number => {
  const top = Math.max(...x);
  return top + Math.log(total(x.map((v) => Math.exp(v - top))));
};

const ARGMAX: OpRecord = {
  dtypes: NUMERIC,
  gradient: 'none',
  tolerance: 0,
  sample: (draw, dtype) => {
    const shape = draw.shape(1, 4, true);
    const axis = draw.axis(shape.length);
    const absolute = axis < 0 ? axis + shape.length : axis;
    const first = (x: readonly number[]): number => x.indexOf(Math.max(...x));
    return {
      inputs: [draw.array(shape, dtype)],
      call: `x.argmax(${axis})`,
      run: ([x]) => x!.argmax(axis),
      reference: ([x]) => reduceAlong(x!, [absolute], false, first, 'i32'),
    };
  },
};

const LOG_SUM_EXP: OpRecord = {
  dtypes: FLOAT,
  gradient: 'smooth',
  tolerance: 1e-5,
  sample: (draw) => {
    const shape = draw.shape(1, 4, true);
    const axis = draw.axis(shape.length);
    const absolute = axis < 0 ? axis + shape.length : axis;
    return {
      inputs: [draw.array(shape)],
      call: `x.logSumExp(${axis})`,
      run: ([x]) => x!.logSumExp(axis),
      reference: ([x]) => reduceAlong(x!, [absolute], false, logSumExp),
    };
  },
};

/** Records of the reductions. */
export const REDUCTION_OPS: Records<ReductionMethods<Tensor>, ActivationMethods<Tensor>> = {
  sum: overAxes('sum', { f: total, tolerance: 2e-5, dtypes: NUMERIC }),
  mean: overAxes('mean', { f: mean, tolerance: 1e-5, filled: true }),
  max: overAxes('max', {
    f: (x) => Math.max(...x),
    tolerance: 0,
    dtypes: NUMERIC,
    filled: true,
    distinct: true,
  }),
  min: overAxes('min', {
    f: (x) => Math.min(...x),
    tolerance: 0,
    dtypes: NUMERIC,
    filled: true,
    distinct: true,
  }),
  variance: overAxes('variance', { f: variance, tolerance: 2e-5, filled: true }),
  argmax: ARGMAX,
  softmax: alongAxis('softmax', (x) => {
    const lse = logSumExp(x);
    return x.map((v) => Math.exp(v - lse));
  }),
  logSoftmax: alongAxis('logSoftmax', (x) => {
    const lse = logSumExp(x);
    return x.map((v) => v - lse);
  }),
  logSumExp: LOG_SUM_EXP,
};
