/**
 * @file LoRA-FA: A stays as it began and only B trains, so that a layer keeps R numbers of each input for the backward
 * pass in place of its whole width (Zhang et al. 2023, https://arxiv.org/abs/2308.03303). Files are LoRA's.
 */
import { tensor, type Tensor } from '@camada/tensor';
import { Matrix, pinvMatrix, readMatrix } from '@camada/tensor/linalg';
import type { Adapter } from '../adapter/adapter.ts';
import { LoraPart } from './lora-part.ts';

/** What trains: all of the adapter but A. */
export function loraFaParameters({ trainable }: Adapter): Map<string, Tensor> {
  return new Map(
    [...trainable].filter(([name]) => !/\.lora_(embedding_)?A(\.weight)?$/.test(name)),
  );
}

/** Changes gradients of B, given by name, before an optimizer uses them. */
export type GradientCorrection = (gradients: ReadonlyMap<string, Tensor>) => Map<string, Tensor>;

/**
 * PEFT's gradient for B (`optimizers/lorafa.py`): G·(A·Aᵀ)⁻¹ / s², with which B's step comes nearest to the step that
 * the whole weight would make. A does not change, so the inverse [R, R] is computed once, on the host.
 */
export async function loraFaCorrection({ layers }: Adapter): Promise<GradientCorrection> {
  const inverses = new Map<string, Tensor>();
  for (const [path, part] of layers)
    if (part instanceof LoraPart) inverses.set(`${path}.lora_B.weight`, await inverseOf(part));
  return (gradients) =>
    new Map(
      [...gradients].map(([name, gradient]) => {
        const inverse = inverses.get(name);
        return [name, inverse ? gradient.matmul(inverse) : gradient];
      }),
    );
}

async function inverseOf({ A, scale }: LoraPart): Promise<Tensor> {
  const square = await readMatrix('loraFaCorrection', A.matmul(A.transpose()));
  const shifted = Matrix.from(square.rows, square.columns, (i, j) => {
    return square.data[i]![j]! + (i === j ? 1e-8 : 0);
  });
  const inverse = await pinvMatrix(shifted).toTensor().data();
  return tensor(
    inverse.map((x) => x / scale ** 2),
    [square.rows, square.columns],
  );
}
