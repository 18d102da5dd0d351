/** @file Functions that make regular tensors: sequences, grids, the identity. */
import type { DType } from './dtype.ts';
import { ShapeError } from './errors.ts';
import * as build from './graph/build.ts';
import { eye as eyeNode } from './graph/composite/join.ts';
import { hostNumber } from './graph/composite/literal.ts';
import type { Node } from './graph/node.ts';
import { showShape } from './shape.ts';
import { Tensor } from './tensor.ts';

const { elementwise } = build;

/** 0, 1, …, n − 1. */
export function arange(n: number, dtype?: DType): Tensor;
/**
 * `start`, `start + step`, … before `end`: i32 where all three are whole, else f32. Throws ShapeError when the step
 * is 0 or leads away from the end.
 */
export function arange(start: number, end: number, step?: number, dtype?: DType): Tensor;
export function arange(first: number, second?: number | DType, step = 1, dtype?: DType): Tensor {
  if (typeof second !== 'number') return sequence(0, first, 1, second);
  return sequence(first, second, step, dtype);
}

function sequence(start: number, end: number, step: number, dtype: DType | undefined): Tensor {
  const length = Math.ceil((end - start) / step);
  if (!Number.isFinite(length) || length < 0)
    throw new ShapeError(`arange: steps of ${step} do not lead from ${start} to ${end}`);
  const whole = [start, end, step].every(Number.isInteger);
  const index = build.cast(build.iota([length]), whole ? 'i32' : 'f32');
  const scaled = step === 1 ? index : elementwise('mul', [index, hostNumber(step, index.dtype)]);
  const moved = start === 0 ? scaled : elementwise('add', [scaled, hostNumber(start, index.dtype)]);
  return Tensor.of(build.cast(moved, dtype ?? moved.dtype));
}

/**
 * `steps` numbers from `start` to `end`, both included, f32. As in PyTorch the second half is counted from the end,
 * so that the last number is exact. Throws ShapeError when `steps` is negative or not whole.
 */
export function linspace(start: number, end: number, steps: number): Tensor {
  if (!Number.isInteger(steps) || steps < 0)
    throw new ShapeError(`linspace: steps must be whole and not negative, not ${steps}`);
  const number = (value: number): Node => build.scalar(value, 'f32');
  const index = build.iota([steps]);
  const distance = number((end - start) / Math.max(1, steps - 1));
  const times = (count: Node): Node => elementwise('mul', [build.cast(count, 'f32'), distance]);
  const fromStart = elementwise('add', [number(start), times(index)]);
  const left = elementwise('sub', [build.constant(steps - 1, [], 'i32'), index]);
  const fromEnd = elementwise('sub', [number(end), times(left)]);
  const early = elementwise('lt', [index, build.constant(Math.max(1, steps / 2), [], 'i32')]);
  return Tensor.of(elementwise('where', [early, fromStart, fromEnd]));
}

/** [n, m] with ones on the main diagonal, zeros elsewhere. */
export function eye(n: number, m: number = n, dtype: DType = 'f32'): Tensor {
  return Tensor.of(build.cast(eyeNode(n, m), dtype));
}

/**
 * Coordinate tensors of the grid that vectors span: the i-th holds vector i along its own axis, repeated over the
 * others. `xy` exchanges the first two axes, as images have it. Throws ShapeError unless all are vectors.
 */
export function meshgrid(vectors: readonly Tensor[], indexing: 'ij' | 'xy' = 'ij'): Tensor[] {
  const wrong = vectors.find(({ rank }) => rank !== 1);
  if (wrong) throw new ShapeError(`meshgrid: takes vectors, got ${showShape(wrong.shape)}`);
  const order = vectors.map((_, i) =>
    indexing === 'xy' && i < 2 && vectors.length > 1 ? 1 - i : i,
  );
  const shape = order.map((i) => vectors[i]!.size);
  return vectors.map((vector, i) => {
    const own = shape.map((_, axis) => (order[axis] === i ? vector.size : 1));
    return vector.reshape(own).expand(shape);
  });
}
