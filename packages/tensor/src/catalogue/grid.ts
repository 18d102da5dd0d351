/** @file Records of the functions that make regular tensors. */
import type * as functions from '../grid.ts';
import { arange, eye, linspace, meshgrid } from '../grid.ts';
import { at, fromIndex } from './host.ts';
import { ANY, type OpRecord } from './record.ts';

const ARANGE: OpRecord = {
  dtypes: ['f32'],
  gradient: 'zero',
  tolerance: 1e-6,
  sample: (draw) => {
    const [start, end] = [draw.int(-20, 20), draw.int(20, 50)];
    const step = draw.pick([1, 2, 7, 0.5, 0.25]);
    const dtype = step < 1 ? 'f32' : 'i32';
    const data: number[] = [];
    for (let value = start; value < end; value += step) data.push(value);
    const plain = step === 1 && draw.flag();
    return {
      inputs: [],
      call: plain ? `arange(${end})` : `arange(${start}, ${end}, ${step})`,
      run: () => (plain ? arange(end) : arange(start, end, step)),
      reference: () => {
        const values = plain ? Array.from({ length: end }, (_, i) => i) : data;
        return { shape: [values.length], dtype, data: values };
      },
    };
  },
};

const LINSPACE: OpRecord = {
  dtypes: ['f32'],
  gradient: 'zero',
  tolerance: 1e-6,
  sample: (draw) => {
    const [start, end, steps] = [draw.int(-9, 9), draw.int(-9, 9), draw.int(0, 40)];
    return {
      inputs: [],
      call: `linspace(${start}, ${end}, ${steps})`,
      run: () => linspace(start, end, steps),
      reference: () =>
        fromIndex([steps], 'f32', ([i]) => start + ((end - start) * i!) / Math.max(1, steps - 1)),
    };
  },
};

const EYE: OpRecord = {
  dtypes: ['f32'],
  gradient: 'zero',
  tolerance: 0,
  sample: (draw) => {
    const [n, m] = [draw.int(0, 9), draw.int(0, 9)];
    return {
      inputs: [],
      call: `eye(${n}, ${m})`,
      run: () => eye(n, m),
      reference: () => fromIndex([n, m], 'f32', ([i, j]) => Number(i === j)),
    };
  },
};

const MESHGRID: OpRecord = {
  dtypes: ANY,
  gradient: 'smooth',
  tolerance: 0,
  sample: (draw, dtype) => {
    const sizes = [draw.int(1, 6), draw.int(1, 6), draw.int(1, 3)];
    const indexing = draw.flag() ? 'ij' : 'xy';
    const axes = indexing === 'ij' ? [0, 1, 2] : [1, 0, 2];
    const shape = axes.map((axis) => sizes[axis]!);
    return {
      inputs: sizes.map((n) => draw.array([n], dtype)),
      call: `meshgrid([x, y, z], '${indexing}')`,
      run: (x) => meshgrid(x, indexing),
      reference: (x) =>
        x.map((vector, i) => fromIndex(shape, dtype, (index) => at(vector, [index[axes[i]!]!]))),
    };
  },
};

/** Records of the functions that make regular tensors. */
export const GRID_OPS: Readonly<Record<keyof typeof functions, OpRecord>> = {
  arange: ARANGE,
  linspace: LINSPACE,
  eye: EYE,
  meshgrid: MESHGRID,
};
