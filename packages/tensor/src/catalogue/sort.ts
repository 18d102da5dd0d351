/** @file Records of sorting. */
import type { ReductionMethods } from '../methods/reduction.ts';
import type { SortMethods } from '../methods/sort.ts';
import type { Tensor } from '../tensor.ts';
import type { Draw } from './draw.ts';
import { reduceAlong, transformAlong, type ElementType, type HostArray } from './host.ts';
import { ANY, FLOAT, NUMERIC, type OpCase, type OpRecord, type Records } from './record.ts';

type Elements = readonly number[];

/** Indices in the order of the elements, equal ones as they stand. */
function order(x: Elements, descending: boolean): number[] {
  const indices = x.map((_, i) => i);
  const less = (i: number, j: number): number => x[i]! - x[j]! || i - j;
  return indices.sort((i, j) => (descending ? x[j]! - x[i]! || i - j : less(i, j)));
}

const positive = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

const ARGSORT: OpRecord = {
  dtypes: ANY,
  gradient: 'none',
  tolerance: 0,
  sample: (draw, dtype) => {
    const shape = draw.shape(1, 3);
    const axis = draw.axis(shape.length);
    const descending = draw.flag();
    return {
      inputs: [draw.array(shape, dtype, 'integer')],
      call: `x.argsort(${axis}, ${descending})`,
      run: ([x]) => x!.argsort(axis, descending),
      reference: ([x]) => transformAlong(x!, axis, (e) => order(e, descending), 'i32'),
    };
  },
};

/** The values and indices that sorting gives. */
function sorted(x: HostArray, axis: number, descending: boolean): [HostArray, HostArray] {
  const values = (e: Elements): number[] => order(e, descending).map((i) => e[i]!);
  return [
    transformAlong(x, axis, values),
    transformAlong(x, axis, (e) => order(e, descending), 'i32'),
  ];
}

const SORT: OpRecord = {
  dtypes: NUMERIC,
  gradient: 'smooth',
  tolerance: 0,
  sample: (draw, dtype) => {
    const shape = draw.shape(1, 3);
    const axis = draw.axis(shape.length);
    const descending = draw.flag();
    return {
      inputs: [draw.distinct(shape, dtype)],
      call: `x.sort(${axis}, ${descending})`,
      run: ([x]) => x!.sort(axis, descending),
      reference: ([x]) => sorted(x!, axis, descending),
    };
  },
};

/** The first `k` elements along an axis. */
function head(x: HostArray, axis: number, k: number): HostArray {
  const a = positive(axis, x.shape.length);
  const n = x.shape[a]!;
  const inner = x.shape.slice(a + 1).reduce((product, size) => product * size, 1);
  const data = x.data.filter((_, i) => Math.floor(i / inner) % n < k);
  return { ...x, shape: x.shape.with(a, k), data };
}

const TOPK: OpRecord = {
  dtypes: NUMERIC,
  gradient: 'smooth',
  tolerance: 0,
  sample: (draw, dtype) => {
    const shape = draw.shape(1, 3);
    const axis = draw.axis(shape.length);
    const k = draw.int(0, shape.at(axis)!);
    const largest = draw.flag();
    return {
      inputs: [draw.distinct(shape, dtype)],
      call: `x.topk(${k}, ${axis}, ${largest})`,
      run: ([x]) => x!.topk(k, axis, largest),
      reference: ([x]) => sorted(x!, axis, largest).map((y) => head(y, axis, k)),
    };
  },
};

/** median and quantile: `f` of the sorted elements. */
function along(
  dtypes: readonly ElementType[],
  tolerance: number,
  draws: (draw: Draw) => {
    call: (axis: number, keep: boolean) => string;
    run: (x: Tensor, axis: number, keep: boolean) => Tensor;
    f: (sorted: Elements) => number;
  },
): OpRecord {
  const sample = (draw: Draw, dtype: ElementType): OpCase => {
    const shape = draw.shape(1, 3, true);
    const axis = draw.axis(shape.length);
    const keep = draw.flag();
    const { call, run, f } = draws(draw);
    const ascending = (e: Elements): number => f([...e].sort((a, b) => a - b));
    return {
      inputs: [draw.distinct(shape, dtype)],
      call: call(axis, keep),
      run: ([x]) => run(x!, axis, keep),
      reference: ([x]) => reduceAlong(x!, [positive(axis, shape.length)], keep, ascending),
    };
  };
  return { dtypes, gradient: 'smooth', tolerance, sample };
}

function quantile(x: Elements, q: number): number {
  const place = q * (x.length - 1);
  const low = Math.floor(place);
  return x[low]! * (1 - place + low) + (x[low + 1] ?? 0) * (place - low);
}

/** Records of sorting. */
export const SORT_OPS: Records<SortMethods<Tensor>, ReductionMethods<Tensor>> = {
  argsort: ARGSORT,
  sort: SORT,
  topk: TOPK,
  median: along(NUMERIC, 0, () => ({
    call: (axis, keep) => `x.median(${axis}, ${keep})`,
    run: (x, axis, keep) => x.median(axis, keep),
    f: (x) => x[Math.ceil(x.length / 2) - 1]!,
  })),
  quantile: along(FLOAT, 1e-5, (draw) => {
    const q = draw.pick([0.5, 0, 1, 0.25, 0.9]);
    return {
      call: (axis, keep) => `x.quantile(${q}, ${axis}, ${keep})`,
      run: (x, axis, keep) => x.quantile(q, axis, keep),
      f: (x) => quantile(x, q),
    };
  }),
};
