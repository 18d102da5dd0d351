/** @file Views: other shapes and orders of the same elements. */
import * as build from '../graph/build.ts';
import { ShapeError } from '../errors.ts';
import { inferSize, normalizeAxis, reducedShape, showShape, sizeOf, type Shape } from '../shape.ts';
import { ReductionMethods } from './reduction.ts';

/** Views: other shapes and orders of the same elements, as methods. */
export abstract class MovementMethods<
  Self extends MovementMethods<Self>,
> extends ReductionMethods<Self> {
  /** The same elements under another shape; one size may be −1. */
  reshape(shape: Shape): Self {
    return this.wrap(build.reshape(this.node, inferSize(shape, this.shape)));
  }
  /** Axis i of the result is axis `order[i]`. */
  permute(order: readonly number[]): Self {
    return this.wrap(build.permute(this.node, order));
  }
  /** Exchanges two axes. */
  transpose(a = -2, b = -1): Self {
    const order = this.shape.map((_, i) => i);
    const x = normalizeAxis('transpose', a, this.rank);
    const y = normalizeAxis('transpose', b, this.rank);
    [order[x], order[y]] = [y, x];
    return this.permute(order);
  }
  /** Broadcasts to a shape without copying. */
  expand(shape: Shape): Self {
    return this.wrap(build.expand(this.node, shape));
  }
  /** Elements `start` to `end` (exclusive) of an axis; negative positions count from its end. */
  slice(axis: number, start: number, end: number = this.shape.at(axis) ?? 0): Self {
    const a = normalizeAxis('slice', axis, this.rank);
    const size = this.shape[a]!;
    const from = start < 0 ? start + size : start;
    const to = end < 0 ? end + size : end;
    const ranges = this.shape.map((n, i) =>
      i === a ? { start: from, length: to - from } : { start: 0, length: n },
    );
    return this.wrap(build.slice(this.node, ranges));
  }
  /** Adds elements of `value` before and after each axis. */
  pad(before: readonly number[], after: readonly number[], value = 0): Self {
    return this.wrap(build.pad(this.node, before, after, value));
  }
  /** Inserts an axis of size 1. */
  unsqueeze(axis: number): Self {
    const a = normalizeAxis('unsqueeze', axis, this.rank + 1);
    return this.reshape([...this.shape.slice(0, a), 1, ...this.shape.slice(a)]);
  }
  /** Removes an axis of size 1. Throws ShapeError when it has another size. */
  squeeze(axis: number): Self {
    const a = normalizeAxis('squeeze', axis, this.rank);
    if (this.shape[a] !== 1)
      throw new ShapeError(`squeeze: axis ${axis} of ${showShape(this.shape)} is not 1`);
    return this.reshape(reducedShape(this.shape, [a], false));
  }
  /** Joins axes `from` to `to` (inclusive) into one; a scalar becomes [1]. */
  flatten(from = 0, to = -1): Self {
    if (this.rank === 0) return this.reshape([1]);
    const a = normalizeAxis('flatten', from, this.rank);
    const b = normalizeAxis('flatten', to, this.rank);
    const joined = sizeOf(this.shape.slice(a, b + 1));
    return this.reshape([...this.shape.slice(0, a), joined, ...this.shape.slice(b + 1)]);
  }
}
