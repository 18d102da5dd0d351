/** @file The linear layer y = x·Wᵀ + b, with PyTorch's layout of the weight. */
import { ShapeError, showShape, type Tensor } from '@camada/tensor';
import type { Context } from '../context.ts';
import { zeroParameter } from './parameter.ts';

/** A layer from one tensor to one tensor: what may stand where a Linear stood. */
export interface Layer {
  call(x: Tensor, context: Context): Tensor;
}

/** y = x·Wᵀ + b. */
export class Linear implements Layer {
  /** [out, in]. */
  readonly weight: Tensor;
  /** [out]. */
  readonly bias?: Tensor;

  /** A layer of zeros, to be loaded or initialised. */
  constructor(inFeatures: number, outFeatures: number, bias: boolean = true) {
    this.weight = zeroParameter([outFeatures, inFeatures]);
    if (bias) this.bias = zeroParameter([outFeatures]);
  }

  /** Size of the last axis of the input. */
  get inFeatures(): number {
    return this.weight.shape[1]!;
  }

  /** Size of the last axis of the output. */
  get outFeatures(): number {
    return this.weight.shape[0]!;
  }

  /** [..., in] to [..., out]. Throws ShapeError when the last axis does not fit. */
  call(x: Tensor, _context?: Context): Tensor {
    if (x.shape.at(-1) !== this.inFeatures)
      throw new ShapeError(
        `Linear: input ${showShape(x.shape)} must end in ${this.inFeatures}, the weight is ` +
          showShape(this.weight.shape),
      );
    return linear(x, this.weight, this.bias);
  }
}

/**
 * x·Wᵀ + b for x [..., in], W [out, in], b [out]. Leading axes are folded into rows first: one large matmul,
 * and a weight gradient that sums over rows inside it.
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const rows = x.rank === 2 ? x : x.reshape([-1, x.shape.at(-1)!]); // [N, in]
  const product = rows.matmul(weight.transpose(0, 1)); // [N, out]
  const y = bias ? product.add(bias) : product;
  return x.rank === 2 ? y : y.reshape([...x.shape.slice(0, -1), weight.shape[0]!]);
}
