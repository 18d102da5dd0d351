/** @file Mean squared error. */
import { ShapeError, sameShape, showShape, type Tensor } from '@camada/tensor';

/** Mean of (prediction − target)² over all elements, []. Throws ShapeError when the shapes differ. */
export function mseLoss(prediction: Tensor, target: Tensor): Tensor {
  if (!sameShape(prediction.shape, target.shape))
    throw new ShapeError(
      `mseLoss: prediction ${showShape(prediction.shape)} and target ${showShape(target.shape)} differ`,
    );
  return prediction.sub(target).square().mean();
}
