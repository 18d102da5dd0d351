/** @file Records of the reductions. */
import type { ActivationMethods } from '../methods/activation.ts';
import type { ReductionMethods } from '../methods/reduction.ts';
import type { Tensor } from '../tensor.ts';
import type { Draw } from './draw.ts';
import { reduceAlong, transformAlong, wrapped, type ElementType, type HostArray } from './host.ts';
import { ANY, FLOAT, NUMERIC, type OpCase, type OpRecord, type Records } from './record.ts';

type Elements = readonly number[];

const total = (x: Elements): number => x.reduce((a, b) => a + b, 0);
const mean = (x: Elements): number => total(x) / x.length;
const largest = (x: Elements): number => Math.max(...x);
const smallest = (x: Elements): number => Math.min(...x);
const variance = (x: Elements, correction: number): number => {
  const m = mean(x);
  return total(x.map((v) => (v - m) ** 2)) / (x.length - correction);
};

/** A reduction and its meaning. */
interface Meaning {
  /** Of the elements that meet, and of their type. */
  readonly f: (elements: Elements, dtype: ElementType) => number;
  readonly run: (x: Tensor, axes: readonly number[], keepDims: boolean) => Tensor;
  readonly tolerance: number;
  readonly dtypes?: readonly ElementType[];
  /** Type of the result where it is not that of the operand. */
  readonly result?: (dtype: ElementType) => ElementType;
  readonly gradient?: OpRecord['gradient'];
  /** True where nothing to reduce is an error. */
  readonly filled?: boolean;
  /** Draws values without ties. */
  readonly distinct?: boolean;
  /** Elements of the largest operand. */
  readonly largest?: number;
}

/** A reduction over any axes with `keepDims`. */
function overAxes(name: string, meaning: Meaning): OpRecord {
  const { f, tolerance, dtypes = FLOAT, gradient = 'smooth', result = (x) => x } = meaning;
  const sample = (draw: Draw, dtype: ElementType): OpCase => {
    const shape = draw.shape(0, 4, meaning.filled, meaning.largest);
    const axes = draw.axes(shape.length);
    const keep = draw.flag();
    const input = meaning.distinct ? draw.distinct(shape, dtype) : draw.array(shape, dtype);
    return {
      inputs: [input],
      call: `x.${name}([${axes.join(', ')}], ${keep})`,
      run: ([x]) => meaning.run(x!, axes, keep),
      reference: ([x]) => reduceAlong(x!, axes, keep, (e) => f(e, dtype), result(dtype)),
    };
  };
  return { dtypes, gradient, tolerance, sample };
}

/** Bools are counted and multiplied as i32. */
const counted = (dtype: ElementType): ElementType => (dtype === 'bool' ? 'i32' : dtype);

function product(x: Elements, dtype: ElementType): number {
  return dtype === 'f32' ? x.reduce((a, b) => a * b, 1) : wrapped(x.reduce(Math.imul, 1), dtype);
}

/** any and all. */
function truth(name: 'any' | 'all', f: (elements: Elements) => boolean): OpRecord {
  return overAxes(name, {
    f: (x) => Number(f(x)),
    run: (x, axes, keep) => x[name](axes, keep),
    tolerance: 0,
    dtypes: ANY,
    result: () => 'bool',
    gradient: 'none',
  });
}

/** max and min. */
function extremum(name: 'max' | 'min', f: (elements: Elements) => number): OpRecord {
  return overAxes(name, {
    f,
    run: (x, axes, keep) => x[name](axes, keep),
    tolerance: 0,
    dtypes: NUMERIC,
    filled: true,
    distinct: true,
  });
}

/** variance and std with a correction where enough elements meet. */
function spread(name: 'variance' | 'std', f: (variance: number) => number): OpRecord {
  const sample = (draw: Draw): OpCase => {
    const shape = draw.shape(1, 4, true);
    const axes = draw.axes(shape.length);
    const keep = draw.flag();
    const count = axes.reduce((n, axis) => n * shape[axis]!, 1);
    const correction = draw.int(0, Math.min(2, count - 1));
    return {
      inputs: [draw.distinct(shape)],
      call: `x.${name}([${axes.join(', ')}], ${keep}, ${correction})`,
      run: ([x]) => x![name](axes, keep, correction),
      reference: ([x]) => reduceAlong(x!, axes, keep, (e) => f(variance(e, correction))),
    };
  };
  return { dtypes: FLOAT, gradient: 'smooth', tolerance: 4e-5, sample };
}

const NORM: OpRecord = {
  dtypes: FLOAT,
  gradient: 'smooth',
  tolerance: 4e-5,
  sample: (draw) => {
    const p = draw.pick([2, 1, Infinity, 0, 3, 1.5, -Infinity]);
    const shape = draw.shape(0, 4, true, 512);
    const axes = draw.axes(shape.length);
    const keep = draw.flag();
    const bounded = Math.abs(p) === Infinity;
    return {
      inputs: [bounded ? distinctSizes(draw, shape) : draw.array(shape, 'f32', 'nonzero')],
      call: `x.norm(${p}, [${axes.join(', ')}], ${keep})`,
      run: ([x]) => x!.norm(p, axes, keep),
      reference: ([x]) => reduceAlong(x!, axes, keep, (e) => norm(e, p)),
    };
  },
};

/** Values of both signs whose sizes are all different. */
function distinctSizes(draw: Draw, shape: readonly number[]): HostArray {
  const input = draw.distinct(shape);
  return { ...input, data: input.data.map((v, i) => (i % 2 === 0 ? v + 40 : -40 - v)) };
}

function norm(x: Elements, p: number): number {
  const sizes = x.map(Math.abs);
  if (p === 0) return sizes.filter((v) => v !== 0).length;
  if (p === Infinity) return largest(sizes);
  return p === -Infinity ? smallest(sizes) : total(sizes.map((v) => v ** p)) ** (1 / p);
}

/** argmax and argmin. */
function place(name: 'argmax' | 'argmin', best: (elements: Elements) => number): OpRecord {
  const sample = (draw: Draw, dtype: ElementType): OpCase => {
    const shape = draw.shape(1, 4, true);
    const axis = draw.axis(shape.length);
    const absolute = axis < 0 ? axis + shape.length : axis;
    const keep = draw.flag();
    return {
      inputs: [draw.array(shape, dtype, 'integer')],
      call: `x.${name}(${axis}, ${keep})`,
      run: ([x]) => x![name](axis, keep),
      reference: ([x]) => reduceAlong(x!, [absolute], keep, (e) => e.indexOf(best(e)), 'i32'),
    };
  };
  return { dtypes: ANY, gradient: 'none', tolerance: 0, sample };
}

/** A function of one axis that keeps it. */
function alongAxis(name: 'softmax' | 'logSoftmax', f: (elements: Elements) => Elements): OpRecord {
  const sample = (draw: Draw): OpCase => {
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

/** log Σ eˣ of a list. */
export const logSumExp = (x: Elements): number => {
  const top = Math.max(...x);
  return top + Math.log(total(x.map((v) => Math.exp(v - top))));
};

/** Records of the reductions. */
export const REDUCTION_OPS: Records<ReductionMethods<Tensor>, ActivationMethods<Tensor>> = {
  sum: overAxes('sum', {
    f: (x, dtype) => wrapped(total(x), counted(dtype)),
    run: (x, axes, keep) => x.sum(axes, keep),
    tolerance: 2e-5,
    dtypes: ANY,
    result: counted,
  }),
  prod: overAxes('prod', {
    f: (x, dtype) => product(x, counted(dtype)),
    run: (x, axes, keep) => x.prod(axes, keep),
    tolerance: 2e-5,
    dtypes: ANY,
    result: counted,
    largest: 24,
  }),
  mean: overAxes('mean', {
    f: mean,
    run: (x, axes, keep) => x.mean(axes, keep),
    tolerance: 1e-5,
    filled: true,
  }),
  max: extremum('max', largest),
  min: extremum('min', smallest),
  any: truth('any', (x) => x.some((v) => v !== 0)),
  all: truth('all', (x) => x.every((v) => v !== 0)),
  variance: spread('variance', (v) => v),
  std: spread('std', Math.sqrt),
  norm: NORM,
  argmax: place('argmax', largest),
  argmin: place('argmin', smallest),
  softmax: alongAxis('softmax', (x) => {
    const lse = logSumExp(x);
    return x.map((v) => Math.exp(v - lse));
  }),
  logSoftmax: alongAxis('logSoftmax', (x) => {
    const lse = logSumExp(x);
    return x.map((v) => v - lse);
  }),
  logSumExp: overAxes('logSumExp', {
    f: logSumExp,
    run: (x, axes, keep) => x.logSumExp(axes, keep),
    tolerance: 1e-5,
    filled: true,
  }),
};
