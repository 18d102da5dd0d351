/** @file Products of vectors and matrices. */
import * as composite from '../graph/composite/linear.ts';
import { ConvolutionMethods } from './convolution.ts';

/** Products of vectors and matrices, as methods. */
export abstract class LinearMethods<
  Self extends LinearMethods<Self>,
> extends ConvolutionMethods<Self> {
  /**
   * [..., M, K] · [..., K, N] → [..., M, N] with batch broadcasting; a vector [K] on the left is a row, on the right a
   * column, and gives no axis. Throws ShapeError.
   */
  matmul(other: Self): Self {
    return this.wrap(composite.matmul(this.node, other.node));
  }
  /** Σ xᵢ·yᵢ of two vectors. Throws ShapeError. */
  dot(other: Self): Self {
    return this.wrap(composite.dot(this.node, other.node));
  }
  /** [M] and [N] → xᵢ·yⱼ [M, N]. Throws ShapeError. */
  outer(other: Self): Self {
    return this.wrap(composite.outer(this.node, other.node));
  }
  /** Every element times all of `other`, as blocks: axis i has the product of both sizes. */
  kron(other: Self): Self {
    return this.wrap(composite.kron(this.node, other.node));
  }
  /**
   * Sum of products over `axes` of this and of `other`, of equal sizes in order; a number names so many last axes of this
   * and first of `other`. The other axes stay, this's first. Throws ShapeError.
   */
  tensordot(other: Self, axes: number | readonly [readonly number[], readonly number[]] = 2): Self {
    return this.wrap(composite.tensordot(this.node, other.node, axes));
  }
}
