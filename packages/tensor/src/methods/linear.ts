/** @file Products of matrices. */
import * as composite from '../graph/composite/linear.ts';
import { ConvolutionMethods } from './convolution.ts';

/** Products of matrices, as methods. */
export abstract class LinearMethods<
  Self extends LinearMethods<Self>,
> extends ConvolutionMethods<Self> {
  /** [..., M, K] · [..., K, N] → [..., M, N] with batch broadcasting. Throws ShapeError. */
  matmul(other: Self): Self {
    return this.wrap(composite.matmul(this.node, other.node));
  }
}
