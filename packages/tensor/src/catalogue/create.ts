/** @file Records of the free functions that make tensors or join several. */
import type * as functions from '../create.ts';
import { concat, full, ones, scalar, stack, where, zeros } from '../create.ts';
import { sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import type { Draw } from './draw.ts';
import { at, fromIndex, map, type ElementType } from './host.ts';
import { ANY, type OpCase, type OpRecord } from './record.ts';

/** Free functions that are no operations: they take host data or rules. */
type Elsewhere = 'tensor' | 'customGradient';

function joining(name: 'concat' | 'stack'): OpRecord {
  const sample = (draw: Draw, dtype: ElementType): OpCase => {
    const shape = draw.shape(1, 3);
    const axis = draw.int(0, shape.length - 1);
    const sizes = name === 'stack' ? [0, 0, 0] : [draw.int(0, 4), draw.int(0, 4), draw.int(0, 4)];
    const part = (n: number): number[] =>
      shape.map((size, i) => (i === axis && name === 'concat' ? n : size));
    const starts = [0, sizes[0]!, sizes[0]! + sizes[1]!];
    const length = name === 'stack' ? 3 : starts[2]! + sizes[2]!;
    const whole = [
      ...shape.slice(0, axis),
      length,
      ...shape.slice(name === 'stack' ? axis : axis + 1),
    ];
    return {
      inputs: sizes.map((n) => draw.array(part(n), dtype)),
      call: `${name}([x, y, z], ${axis})`,
      run: (x) => (name === 'concat' ? concat(x, axis) : stack(x, axis)),
      reference: (x) =>
        fromIndex(whole, dtype, (index) => {
          const p = index[axis]!;
          const which =
            name === 'stack' ? p : starts.findLastIndex((start, i) => p >= start && sizes[i]! > 0);
          const inner =
            name === 'stack' ? index.toSpliced(axis, 1) : index.with(axis, p - starts[which]!);
          return at(x[which]!, inner);
        }),
    };
  };
  return { dtypes: ANY, gradient: 'smooth', tolerance: 0, sample };
}

/** The record of a function that makes a tensor from a shape alone. */
function filled(
  call: string,
  run: (shape: number[]) => Tensor,
  value: (i: number) => number,
): OpRecord {
  const sample = (draw: Draw): OpCase => {
    const shape = draw.shape();
    const data = Array.from({ length: sizeOf(shape) }, (_, i) => value(i));
    return {
      inputs: [],
      call: call.replace('shape', `[${shape.join(', ')}]`),
      run: () => run(shape),
      reference: () => ({ shape, dtype: 'f32', data }),
    };
  };
  return { dtypes: ['f32'], gradient: 'zero', tolerance: 0, sample };
}

const WHERE: OpRecord = {
  dtypes: ANY,
  gradient: 'smooth',
  tolerance: 0,
  sample: (draw, dtype) => {
    const shape = draw.shape();
    const operand = (): number[] => draw.broadcastTo(shape);
    return {
      inputs: [
        draw.array(shape, dtype),
        draw.array(operand(), dtype),
        draw.array(operand(), 'bool'),
      ],
      call: 'where(z, x, y)',
      run: ([x, y, z]) => where(z!, x!, y!),
      reference: ([x, y, z]) => map(dtype, (a, b, c) => (c ? a : b), x!, y!, z!),
    };
  },
};

/** Records of the free functions. */
export const CREATE_OPS: Readonly<Record<Exclude<keyof typeof functions, Elsewhere>, OpRecord>> = {
  zeros: filled(
    'zeros(shape)',
    (shape) => zeros(shape),
    () => 0,
  ),
  ones: filled(
    'ones(shape)',
    (shape) => ones(shape),
    () => 1,
  ),
  full: filled(
    'full(shape, 2.5)',
    (shape) => full(shape, 2.5),
    () => 2.5,
  ),
  scalar: filled(
    'scalar(3.5).expand(shape)',
    (shape) => scalar(3.5).expand(shape),
    () => 3.5,
  ),
  where: WHERE,
  concat: joining('concat'),
  stack: joining('stack'),
};
