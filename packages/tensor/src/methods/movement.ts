/** @file Views: other shapes and orders of the same elements. */
import * as build from '../graph/build.ts';
import * as join from '../graph/composite/join.ts';
import type { PadMode } from '../graph/composite/join.ts';
import * as views from '../graph/composite/movement.ts';
import { DTypeError, ShapeError } from '../errors.ts';
import { isFloat } from '../dtype.ts';
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
import { ScanMethods } from './scan.ts';

/** Views: other shapes and orders of the same elements, as methods. */
export abstract class MovementMethods<
  Self extends MovementMethods<Self>,
> extends ScanMethods<Self> {
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
    return this.wrap(views.slice(this.node, axis, start, end, step));
  }
  /** Each of these axes (all, unless named) back to front. */
  flip(axes?: Axes): Self {
    return this.wrap(views.flip(this.node, normalizeAxes('flip', axes, this.rank)));
  }
  /**
   * Adds elements before and after each axis: of one value, or the axis's own (`reflect` mirrors without repeating the
   * edge, `replicate` repeats the edge, `circular` continues at the other end). With a value, `interior` elements
   * of it also come between any two neighbours of an axis. Throws ShapeError on negative counts and where an axis is
   * too short for the mode.
   */
  pad(
    before: readonly number[],
    after: readonly number[],
    fill: number | PadMode = 0,
    interior?: readonly number[],
  ): Self {
    if (typeof fill === 'number')
      return this.wrap(build.pad(this.node, before, after, fill, interior));
    if (interior) throw new ShapeError(`pad: ${fill} has no elements to put between others`);
    return this.wrap(join.padAround(this.node, before, after, fill));
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
  /** `length` elements of an axis from `start` on; a view. Throws ShapeError outside the axis. */
  narrow(axis: number, start: number, length: number): Self {
    return this.wrap(views.narrow(this.node, axis, start, length));
  }
  /** What stands at `index` of an axis; the axis goes. Throws ShapeError outside the axis. */
  select(axis: number, index: number): Self {
    return this.wrap(views.select(this.node, axis, index));
  }
  /** Views of `size` elements each along an axis (the last may be smaller), or of the sizes listed. */
  split(size: number | readonly number[], axis = 0): Self[] {
    const total = this.shape[normalizeAxis('split', axis, this.rank)]!;
    const sizes = typeof size === 'number' ? views.pieces('split', total, size) : size;
    return views.split(this.node, sizes, axis).map((node) => this.wrap(node));
  }
  /** At most `count` views of equal size along an axis, the last perhaps smaller. */
  chunk(count: number, axis = 0): Self[] {
    const total = this.shape[normalizeAxis('chunk', axis, this.rank)]!;
    return this.split(Math.max(1, Math.ceil(total / count)), axis);
  }
  /** What stands at each index of an axis; the axis goes. */
  unbind(axis = 0): Self[] {
    const total = this.shape[normalizeAxis('unbind', axis, this.rank)]!;
    return Array.from({ length: total }, (_, i) => this.select(axis, i));
  }
  /** Axes moved to other places; those not named keep their order. */
  movedim(source: number | readonly number[], destination: number | readonly number[]): Self {
    return this.wrap(views.movedim(this.node, [source].flat(), [destination].flat()));
  }
  /** Exchanges two axes: `transpose` under NumPy's name. */
  swapaxes(a: number, b: number): Self {
    return this.transpose(a, b);
  }
  /** `expand` under NumPy's name. */
  broadcastTo(shape: Shape): Self {
    return this.expand(shape);
  }
  /** One axis as several; one size may be −1. The opposite of `flatten`. */
  unflatten(axis: number, sizes: Shape): Self {
    const size = this.shape[normalizeAxis('unflatten', axis, this.rank)]!;
    return this.wrap(views.unflatten(this.node, axis, inferSize(sizes, [size])));
  }
  /** Turns axes by `shifts` places: what leaves at the end comes in at the beginning. Without axes, as one row. */
  roll(shifts: number | readonly number[], axes?: number | readonly number[]): Self {
    if (axes === undefined && typeof shifts === 'number')
      return this.flatten().roll(shifts, 0).reshape(this.shape);
    const [by, along] = [[shifts].flat(), [axes ?? []].flat()];
    if (by.length !== along.length)
      throw new ShapeError(`roll: ${by.length} shifts for ${along.length} axes`);
    return this.wrap(by.reduce((node, shift, i) => join.roll(node, shift, along[i]!), this.node));
  }
  /** The whole repeated `times[i]` times along axis i, leading axes added as needed (PyTorch's and NumPy's tile). */
  tile(times: readonly number[]): Self {
    return this.wrap(views.tile(this.node, times));
  }
  /** `tile` under PyTorch's other name, which wants a count for every axis. */
  repeat(times: readonly number[]): Self {
    if (times.length < this.rank)
      throw new ShapeError(`repeat: wants a count for each of ${this.rank} axes; use tile`);
    return this.tile(times);
  }
  /** Each element `repeats` times in a row along an axis; without one, of all elements as one row. */
  repeatInterleave(repeats: number, axis?: number): Self {
    if (axis === undefined) return this.flatten().repeatInterleave(repeats, 0);
    const a = normalizeAxis('repeatInterleave', axis, this.rank);
    return this.wrap(views.repeatEach(this.node, repeats, a));
  }
  /** A diagonal of two axes, which go, as the last axis; `offset` > 0 lies above the main one. */
  diagonal(offset = 0, axis1 = 0, axis2 = 1): Self {
    return this.wrap(views.diagonal(this.node, offset, axis1, axis2));
  }
  /** The last axis as a diagonal of square matrices [..., N, N], zeros elsewhere. */
  diagEmbed(offset = 0): Self {
    return this.wrap(join.diagEmbed(this.node, offset));
  }
  /** Of a vector the matrix with it as diagonal, of a matrix its diagonal. Throws ShapeError for other ranks. */
  diag(offset = 0): Self {
    if (this.rank !== 1 && this.rank !== 2)
      throw new ShapeError(`diag: takes a vector or a matrix, got ${showShape(this.shape)}`);
    return this.rank === 1 ? this.diagEmbed(offset) : this.diagonal(offset);
  }
  /** Sum of the main diagonal of a matrix. */
  trace(): Self {
    if (this.rank !== 2)
      throw new ShapeError(`trace: takes a matrix, got ${showShape(this.shape)}`);
    return this.diagonal().sum();
  }
  /** Matrices [..., M, N] with zeros above diagonal `diagonal`. */
  tril(diagonal = 0): Self {
    return this.wrap(join.triangle('tril', this.node, diagonal, true));
  }
  /** Matrices [..., M, N] with zeros below diagonal `diagonal`. */
  triu(diagonal = 0): Self {
    return this.wrap(join.triangle('triu', this.node, diagonal, false));
  }
  /** i32 with a new last axis of `classes`: 1 at the class that the element names, 0 elsewhere. */
  oneHot(classes: number): Self {
    if (isFloat(this.dtype)) throw new DTypeError(`oneHot: takes whole numbers, got ${this.dtype}`);
    return this.wrap(join.oneHot(this.node, classes));
  }
  /**
   * Windows of `size` elements along an axis, `step` apart, as a view: the axis counts windows, a new last axis their
   * elements. `dilation` is the distance of elements inside a window. Throws ShapeError where none fits.
   */
  unfold(axis: number, size: number, step: number, dilation = 1): Self {
    return this.wrap(views.unfold(this.node, axis, size, step, dilation));
  }
}
