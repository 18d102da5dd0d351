/** @file Sorting along an axis, and what is read off a sorted axis. */
import * as composite from '../graph/composite/sort.ts';
import type { Node } from '../graph/node.ts';
import { ReductionMethods } from './reduction.ts';

/** Sorting along an axis, as methods. */
export abstract class SortMethods<Self extends SortMethods<Self>> extends ReductionMethods<Self> {
  /** Indices that sort an axis, i32: equal elements keep their order, and NaN counts as the largest. */
  argsort(axis = -1, descending = false): Self {
    return this.wrap(composite.argsort(this.node, axis, descending));
  }
  /** The elements of an axis in order, as `argsort` has it, and the i32 indices they had. */
  sort(axis = -1, descending = false): [values: Self, indices: Self] {
    return this.pair(composite.sort(this.node, axis, descending));
  }
  /**
   * The `k` largest (or smallest) elements of an axis in order, and their i32 indices; of equal ones the first.
   * Throws ShapeError when the axis has fewer.
   */
  topk(k: number, axis = -1, largest = true): [values: Self, indices: Self] {
    return this.pair(composite.topk(this.node, k, axis, largest));
  }
  /** The middle element of an axis in order, of two the lower (as in PyTorch); NaN where there is one. */
  median(axis = -1, keepDims = false): Self {
    return this.wrap(composite.median(this.node, axis, keepDims));
  }
  /**
   * The value below which the share `q` of an axis lies, interpolated linearly; NaN where there is one. Throws
   * InputError unless 0 ≤ q ≤ 1.
   */
  quantile(q: number, axis = -1, keepDims = false): Self {
    return this.wrap(composite.quantile(this.node, q, axis, keepDims));
  }

  private pair([values, indices]: readonly [Node, Node]): [values: Self, indices: Self] {
    return [this.wrap(values), this.wrap(indices)];
  }
}
