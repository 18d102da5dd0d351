/** @file Records of the products of vectors and matrices. */
import { broadcastShapes } from '../shape.ts';
import type { ConvolutionMethods } from '../methods/convolution.ts';
import type { LinearMethods } from '../methods/linear.ts';
import type { Tensor } from '../tensor.ts';
import { at, fromIndex, indicesOf, map } from './host.ts';
import { FLOAT, NUMERIC, type OpRecord, type Records } from './record.ts';
import { list } from './view.ts';

const MATMUL: OpRecord = {
  dtypes: FLOAT,
  gradient: 'smooth',
  tolerance: 2e-5,
  sample: (draw) => {
    const [m = 1, k = 1, n = 1] = draw.shape(3, 3);
    const batch = draw.shape(0, 2, false, 8);
    const a = draw.int(0, 4) === 4 ? [k] : [...draw.broadcastTo(batch), m, k];
    const b = draw.int(0, 4) === 4 ? [k] : [...draw.broadcastTo(batch), k, n];
    const outer = broadcastShapes('matmul', a.slice(0, -2), b.slice(0, -2));
    const rows = a.length > 1 ? [m] : [];
    const columns = b.length > 1 ? [n] : [];
    return {
      inputs: [draw.array(a), draw.array(b)],
      call: 'x.matmul(y)',
      run: ([x, y]) => x!.matmul(y!),
      reference: ([x, y]) =>
        fromIndex([...outer, ...rows, ...columns], 'f32', (index) => {
          const head = index.slice(0, outer.length);
          const i = index.slice(outer.length, outer.length + rows.length);
          const j = index.slice(outer.length + rows.length);
          let sum = 0;
          for (let p = 0; p < k; p++)
            sum += at(x!, [...head, ...i, p]) * at(y!, j.length > 0 ? [...head, p, ...j] : [p]);
          return sum;
        }),
    };
  },
};

const DOT: OpRecord = {
  dtypes: NUMERIC,
  gradient: 'smooth',
  tolerance: 2e-5,
  sample: (draw, dtype) => {
    const n = draw.int(0, 40);
    return {
      inputs: [draw.array([n], dtype), draw.array([n], dtype)],
      call: 'x.dot(y)',
      run: ([x, y]) => x!.dot(y!),
      reference: ([x, y]) => ({
        shape: [],
        dtype,
        data: [x!.data.reduce((sum, value, i) => sum + value * y!.data[i]!, 0)],
      }),
    };
  },
};

const OUTER: OpRecord = {
  dtypes: NUMERIC,
  gradient: 'smooth',
  tolerance: 1e-6,
  sample: (draw, dtype) => {
    const [n, m] = [draw.int(0, 9), draw.int(0, 9)];
    return {
      inputs: [draw.array([n], dtype), draw.array([m], dtype)],
      call: 'x.outer(y)',
      run: ([x, y]) => x!.outer(y!),
      reference: ([x, y]) =>
        map(dtype, (a, b) => a * b, { ...x!, shape: [n, 1] }, { ...y!, shape: [1, m] }),
    };
  },
};

const KRON: OpRecord = {
  dtypes: NUMERIC,
  gradient: 'smooth',
  tolerance: 1e-6,
  sample: (draw, dtype) => {
    const a = draw.shape(0, 2, true, 12);
    const b = draw.shape(0, 2, true, 12);
    const rank = Math.max(a.length, b.length);
    const full = (shape: readonly number[]): number[] => [
      ...new Array<number>(rank - shape.length).fill(1),
      ...shape,
    ];
    const [left, right] = [full(a), full(b)];
    return {
      inputs: [draw.array(a, dtype), draw.array(b, dtype)],
      call: 'x.kron(y)',
      run: ([x, y]) => x!.kron(y!),
      reference: ([x, y]) =>
        fromIndex(
          left.map((n, i) => n * right[i]!),
          dtype,
          (index) =>
            at(
              x!,
              index.map((p, i) => Math.floor(p / right[i]!)),
            ) *
            at(
              y!,
              index.map((p, i) => p % right[i]!),
            ),
        ),
    };
  },
};

const TENSORDOT: OpRecord = {
  dtypes: FLOAT,
  gradient: 'smooth',
  tolerance: 2e-5,
  sample: (draw) => {
    const inner = draw.shape(1, 2, true, 12);
    const [m, n] = [draw.shape(0, 1, true), draw.shape(0, 1, true)];
    // All of b's inner axes come last, in reverse order.
    const left = inner.map((_, i) => m.length + i);
    const right = inner.map((_, i) => n.length + inner.length - 1 - i);
    return {
      inputs: [draw.array([...m, ...inner]), draw.array([...n, ...inner.toReversed()])],
      call: `x.tensordot(y, [${list(left)}, ${list(right)}])`,
      run: ([x, y]) => x!.tensordot(y!, [left, right]),
      reference: ([x, y]) =>
        fromIndex([...m, ...n], 'f32', (index) => {
          const [i, j] = [index.slice(0, m.length), index.slice(m.length)];
          return indicesOf(inner).reduce(
            (sum, k) => sum + at(x!, [...i, ...k]) * at(y!, [...j, ...k.toReversed()]),
            0,
          );
        }),
    };
  },
};

/** Records of the products of vectors and matrices. */
export const LINEAR_OPS: Records<LinearMethods<Tensor>, ConvolutionMethods<Tensor>> = {
  matmul: MATMUL,
  dot: DOT,
  outer: OUTER,
  kron: KRON,
  tensordot: TENSORDOT,
};
