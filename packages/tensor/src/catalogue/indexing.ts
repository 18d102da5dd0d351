/** @file Records of look-ups and updates by index. */
import type { IndexingMethods } from '../methods/indexing.ts';
import type { MovementMethods } from '../methods/movement.ts';
import type { Shape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import type { Draw } from './draw.ts';
import {
  at,
  fromIndex,
  indicesOf,
  map,
  wrapped,
  type ElementType,
  type HostArray,
} from './host.ts';
import { ANY, NUMERIC, type OpCase, type OpRecord, type Records } from './record.ts';

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

/** A shape with an axis that is not empty. */
function withAxis(draw: Draw): { shape: number[]; axis: number } {
  const shape = draw.shape(1, 3);
  const axis = draw.int(0, shape.length - 1);
  return { shape: shape.with(axis, Math.max(1, shape[axis]!)), axis };
}

const INDEX_SELECT: OpRecord = {
  dtypes: ANY,
  gradient: 'smooth',
  tolerance: 0,
  sample: (draw, dtype) => {
    const { shape, axis } = withAxis(draw);
    const count = draw.int(0, 12);
    return {
      inputs: [draw.array(shape, dtype), draw.indices([count], shape[axis]!)],
      call: `x.indexSelect(${axis}, y)`,
      run: ([x, y]) => x!.indexSelect(axis, y!),
      reference: ([x, y]) =>
        fromIndex(shape.with(axis, count), dtype, (index) =>
          at(x!, index.with(axis, y!.data[index[axis]!]!)),
        ),
    };
  },
};

const TAKE_ALONG_AXIS: OpRecord = {
  dtypes: ANY,
  gradient: 'smooth',
  tolerance: 1e-5,
  sample: (draw, dtype) => {
    const { shape, axis } = withAxis(draw);
    const count = draw.int(0, 12);
    const one = draw.int(-1, shape.length - 1);
    const index = shape.map((n, i) => (i === axis ? count : i === one ? 1 : n));
    return {
      inputs: [draw.array(shape, dtype), draw.indices(index, shape[axis]!)],
      call: `x.takeAlongAxis(y, ${axis})`,
      run: ([x, y]) => x!.takeAlongAxis(y!, axis),
      reference: ([x, y]) =>
        fromIndex(shape.with(axis, count), dtype, (place) =>
          at(x!, place.with(axis, at(y!, place))),
        ),
    };
  },
};

/** `before` changed by `update` at the place along `axis` that each index names, in row-major order of the indices. */
function updated(
  before: HostArray,
  axis: number,
  index: HostArray,
  source: HostArray,
  update: (old: number, value: number) => number,
): HostArray {
  const data = [...before.data];
  const position = (place: readonly number[]): number =>
    place.reduce((p, i, a) => p * before.shape[a]! + i, 0);
  for (const place of indicesOf(index.shape)) {
    const to = position(place.with(axis, at(index, place)));
    data[to] = wrapped(update(data[to]!, at(source, place)), before.dtype);
  }
  return { ...before, data };
}

function scattering(name: 'scatter' | 'scatterAdd'): OpRecord {
  const sample = (draw: Draw, dtype: ElementType): OpCase => {
    const { shape, axis } = withAxis(draw);
    const smaller = draw.flag();
    const index: Shape = shape.map((n, i) =>
      i === axis ? draw.int(0, 12) : smaller ? draw.int(0, n) : n,
    );
    const sum = (a: number, b: number): number => a + b;
    return {
      inputs: [
        draw.array(shape, dtype),
        draw.array(index, dtype),
        draw.indices(index, shape[axis]!),
      ],
      call: `x.${name}(${axis}, z, y)`,
      run: ([x, y, z]) => x![name](axis, z!, y!),
      reference: ([x, y, z]) =>
        updated(x!, axis, z!, y!, name === 'scatterAdd' ? sum : (_, value) => value),
    };
  };
  const dtypes = name === 'scatter' ? ANY : NUMERIC;
  return { dtypes, gradient: 'smooth', tolerance: name === 'scatter' ? 0 : 1e-5, sample };
}

const INDEX_ADD: OpRecord = {
  dtypes: NUMERIC,
  gradient: 'smooth',
  tolerance: 1e-5,
  sample: (draw, dtype) => {
    const { shape, axis } = withAxis(draw);
    const count = draw.int(0, 12);
    const source = shape.with(axis, count);
    return {
      inputs: [
        draw.array(shape, dtype),
        draw.array(source, dtype),
        draw.indices([count], shape[axis]!),
      ],
      call: `x.indexAdd(${axis}, z, y)`,
      run: ([x, y, z]) => x!.indexAdd(axis, z!, y!),
      reference: ([x, y, z]) => {
        const spread = fromIndex(source, 'i32', (index) => z!.data[index[axis]!]!);
        return updated(x!, axis, spread, y!, (a, b) => a + b);
      },
    };
  },
};

const MASKED_FILL: OpRecord = {
  dtypes: NUMERIC,
  gradient: 'smooth',
  tolerance: 0,
  sample: (draw, dtype) => {
    const shape = draw.shape();
    return {
      inputs: [draw.array(shape, dtype), draw.array(draw.broadcastTo(shape), 'bool')],
      call: 'x.maskedFill(y, 3)',
      run: ([x, y]) => x!.maskedFill(y!, 3),
      reference: ([x, y]) => map(dtype, (a, b) => (b ? 3 : a), x!, y!),
    };
  },
};

/** Records of look-ups and updates by index. */
export const INDEXING_OPS: Records<IndexingMethods<Tensor>, MovementMethods<Tensor>> = {
  gather: GATHER,
  indexSelect: INDEX_SELECT,
  takeAlongAxis: TAKE_ALONG_AXIS,
  scatterAdd: scattering('scatterAdd'),
  scatter: scattering('scatter'),
  indexAdd: INDEX_ADD,
  maskedFill: MASKED_FILL,
};
