/** @file Cross-entropy with ignored labels. */
import { ShapeError, arange, sameShape, showShape, where, type Tensor } from '@camada/tensor';

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions {
  /** Rows with this label count neither in the sum nor in the mean; −100 when left out. */
  readonly ignoreIndex?: number;
}

/** Sum and count behind a mean, for averages over several batches. */
export interface CrossEntropySum {
  /** Σ −log softmax(logits)[label] over the counted rows, []. */
  readonly sum: Tensor;
  /** Number of counted rows, f32 []. */
  readonly count: Tensor;
}

/**
 * Mean of −log softmax(logits)[label] over the rows that are not ignored; 0 when there are none.
 * @param logits [..., V].
 * @param labels i32 [...], each in [0, V) or `ignoreIndex` (checked on the host, where a batch is made).
 * Throws ShapeError when the leading axes differ.
 */
export function crossEntropy(
  logits: Tensor,
  labels: Tensor,
  options: CrossEntropyOptions = {},
): Tensor {
  const { sum, count } = crossEntropySum(logits, labels, options);
  return sum.div(count.maximum(1));
}

/**
 * The sum and the count of `crossEntropy`. The label's logit is picked by comparing with a row of indices:
 * that fuses with the softmax into one row program, forward and backward, where a gather would not.
 */
export function crossEntropySum(
  logits: Tensor,
  labels: Tensor,
  { ignoreIndex = -100 }: CrossEntropyOptions = {},
): CrossEntropySum {
  if (!sameShape(logits.shape.slice(0, -1), labels.shape))
    throw new ShapeError(
      `crossEntropy: logits ${showShape(logits.shape)} need labels ` +
        `${showShape(logits.shape.slice(0, -1))}, got ${showShape(labels.shape)}`,
    );
  const target = labels.unsqueeze(-1); // [..., 1]
  const hit = arange(logits.shape.at(-1)!).eq(target); // [..., V]
  const picked = where(hit, logits, 0).sum(-1); // [...]
  const counted = labels.ne(ignoreIndex);
  const loss = where(counted, logits.logSumExp(-1).sub(picked), 0); // [...]
  return { sum: loss.sum(), count: counted.cast('f32').sum() };
}
