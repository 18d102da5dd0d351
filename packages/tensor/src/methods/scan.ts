/** @file Running totals along an axis. */
import * as composite from '../graph/composite/scan.ts';
import type { ScanOptions } from '../graph/composite/scan.ts';
import { SortMethods } from './sort.ts';

/** Running totals along an axis, as methods. */
export abstract class ScanMethods<Self extends ScanMethods<Self>> extends SortMethods<Self> {
  /** Running sum along an axis; bools are counted in i32. Integers wrap modulo 2³². */
  cumsum(axis = -1, options?: ScanOptions): Self {
    return this.wrap(composite.cumsum(this.node, axis, options));
  }
  /** Running product along an axis; its gradient is right where there are zeros. */
  cumprod(axis = -1, options?: ScanOptions): Self {
    return this.wrap(composite.cumprod(this.node, axis, options));
  }
  /**
   * The largest so far along an axis, and the i32 index where it was last met. A NaN stays the largest.
   * The gradient goes to the element at that index.
   */
  cummax(axis = -1): [values: Self, indices: Self] {
    return this.extremum('cummax', axis);
  }
  /** The smallest so far along an axis, and its index, like `cummax`. */
  cummin(axis = -1): [values: Self, indices: Self] {
    return this.extremum('cummin', axis);
  }
  /** Running log Σ exp along an axis. */
  logcumsumexp(axis = -1): Self {
    return this.wrap(composite.logcumsumexp(this.node, axis));
  }

  private extremum(name: 'cummax' | 'cummin', axis: number): [values: Self, indices: Self] {
    const [values, indices] = composite.cumExtremum(name, this.node, axis);
    return [this.wrap(values), this.wrap(indices)];
  }
}
