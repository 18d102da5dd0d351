/** @file Records of look-ups by index. */
import type { IndexingMethods } from '../methods/indexing.ts';
import type { MovementMethods } from '../methods/movement.ts';
import type { Tensor } from '../tensor.ts';
import { at, fromIndex } from './host.ts';
import { NUMERIC, type OpRecord, type Records } from './record.ts';

const GATHER: OpRecord = {
  dtypes: NUMERIC,
  gradient: 'smooth',
  tolerance: 0,
  sample: (draw, dtype) => {
    const table = draw.shape(1, 3);
    table[0] = Math.max(1, table[0]!);
    const shape = draw.shape(0, 2, false, 32);
    return {
      inputs: [draw.array(table, dtype), draw.indices(shape, table[0])],
      call: 'x.gather(y)',
      run: ([x, y]) => x!.gather(y!),
      reference: ([x, y]) =>
        fromIndex([...shape, ...table.slice(1)], dtype, (index) => {
          const row = at(y!, index.slice(0, shape.length));
          return at(x!, [row, ...index.slice(shape.length)]);
        }),
    };
  },
};

/** Records of look-ups by index. */
export const INDEXING_OPS: Records<IndexingMethods<Tensor>, MovementMethods<Tensor>> = {
  gather: GATHER,
};
