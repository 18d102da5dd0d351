/** @file x·Wᵀ with a packed weight, and the gradient of x. The weight itself is frozen. */
import { concat, customGradient, recomputable, type Tensor } from '@camada/tensor';
import type { QuantizedWeight } from './weight.ts';

/** Up to this many rows are summed straight from the packed words; unpacking first does not pay for them. */
const FEW_ROWS = 4;
/** Most numbers that are unpacked at a time: 16 MiB of scratch, whatever the size of a weight. */
const MOST_NUMBERS = 2 ** 22;

/** A part of the outputs. */
interface Part {
  readonly first: number;
  readonly end: number;
  /** The transposed weight of these outputs, f32 [in, part], made anew and no earlier than `known` is. */
  readonly after: (known: Tensor) => Tensor;
}

/**
 * x [N, in] times the transposed weight: [N, out]. With many rows, numbers are made of the words right before the
 * product that reads them, apart in the forward and in the backward pass, so that they live in scratch for the time of
 * one product only; a large weight is done in parts.
 */
export function packedProduct(x: Tensor, weight: QuantizedWeight): Tensor {
  const parts = partsOf(weight);
  const few = x.shape[0]! <= FEW_ROWS;
  const forward = (): Tensor => joined(parts.map(({ after }) => x.matmul(after(x))));
  return customGradient(few ? weight.dot(x) : forward(), [x], (_args, _y, dy) => {
    const back = parts.map(({ first, end, after }) =>
      dy.slice(1, first, end).matmul(after(dy).transpose()),
    );
    return [back.reduce((sum, part) => sum.add(part))];
  });
}

function partsOf(weight: QuantizedWeight): Part[] {
  const [outputs, inputs] = weight.shape;
  const width = Math.ceil(outputs / Math.ceil((outputs * inputs) / MOST_NUMBERS));
  const count = Math.ceil(outputs / width);
  return Array.from({ length: count }, (_, i) => {
    const [first, end] = [i * width, Math.min(outputs, (i + 1) * width)];
    const unpacked = recomputable(() => weight.transposed(first, end));
    return { first, end, after: (known) => unpacked.again(unpacked.boundary, known).value };
  });
}

function joined(parts: readonly Tensor[]): Tensor {
  return parts.length === 1 ? parts[0]! : concat(parts, 1);
}
