/** @file Records of the running totals. */

import type { ScanMethods } from '../methods/scan.ts';
import type { SortMethods } from '../methods/sort.ts';
import type { Tensor } from '../tensor.ts';
import type { Draw } from './draw.ts';
import { transformAlong, wrapped, type ElementType } from './host.ts';
import { ANY, FLOAT, NUMERIC, type OpCase, type OpRecord, type Records } from './record.ts';
import { logSumExp } from './reduction.ts';

type Elements = readonly number[];

function drawShape(draw: Draw): { shape: number[]; axis: number } {
  const shape = draw.shape(1, 3);
  return { shape, axis: draw.axis(shape.length) };
}

/** Bools are counted and multiplied as i32. */
const counted = (dtype: ElementType): ElementType => (dtype === 'bool' ? 'i32' : dtype);

/** All prefixes of a list, the element itself included. */
const prefixes = (x: Elements): Elements[] => x.map((_, i) => x.slice(0, i + 1));

/** cumsum and cumprod. */
function running(name: 'cumsum' | 'cumprod', identity: number): OpRecord {
  const sample = (draw: Draw, dtype: ElementType): OpCase => {
    const { shape, axis } = drawShape(draw);
    const options = { exclusive: draw.flag(), reverse: draw.flag() };
    const type = counted(dtype);
    const step = (a: number, b: number): number =>
      wrapped(name === 'cumsum' ? a + b : type === 'f32' ? a * b : Math.imul(a, b), type);
    const input = draw.array(shape, dtype);
    // Products of f32 stay in range: ±2, ±½ and a zero now and then.
    const factors = input.data.map((v) => (v > 3.9 ? 0 : Math.sign(v) * (v % 1 > 0 ? 2 : 0.5)));
    return {
      inputs: [name === 'cumprod' && dtype === 'f32' ? { ...input, data: factors } : input],
      call: `x.${name}(${axis}, { exclusive: ${options.exclusive}, reverse: ${options.reverse} })`,
      run: ([x]) => x![name](axis, options),
      reference: ([x]) =>
        transformAlong(x!, axis, (e) => accumulate(e, step, identity, options), type),
    };
  };
  return { dtypes: ANY, gradient: 'smooth', tolerance: 2e-5, sample };
}

function accumulate(
  x: Elements,
  step: (a: number, b: number) => number,
  identity: number,
  options: { exclusive: boolean; reverse: boolean },
): number[] {
  const list = options.reverse ? x.toReversed() : [...x];
  let total = identity;
  const totals = list.map((v) => {
    const before = total;
    total = step(total, v);
    return options.exclusive ? before : total;
  });
  return options.reverse ? totals.toReversed() : totals;
}

/** cummax and cummin: values and indices. */
function extremum(name: 'cummax' | 'cummin', best: (elements: Elements) => number): OpRecord {
  const sample = (draw: Draw, dtype: ElementType): OpCase => {
    const { shape, axis } = drawShape(draw);
    const values = (x: Elements): number[] => prefixes(x).map(best);
    return {
      inputs: [draw.distinct(shape, dtype)],
      call: `x.${name}(${axis})`,
      run: ([x]) => x![name](axis),
      reference: ([x]) => [
        transformAlong(x!, axis, values),
        transformAlong(x!, axis, (e) => values(e).map((v, i) => e.lastIndexOf(v, i)), 'i32'),
      ],
    };
  };
  return { dtypes: NUMERIC, gradient: 'smooth', tolerance: 0, sample };
}

const LOGCUMSUMEXP: OpRecord = {
  dtypes: FLOAT,
  gradient: 'smooth',
  tolerance: 1e-5,
  sample: (draw) => {
    const { shape, axis } = drawShape(draw);
    return {
      inputs: [draw.array(shape)],
      call: `x.logcumsumexp(${axis})`,
      run: ([x]) => x!.logcumsumexp(axis),
      reference: ([x]) => transformAlong(x!, axis, (e) => prefixes(e).map(logSumExp)),
    };
  },
};

/** Records of the running totals. */
export const SCAN_OPS: Records<ScanMethods<Tensor>, SortMethods<Tensor>> = {
  cumsum: running('cumsum', 0),
  cumprod: running('cumprod', 1),
  cummax: extremum('cummax', (x) => Math.max(...x)),
  cummin: extremum('cummin', (x) => Math.min(...x)),
  logcumsumexp: LOGCUMSUMEXP,
};
