/** @file Views: other shapes and orders of the same elements. */
import * as build from '../graph/build.ts';
import * as composite from '../graph/composite/movement.ts';
import { ShapeError } from '../errors.ts';
import {
  inferSize,
  normalizeAxes,
  normalizeAxis,
  reducedShape,
  showShape,
  sizeOf,
  type Shape,
} from '../shape.ts';
import type { Axes } from './base.ts';
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
  /**
   * Elements `start`, `start + step`, … before `end` of an axis, as Python's `start:end:step`. Negative positions
   * count from the end of the axis; a negative step runs backwards, without `end` to the first element.
   * Throws ShapeError for positions outside the axis, where Python would cut them off.
   */
  slice(axis: number, start: number, end?: number, step = 1): Self {
    return this.wrap(composite.slice(this.node, axis, start, end, step));
  }
  /** Each of these axes (all, unless named) back to front. */
  flip(axes?: Axes): Self {
    return this.wrap(composite.flip(this.node, normalizeAxes('flip', axes, this.rank)));
  }
  /** Adds elements of `value` before and after each axis, and `interior` between any two neighbours. */
  pad(
    before: readonly number[],
    after: readonly number[],
    value = 0,
    interior?: readonly number[],
  ): Self {
    return this.wrap(build.pad(this.node, before, after, value, interior));
  }
  /**
   * Skews one axis against another: with i and j the indices on `axis` and `along`, element (i, j) of the result is
   * element (i + by·j, j) of this (counted from the end of what fits where `by` is negative). `axis` gets
   * |by| · (size of `along` − 1) shorter. Sliding windows, and sums over diagonals, are made of this.
   */
  shear(axis: number, along: number, by = 1): Self {
    const a = normalizeAxis('shear', axis, this.rank);
    return this.wrap(build.shear(this.node, a, normalizeAxis('shear', along, this.rank), by));
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
