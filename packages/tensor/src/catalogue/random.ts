/** @file Records of random numbers: their meaning is Philox on the host. */
import { bitsAt, uniformAt, type RandomKey } from '../philox.ts';
import type * as functions from '../random.ts';
import {
  randomBernoulli,
  randomBits,
  randomCategorical,
  randomExponential,
  randomGumbel,
  randomInteger,
  randomNormal,
  randomPermutation,
  randomUniform,
} from '../random.ts';
import { sizeOf, type Shape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import type { Draw } from './draw.ts';
import type { ElementType, HostArray } from './host.ts';
import { FLOAT, type OpCase, type OpRecord } from './record.ts';

function drawKey(draw: Draw): RandomKey {
  return [draw.int(0, 1_000_000), draw.int(0, 1_000_000)];
}

/** What one draw of a distribution is. */
interface Drawn {
  readonly call: string;
  readonly run: () => Tensor;
  readonly shape: Shape;
  /** Element `i` of the result. */
  readonly element: (i: number) => number;
}

/** A function that takes a shape and a key. */
function drawn(
  dtype: ElementType,
  tolerance: number,
  draws: (draw: Draw, shape: Shape, key: RandomKey) => Drawn,
): OpRecord {
  const sample = (draw: Draw): OpCase => {
    const { call, run, shape, element } = draws(draw, draw.shape(), drawKey(draw));
    const data = (): number[] => Array.from({ length: sizeOf(shape) }, (_, i) => element(i));
    return { inputs: [], call, run, reference: () => ({ shape, dtype, data: data() }) };
  };
  return { dtypes: FLOAT, gradient: dtype === 'f32' ? 'zero' : 'none', tolerance, sample };
}

const show = (list: readonly number[]): string => `[${list.join(', ')}]`;

/** −log(1 − u) of uniform u, of which 0 counts as 2⁻²⁵. */
const exponentialAt = (i: number, key: RandomKey): number =>
  -Math.log1p(-Math.max(uniformAt(i, key), 2 ** -25));

/** Element i by Box–Muller from draws i and i + n. */
function normalAt(i: number, n: number, key: RandomKey): number {
  const radius = Math.sqrt(-2 * Math.log1p(-uniformAt(i, key)));
  return radius * Math.cos(2 * Math.PI * uniformAt(i + n, key));
}

const BERNOULLI: OpRecord = {
  dtypes: FLOAT,
  gradient: 'none',
  tolerance: 0,
  sample: (draw) => {
    const shape = draw.shape();
    const key = drawKey(draw);
    const p = draw.array(shape, 'f32', 'positive');
    return {
      inputs: [{ ...p, data: p.data.map((v) => Math.fround(v / 9)) }],
      call: `randomBernoulli(x, ${show(key)})`,
      run: ([x]) => randomBernoulli(x!, key),
      reference: ([x]) => ({
        shape,
        dtype: 'bool',
        data: x!.data.map((v, i) => Number(uniformAt(i, key) < v)),
      }),
    };
  },
};

const CATEGORICAL: OpRecord = {
  dtypes: FLOAT,
  gradient: 'none',
  tolerance: 0,
  sample: (draw) => {
    const shape = draw.shape(1, 3, true, 512);
    const key = drawKey(draw);
    const samples = draw.pick([undefined, 0, 3]);
    const more = samples === undefined ? '' : `, ${samples}`;
    return {
      inputs: [draw.array(shape)],
      call: `randomCategorical(x, ${show(key)}${more})`,
      run: ([x]) => randomCategorical(x!, key, samples),
      reference: ([x]) => categorical(x!, key, samples),
    };
  },
};

function categorical(x: HostArray, key: RandomKey, samples: number | undefined): HostArray {
  const classes = x.shape.at(-1)!;
  const rows = x.shape.slice(0, -1);
  const shape = samples === undefined ? rows : [samples, ...rows];
  const data = Array.from({ length: sizeOf(shape) }, (_, row) => {
    const noisy = Array.from({ length: classes }, (__, c) => {
      const i = row * classes + c;
      return x.data[i % x.data.length]! - Math.log(exponentialAt(i, key));
    });
    return noisy.indexOf(Math.max(...noisy));
  });
  return { shape, dtype: 'i32', data };
}

/** Records of random numbers. */
export const RANDOM_OPS: Readonly<Record<keyof typeof functions, OpRecord>> = {
  randomUniform: drawn('f32', 1e-6, (draw, shape, key) => {
    const [low, high] = draw.pick([
      [0, 1],
      [-3, 5],
    ] as const);
    return {
      call: `randomUniform(${show(shape)}, ${show(key)}, ${low}, ${high})`,
      run: () => randomUniform(shape, key, low, high),
      shape,
      element: (i) => low + (high - low) * uniformAt(i, key),
    };
  }),
  randomNormal: drawn('f32', 2e-5, (draw, shape, key) => {
    const [mean, sd] = draw.pick([
      [0, 1],
      [2, 0.5],
    ] as const);
    return {
      call: `randomNormal(${show(shape)}, ${show(key)}, ${mean}, ${sd})`,
      run: () => randomNormal(shape, key, mean, sd),
      shape,
      element: (i) => mean + sd * normalAt(i, sizeOf(shape), key),
    };
  }),
  randomBits: drawn('u32', 0, (_draw, shape, key) => ({
    call: `randomBits(${show(shape)}, ${show(key)})`,
    run: () => randomBits(shape, key),
    shape,
    element: (i) => bitsAt(i, key),
  })),
  randomInteger: drawn('i32', 0, (draw, shape, key) => {
    const low = draw.int(-1000, 1000);
    const high = low + draw.pick([1, 2, 7, 1000, 2 ** 31 - 2000]);
    return {
      call: `randomInteger(${show(shape)}, ${show(key)}, ${low}, ${high})`,
      run: () => randomInteger(shape, key, low, high),
      shape,
      element: (i) => low + (bitsAt(i, key) % (high - low)),
    };
  }),
  randomBernoulli: BERNOULLI,
  randomPermutation: drawn('i32', 0, (draw, _shape, key) => {
    const n = draw.int(0, 70);
    const order = Array.from({ length: n }, (_, i) => i);
    order.sort((a, b) => bitsAt(a, key) - bitsAt(b, key));
    return {
      call: `randomPermutation(${n}, ${show(key)})`,
      run: () => randomPermutation(n, key),
      shape: [n],
      element: (i) => order[i]!,
    };
  }),
  randomExponential: drawn('f32', 1e-5, (draw, shape, key) => {
    const rate = draw.pick([1, 2.5]);
    return {
      call: `randomExponential(${show(shape)}, ${show(key)}, ${rate})`,
      run: () => randomExponential(shape, key, rate),
      shape,
      element: (i) => exponentialAt(i, key) / rate,
    };
  }),
  randomGumbel: drawn('f32', 1e-5, (_draw, shape, key) => ({
    call: `randomGumbel(${show(shape)}, ${show(key)})`,
    run: () => randomGumbel(shape, key),
    shape,
    element: (i) => -Math.log(exponentialAt(i, key)),
  })),
  randomCategorical: CATEGORICAL,
};
