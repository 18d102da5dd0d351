/** @file Reductions and what is made of them. */
import * as composite from '../graph/composite/reduction.ts';
import * as softmax from '../graph/composite/softmax.ts';
import { normalizeAxes } from '../shape.ts';
import type { Axes } from './base.ts';
import { ActivationMethods } from './activation.ts';

/** Reductions and what is made of them, as methods. */
export abstract class ReductionMethods<
  Self extends ReductionMethods<Self>,
> extends ActivationMethods<Self> {
  /** Sum over axes; of bools how many hold, i32. Integers wrap modulo 2³². */
  sum(axes?: Axes, keepDims = false): Self {
    return this.wrap(composite.sum(this.node, this.axes('sum', axes), keepDims));
  }
  /** Product over axes; its gradient is right where there are zeros. Integers wrap modulo 2³². */
  prod(axes?: Axes, keepDims = false): Self {
    return this.wrap(composite.prod(this.node, this.axes('prod', axes), keepDims));
  }
  /** Mean over axes, f32. Throws ShapeError over no elements. */
  mean(axes?: Axes, keepDims = false): Self {
    return this.wrap(composite.mean(this.node, this.axes('mean', axes), keepDims));
  }
  /**
   * Largest element over axes (PyTorch's `amax`): NaN where there is one; the gradient is shared by
   * equal maxima. Throws ShapeError over no elements.
   */
  max(axes?: Axes, keepDims = false): Self {
    return this.wrap(composite.max(this.node, this.axes('max', axes), keepDims));
  }
  /** Smallest element over axes (PyTorch's `amin`), like `max`. */
  min(axes?: Axes, keepDims = false): Self {
    return this.wrap(composite.min(this.node, this.axes('min', axes), keepDims));
  }
  /** Whether any element over axes is not 0, bool; false over no elements. */
  any(axes?: Axes, keepDims = false): Self {
    return this.wrap(composite.truth('any', this.node, this.axes('any', axes), keepDims));
  }
  /** Whether every element over axes is not 0, bool; true over no elements. */
  all(axes?: Axes, keepDims = false): Self {
    return this.wrap(composite.truth('all', this.node, this.axes('all', axes), keepDims));
  }
  /**
   * Variance over axes: squared distances from the mean over (count − correction). The default 0 is the
   * population's variance, as layer norms use it; PyTorch's `var` takes correction 1 by default.
   * Throws ShapeError unless there are more elements than `correction`.
   */
  variance(axes?: Axes, keepDims = false, correction = 0): Self {
    const list = this.axes('variance', axes);
    return this.wrap(composite.variance(this.node, list, keepDims, correction));
  }
  /** Standard deviation over axes, the root of `variance`; its gradient is 0 where it is 0. */
  std(axes?: Axes, keepDims = false, correction = 0): Self {
    return this.wrap(composite.std(this.node, this.axes('std', axes), keepDims, correction));
  }
  /**
   * p-norm over axes: (Σ |this|ᵖ)^(1/p); p = ±Infinity the largest or smallest |this|, p = 0 the number of
   * elements that are not 0. Its gradient is 0 where the norm is 0. Throws InputError for other p < 0.
   */
  norm(p = 2, axes?: Axes, keepDims = false): Self {
    return this.wrap(composite.norm(this.node, p, this.axes('norm', axes), keepDims));
  }
  /** Index of the first largest element along an axis, i32; NaN is the largest. */
  argmax(axis = -1, keepDims = false): Self {
    return this.wrap(composite.argExtremum('argmax', this.node, axis, keepDims));
  }
  /** Index of the first smallest element along an axis, i32; NaN is the smallest. */
  argmin(axis = -1, keepDims = false): Self {
    return this.wrap(composite.argExtremum('argmin', this.node, axis, keepDims));
  }
  /** Softmax along an axis. */
  softmax(axis = -1): Self {
    return this.wrap(softmax.softmax(this.node, axis));
  }
  /** Logarithm of the softmax along an axis. */
  logSoftmax(axis = -1): Self {
    return this.wrap(softmax.logSoftmax(this.node, axis));
  }
  /** log Σ exp over axes, −∞ where all are −∞. Throws ShapeError over no elements. */
  logSumExp(axes: Axes = -1, keepDims = false): Self {
    return this.wrap(softmax.logSumExp(this.node, this.axes('logSumExp', axes), keepDims));
  }

  private axes(op: string, axes: Axes): number[] {
    return normalizeAxes(op, axes, this.rank);
  }
}
