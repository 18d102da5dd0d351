/** @file Conversion between the floating-point types that checkpoints use. */
import { fromBf16, fromF16, InputError, toBf16 } from '@camada/tensor';
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
  const data = dtype === 'f16' ? narrowF16(wide) : Uint16Array.from(wide, toBf16);
  return { dtype, shape: tensor.shape, data };
}

/**
 * The patterns of values as f16, rounded to nearest even: those of `toF16`, ten times as quick on whole arrays. Small
 * values are rounded by an addition that leaves the places of an f16 in front of the point of an f32.
 */
export function narrowF16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  const sum = new Float32Array(1);
  const sumBits = new Uint32Array(sum.buffer);
  for (let i = 0; i < out.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000;
    const size = bits[i]! & 0x7fffffff;
    if (size >= 0x47800000) out[i] = sign | (size > 0x7f800000 ? 0x7e00 : 0x7c00);
    else if (size >= 0x38800000)
      out[i] = sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
    else {
      sum[0] = Math.abs(values[i]!) + 0.5;
      out[i] = sign | (sumBits[0]! - 0x3f000000);
    }
  }
  return out;
}

/** The elements of a floating-point or integer tensor as f32 numbers. */
export function toFloat32({ dtype, data }: TensorData): Float32Array {
  if (dtype === 'f16') return lookUp(data, (halfTable ??= valueTable(fromF16)));
  if (dtype === 'bf16') return lookUp(data, (brainTable ??= valueTable(fromBf16)));
  return data instanceof Float32Array ? data : Float32Array.from(data);
}

let halfTable: Float32Array | undefined;
let brainTable: Float32Array | undefined;

/** Values of all 65,536 patterns: a table is several times quicker than arithmetic on each element. */
function valueTable(value: (bits: number) => number): Float32Array {
  return Float32Array.from({ length: 65536 }, (_, bits) => value(bits));
}

function lookUp(bits: ArrayLike<number>, table: Float32Array): Float32Array {
  const out = new Float32Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = table[bits[i] ?? 0] ?? 0;
  return out;
}
