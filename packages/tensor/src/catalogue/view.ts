/** @file How records of views are written: which element of the input stands at an index of the result. */
import type { Shape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import type { Draw } from './draw.ts';
import { at, fromIndex, type ElementType, type HostArray } from './host.ts';
import { ANY, type OpCase, type OpRecord, type Records } from './record.ts';
import type { MovementMethods } from '../methods/movement.ts';
import type { ScanMethods } from '../methods/scan.ts';

/** A record for every view. */
export type ViewRecords = Records<MovementMethods<Tensor>, ScanMethods<Tensor>>;

/** One drawn view of an input. */
export interface View {
  readonly call: string;
  readonly run: (x: Tensor) => Tensor;
  readonly shape: Shape;
  /** Element of the result at an index. */
  readonly element: (x: HostArray, index: readonly number[]) => number;
}

/** The record of a view of `least` to `most` axes. */
export function view(
  least: number,
  draws: (draw: Draw, shape: number[]) => View,
  most = 4,
): OpRecord {
  const sample = (draw: Draw, dtype: ElementType): OpCase => {
    const input = draw.array(draw.shape(least, most), dtype);
    const { call, run, shape, element } = draws(draw, [...input.shape]);
    return {
      inputs: [input],
      call: `x.${call}`,
      run: ([x]) => run(x!),
      reference: ([x]) => fromIndex(shape, dtype, (index) => element(x!, index)),
    };
  };
  return { dtypes: ANY, gradient: 'smooth', tolerance: 0, sample };
}

/** The record of a view that only gives the same elements another shape. */
export function reshaping(
  least: number,
  draws: (draw: Draw, shape: number[]) => Omit<View, 'element'>,
): OpRecord {
  const position = (shape: Shape, index: readonly number[]): number =>
    index.reduce((p, i, axis) => p * shape[axis]! + i, 0);
  return view(least, (draw, from) => {
    const drawn = draws(draw, from);
    return { ...drawn, element: (x, index) => x.data[position(drawn.shape, index)]! };
  });
}

/** A list as a user writes it. */
export const list = (numbers: readonly number[]): string => `[${numbers.join(', ')}]`;

/** An axis counted from the start. */
export const positive = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** The record of a method that cuts an axis: `sizes` of its pieces, or `undefined` where the axis goes. */
export function cutting(
  draws: (
    draw: Draw,
    size: number,
  ) => { arguments: readonly string[]; sizes: readonly (number | undefined)[] },
  name: string,
  run: (x: Tensor, axis: number, sizes: readonly (number | undefined)[]) => Tensor[],
  filled = false,
): OpRecord {
  const sample = (draw: Draw, dtype: ElementType): OpCase => {
    const shape = draw.shape(1, 3, filled);
    const axis = draw.int(0, shape.length - 1);
    const { arguments: given, sizes } = draws(draw, shape[axis]!);
    return {
      inputs: [draw.array(shape, dtype)],
      call: `x.${name}(${[...given, axis].join(', ')})`,
      run: ([x]) => run(x!, axis, sizes),
      reference: ([x]) => {
        let start = 0;
        return sizes.map((size) => {
          const from = (start += size ?? 1) - (size ?? 1);
          const part = size === undefined ? shape.toSpliced(axis, 1) : shape.with(axis, size);
          return fromIndex(part, dtype, (index) => {
            const place =
              size === undefined
                ? index.toSpliced(axis, 0, from)
                : index.with(axis, index[axis]! + from);
            return at(x!, place);
          });
        });
      },
    };
  };
  return { dtypes: ANY, gradient: 'smooth', tolerance: 0, sample };
}
