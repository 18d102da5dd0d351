/** @file Look-up and update by index. */
import * as build from '../graph/build.ts';
import * as composite from '../graph/composite/indexing.ts';
import { MovementMethods } from './movement.ts';

/**
 * Look-up and update by index, as methods. An index outside its axis throws IndexError while the indices are host data that
 * was not uploaded yet; computed on the device it is clamped where it reads and ignored where it writes.
 */
export abstract class IndexingMethods<
  Self extends IndexingMethods<Self>,
> extends MovementMethods<Self> {
  /** Rows of this table [V, ...rest] by i32 indices [...n] → [...n, ...rest]. */
  gather(indices: Self): Self {
    composite.checkIndices('gather', indices.node, this.shape[0] ?? 0);
    return this.wrap(build.gather(this.node, indices.node));
  }
  /** What stands at each index (a vector) of an axis, in the order of the indices. Throws ShapeError. */
  indexSelect(axis: number, index: Self): Self {
    return this.wrap(composite.indexSelect(this.node, axis, index.node));
  }
  /**
   * At each place the element that `indices` names along `axis`: `torch.gather`, and `take_along_dim` where other axes
   * broadcast. Throws ShapeError unless the ranks are equal.
   */
  takeAlongAxis(indices: Self, axis: number): Self {
    return this.wrap(composite.takeAlongAxis(this.node, indices.node, axis));
  }
  /**
   * This plus `source` at the places along `axis` that `index` names: `torch.scatter_add`. `source` may be larger than
   * `index`, or a scalar tensor. Throws ShapeError.
   */
  scatterAdd(axis: number, index: Self, source: Self | number): Self {
    return this.wrap(composite.scatterAdd(this.node, axis, index.node, this.operand(source)));
  }
  /**
   * This with `source` at the places along `axis` that `index` names: `torch.scatter`. Where several name one place the
   * last in row-major order of `index` stays (PyTorch leaves that open). Throws ShapeError.
   */
  scatter(axis: number, index: Self, source: Self | number): Self {
    return this.wrap(composite.scatter(this.node, axis, index.node, this.operand(source)));
  }
  /** This plus the slices of `source` at the indices (a vector) of an axis. Throws ShapeError. */
  indexAdd(axis: number, index: Self, source: Self): Self {
    return this.wrap(composite.indexAdd(this.node, axis, index.node, source.node));
  }
  /** `value` where the bool mask holds, this elsewhere; broadcasts. */
  maskedFill(mask: Self, value: Self | number): Self {
    return this.wrap(build.elementwise('where', [mask.node, this.operand(value), this.node]));
  }
}
