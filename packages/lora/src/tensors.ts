/** @file Tensors of an adapter to and from plain data. */
import { isFloatTensor, toFloat32, type TensorData } from '@camada/hub';
import { InputError, sameShape, showShape, tensor, type Tensor } from '@camada/tensor';
import type { SavedParameter } from './adapter/saved.ts';

/** A stored tensor as f32. Throws InputError when it holds no numbers, or NaN or infinity. */
export function toTensor(entry: TensorData, place: string): Tensor {
  const whole = entry.dtype === 'i32' && place.endsWith('_indices');
  if (!whole && !isFloatTensor(entry))
    throw new InputError(`the adapter's '${place}' holds ${entry.dtype}; floats are needed`);
  const values = whole ? Float32Array.from(entry.data) : toFloat32(entry);
  if (!values.every(Number.isFinite))
    throw new InputError(
      `the adapter's '${place}' holds NaN or infinity: its training diverged, or the file is damaged`,
    );
  return tensor(values, entry.shape);
}

/** Tensors as f32 data. */
export async function allData(
  values: ReadonlyMap<string, Tensor>,
): Promise<Map<string, TensorData>> {
  const data = new Map<string, TensorData>();
  for (const [key, x] of values)
    data.set(key, { dtype: 'f32', shape: x.shape, data: Float32Array.from(await x.data()) });
  return data;
}

/** A parameter that was trained in full. Throws InputError unless it fits the model's own. */
export function restoreSaved(base: Tensor, name: string, entry: TensorData): SavedParameter {
  if (!sameShape(base.shape, entry.shape))
    throw new InputError(
      `the adapter's '${name}' is ${showShape(entry.shape)}, the model's ${showShape(base.shape)}: ` +
        'was it trained with other labels, or for another model?',
    );
  return { base, own: toTensor(entry, name) };
}
