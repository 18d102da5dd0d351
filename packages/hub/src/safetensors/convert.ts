/** @file Conversion between the floating-point types that checkpoints use. */
import { InputError, narrowHalves, widenHalves } from '@camada/tensor';
import type { TensorData } from './types.ts';

/** Floating-point types of checkpoints. */
export type FloatType = 'f32' | 'f16' | 'bf16';

/** True for tensors of real numbers. */
export function isFloatTensor(tensor: TensorData): boolean {
  return tensor.dtype === 'f32' || tensor.dtype === 'f16' || tensor.dtype === 'bf16';
}

/**
 * The tensor with its elements as `dtype`, rounded to nearest even; itself where it has that type.
 * Throws `InputError` on tensors that hold no floats.
 */
export function convertFloats(tensor: TensorData, dtype: FloatType): TensorData {
  if (tensor.dtype === dtype) return tensor;
  if (!isFloatTensor(tensor)) {
    throw new InputError(
      `A tensor of ${tensor.dtype} cannot be stored as ${dtype}; convert floats only.`,
    );
  }
  const wide = toFloat32(tensor);
  if (dtype === 'f32') return { dtype, shape: tensor.shape, data: wide };
  return { dtype, shape: tensor.shape, data: narrowHalves(wide, dtype) };
}

/** The elements of a floating-point or integer tensor as f32 numbers. */
export function toFloat32({ dtype, data }: TensorData): Float32Array {
  if (data instanceof Uint16Array) return widenHalves(data, dtype === 'f16' ? 'f16' : 'bf16');
  return data instanceof Float32Array ? data : Float32Array.from(data);
}
