/** @file x·Wᵀ with a packed weight, and the gradient of x. The weight itself is frozen. */
import { customGradient, recomputable, type Tensor } from '@camada/tensor';
import type { QuantizedWeight } from './weight.ts';

/** Up to this many rows are summed straight from the packed words; unpacking first does not pay for them. */
const FEW_ROWS = 4;

/**
 * x [N, in] times the transposed weight: [N, out]. With many rows, numbers are made of the words right before the
 * product that reads them, apart in the forward and in the backward pass, so that they live in scratch for the time of
 * one product only.
 */
export function packedProduct(x: Tensor, weight: QuantizedWeight): Tensor {
  const unpacked = recomputable(() => weight.transposed());
  const after = (known: Tensor): Tensor => unpacked.again(unpacked.boundary, known).value; // [in, out]
  const few = x.shape[0]! <= FEW_ROWS;
  const y = few ? weight.dot(x) : x.matmul(after(x));
  return customGradient(y, [x], (_args, _y, dy) => [dy.matmul(after(dy).transpose())]);
}
