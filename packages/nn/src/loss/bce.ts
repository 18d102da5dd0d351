/** @file Binary cross-entropy of logits. */
import { ShapeError, sameShape, showShape, type Tensor } from '@camada/tensor';

/**
 * Mean of −y·log σ(x) − (1 − y)·log(1 − σ(x)) over all elements, []: PyTorch's `BCEWithLogitsLoss`. Written as
 * max(x, 0) − x·y + log(1 + e^−|x|), which cannot overflow.
 * @param logits x, of any shape.
 * @param targets y in [0, 1], of the same shape.
 * Throws ShapeError when the shapes differ.
 */
export function bceWithLogits(logits: Tensor, targets: Tensor): Tensor {
  if (!sameShape(logits.shape, targets.shape))
    throw new ShapeError(
      `bceWithLogits: logits ${showShape(logits.shape)} and targets ${showShape(targets.shape)} differ`,
    );
  const rest = logits.abs().neg().exp().add(1).log();
  return logits.maximum(0).sub(logits.mul(targets)).add(rest).mean();
}
