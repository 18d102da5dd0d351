/** @file GPT-2's linear layer, y = x·W + b: the weight is stored the other way round than Linear's. */
import { ShapeError, showShape, type Tensor } from '@camada/tensor';
import type { Layer } from './linear.ts';
import { zeroParameter } from './parameter.ts';

/** y = x·W + b, Transformers' `Conv1D`. */
export class Conv1D implements Layer {
  /** [in, out]. */
  readonly weight: Tensor;
  /** [out]. */
  readonly bias: Tensor;

  /** A layer of zeros, to be loaded or initialised. */
  constructor(inFeatures: number, outFeatures: number) {
    this.weight = zeroParameter([inFeatures, outFeatures]);
    this.bias = zeroParameter([outFeatures]);
  }

  /** Size of the last axis of the input. */
  get inFeatures(): number {
    return this.weight.shape[0]!;
  }

  /** Size of the last axis of the output. */
  get outFeatures(): number {
    return this.weight.shape[1]!;
  }

  /** [..., in] to [..., out]. Throws ShapeError when the last axis does not fit. */
  call(x: Tensor): Tensor {
    if (x.shape.at(-1) !== this.inFeatures)
      throw new ShapeError(
        `Conv1D: input ${showShape(x.shape)} must end in ${this.inFeatures}, the weight is ` +
          showShape(this.weight.shape),
      );
    const rows = x.rank === 2 ? x : x.reshape([-1, this.inFeatures]); // [N, in]
    const y = rows.matmul(this.weight).add(this.bias); // [N, out]
    return x.rank === 2 ? y : y.reshape([...x.shape.slice(0, -1), this.outFeatures]);
  }
}
