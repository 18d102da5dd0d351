/** @file Records of the products of matrices. */
import { broadcastShapes } from '../shape.ts';
import type { ConvolutionMethods } from '../methods/convolution.ts';
import type { LinearMethods } from '../methods/linear.ts';
import type { Tensor } from '../tensor.ts';
import { at, fromIndex } from './host.ts';
import { FLOAT, type OpRecord, type Records } from './record.ts';

const MATMUL: OpRecord = {
  dtypes: FLOAT,
  gradient: 'smooth',
  tolerance: 2e-5,
  sample: (draw) => {
    const [m = 1, k = 1, n = 1] = draw.shape(3, 3);
    const batch = draw.shape(0, 2, false, 8);
    const a = [...draw.broadcastTo(batch), m, k];
    const b = [...draw.broadcastTo(batch), k, n];
    const outer = broadcastShapes('matmul', a.slice(0, -2), b.slice(0, -2));
    return {
      inputs: [draw.array(a), draw.array(b)],
      call: 'x.matmul(y)',
      run: ([x, y]) => x!.matmul(y!),
      reference: ([x, y]) =>
        fromIndex([...outer, m, n], 'f32', (index) => {
          const [head, i, j] = [index.slice(0, -2), index.at(-2)!, index.at(-1)!];
          let sum = 0;
          for (let p = 0; p < k; p++) sum += at(x!, [...head, i, p]) * at(y!, [...head, p, j]);
          return sum;
        }),
    };
  },
};

/** Records of the products of matrices. */
export const LINEAR_OPS: Records<LinearMethods<Tensor>, ConvolutionMethods<Tensor>> = {
  matmul: MATMUL,
};
