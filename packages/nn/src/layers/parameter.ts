/** @file New parameters: leaves with memory of their own, so that an optimizer can assign to them. */
import { sizeOf, tensor, zeroBuffer, type Shape, type Tensor } from '@camada/tensor';

/** f32 parameter of zeros: a bias, or a weight that is loaded or initialised later. */
export function zeroParameter(shape: Shape): Tensor {
  return zeroBuffer(shape);
}

/** f32 parameter of ones: the scale of a norm. */
export function oneParameter(shape: Shape): Tensor {
  return tensor(new Float32Array(sizeOf(shape)).fill(1), shape);
}
