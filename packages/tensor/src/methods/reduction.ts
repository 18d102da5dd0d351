/** @file Reductions and what is made of them. */
import * as composite from '../graph/composite/reduction.ts';
import { normalizeAxes } from '../shape.ts';
import type { Axes } from './base.ts';
import { ActivationMethods } from './activation.ts';

/** Reductions and what is made of them, as methods. */
export abstract class ReductionMethods<
  Self extends ReductionMethods<Self>,
> extends ActivationMethods<Self> {
  /** Sum over axes. */
  sum(axes?: Axes, keepDims = false): Self {
    return this.wrap(composite.sum(this.node, this.axes('sum', axes), keepDims));
  }
  /** Mean over axes. Throws ShapeError over no elements. */
  mean(axes?: Axes, keepDims = false): Self {
    return this.wrap(composite.mean(this.node, this.axes('mean', axes), keepDims));
  }
  /** Largest element over axes. Throws ShapeError over no elements. */
  max(axes?: Axes, keepDims = false): Self {
    return this.wrap(composite.max(this.node, this.axes('max', axes), keepDims));
  }
  /** Smallest element over axes. Throws ShapeError over no elements. */
  min(axes?: Axes, keepDims = false): Self {
    return this.wrap(composite.min(this.node, this.axes('min', axes), keepDims));
  }
  /** Population variance over axes (divides by the count). */
  variance(axes?: Axes, keepDims = false): Self {
    return this.wrap(composite.variance(this.node, this.axes('variance', axes), keepDims));
  }
  /** Index of the first largest element along an axis, i32. */
  argmax(axis = -1): Self {
    return this.wrap(composite.argmax(this.node, axis));
  }
  /** Softmax along an axis. */
  softmax(axis = -1): Self {
    return this.wrap(composite.softmax(this.node, axis));
  }
  /** Logarithm of the softmax along an axis. */
  logSoftmax(axis = -1): Self {
    return this.wrap(composite.logSoftmax(this.node, axis));
  }
  /** log Σ exp along an axis. */
  logSumExp(axis = -1, keepDims = false): Self {
    return this.wrap(composite.logSumExp(this.node, axis, keepDims));
  }

  private axes(op: string, axes: Axes): number[] {
    return normalizeAxes(op, axes, this.rank);
  }
}
