/** @file The updates of an adapter, in a file or on a model, as factors on the host. */
import { toFloat32, isFloatTensor, type TensorData } from '@camada/hub';
import { InputError } from '@camada/tensor';
import { Matrix, readMatrix } from '@camada/tensor/linalg';
import { isLowRank, type LayerPart } from '../adapter/part.ts';
import { moduleScale, type LoraConfig } from '../lowrank/config.ts';
import { EMBEDDING_A, EMBEDDING_B } from '../lowrank/lora-embedding.ts';
import { LORA_A, LORA_B } from '../lowrank/lora-part.ts';
import { LORA } from '../lowrank/lora.ts';
import type { AdapterData } from '../peft/adapter-file.ts';
import type { HostFactors } from './decompose.ts';

/**
 * A, B and s of every layer by path; of DoRA the update s·B·A without its magnitudes. Throws InputError when the adapter
 * is no LoRA, or holds what is no finite number.
 */
export function adapterFactors({ method, config, layers }: AdapterData): Map<string, HostFactors> {
  if (method.peftType !== LORA.peftType)
    throw new InputError(
      `updates s·B·A of ${LORA.peftType} can be inspected; this adapter is ${method.peftType}`,
    );
  const found = new Map<string, HostFactors>();
  for (const [path, tensors] of layers) {
    const A = tensors.get(LORA_A) ?? tensors.get(EMBEDDING_A);
    const B = tensors.get(LORA_B) ?? tensors.get(EMBEDDING_B);
    if (!A || !B) throw new InputError(`the adapter's '${path}' lacks A or B; save it again`);
    const { scale } = moduleScale(path, config as LoraConfig); // made by LORA
    const [a, b] = [matrix(A, path), matrix(B, path)];
    if (a.rows !== b.columns)
      throw new InputError(`the adapter's '${path}' has A of rank ${a.rows} and B of ${b.columns}`);
    found.set(path, { A: a, B: b, scale });
  }
  return found;
}

function matrix(entry: TensorData, path: string): Matrix {
  const values = isFloatTensor(entry) ? toFloat32(entry) : new Float32Array();
  const [rows = 0, columns = 0] = entry.shape;
  if (entry.shape.length !== 2 || values.length === 0 || !values.every(Number.isFinite))
    throw new InputError(`the adapter's '${path}' holds something else than a matrix of numbers`);
  return Matrix.from(rows, columns, (i, j) => values[i * columns + j]!);
}

/** A, B and s of a part on a model: LoRA, VeRA, AdaLoRA. Throws InputError when it adds something else. */
export async function partFactors(part: LayerPart): Promise<HostFactors> {
  if (!isLowRank(part)) throw new InputError('the part adds no update s·B·A');
  const { A, B, scale } = part.factors();
  return { A: await readMatrix('inspect', A), B: await readMatrix('inspect', B), scale };
}
