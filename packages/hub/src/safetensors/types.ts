/**
 * @file Element types as safetensors stores them, and what each becomes in memory. Types that tensors
 * do not have are widened where no value can change, or refused by name when the tensor is read.
 * Format: https://huggingface.co/docs/safetensors (file layout, little-endian, row-major).
 */
import { InputError, type DType, type TypedArray } from '@camada/tensor';

/** A tensor as a plain record: no device, no graph. */
export interface TensorData {
  /** Element type. */
  readonly dtype: DType;
  /** Lengths of the axes; `[]` is a scalar. */
  readonly shape: readonly number[];
  /** Elements in row-major order; `f16` and `bf16` are 16-bit patterns, `bool` is 0 or 1 in 32 bits. */
  readonly data: TypedArray;
}

/** Bits an element takes in the file, by the file's name of its type. */
export const STORED_BITS: ReadonlyMap<string, number> = new Map([
  ['BOOL', 8],
  ['U8', 8],
  ['I8', 8],
  ['U16', 16],
  ['I16', 16],
  ['F16', 16],
  ['BF16', 16],
  ['U32', 32],
  ['I32', 32],
  ['F32', 32],
  ['U64', 64],
  ['I64', 64],
  ['F64', 64],
  ['C64', 64],
  ['F8_E4M3', 8],
  ['F8_E5M2', 8],
  ['F8_E8M0', 8],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['F4', 4],
]);

interface Decoded {
  readonly dtype: DType;
  readonly data: TypedArray;
}

type Decoder = (buffer: ArrayBufferLike, place: string) => Decoded;

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['F32', (buffer) => ({ dtype: 'f32', data: new Float32Array(buffer) })],
  ['F16', (buffer) => ({ dtype: 'f16', data: new Uint16Array(buffer) })],
  ['BF16', (buffer) => ({ dtype: 'bf16', data: new Uint16Array(buffer) })],
  ['F64', (buffer) => ({ dtype: 'f32', data: Float32Array.from(new Float64Array(buffer)) })],
  ['I32', (buffer) => ({ dtype: 'i32', data: new Int32Array(buffer) })],
  ['U32', (buffer) => ({ dtype: 'u32', data: new Uint32Array(buffer) })],
  ['I16', (buffer) => ({ dtype: 'i32', data: Int32Array.from(new Int16Array(buffer)) })],
  ['U16', (buffer) => ({ dtype: 'u32', data: Uint32Array.from(new Uint16Array(buffer)) })],
  ['I8', (buffer) => ({ dtype: 'i32', data: Int32Array.from(new Int8Array(buffer)) })],
  ['U8', (buffer) => ({ dtype: 'u32', data: Uint32Array.from(new Uint8Array(buffer)) })],
  ['I64', (buffer, place) => ({ dtype: 'i32', data: narrowI64(new Int32Array(buffer), place) })],
  ['BOOL', (buffer, place) => ({ dtype: 'bool', data: readBools(new Uint8Array(buffer), place) })],
]);

/**
 * The elements of a tensor. `bytes` starts at byte 0 of its own buffer. F64 is rounded to f32, I64 must
 * fit i32, smaller integers are widened. Throws `InputError` on a type that has no equal here.
 */
export function decodeStored(stored: string, bytes: Uint8Array, place: string): Decoded {
  const decode = DECODERS.get(stored);
  if (decode) return decode(bytes.buffer, place);
  const known = [...DECODERS.keys()].join(', ');
  throw new InputError(
    `${place} has element type ${stored}, which cannot be read; convert the file to one of ${known}.`,
  );
}

/** Low words of little-endian 64-bit integers, where the high word only repeats the sign. */
function narrowI64(words: Int32Array, place: string): Int32Array {
  const out = new Int32Array(words.length / 2);
  for (let i = 0; i < out.length; i++) {
    const low = words[2 * i] ?? 0;
    if (words[2 * i + 1] !== low >> 31) {
      throw new InputError(
        `${place}: element ${i} does not fit 32 bits; 64-bit integers are read as i32, so store smaller ones.`,
      );
    }
    out[i] = low;
  }
  return out;
}

function readBools(bytes: Uint8Array, place: string): Uint32Array {
  const bad = bytes.findIndex((byte) => byte > 1);
  if (bad < 0) return Uint32Array.from(bytes);
  throw new InputError(
    `${place}: element ${bad} of a BOOL tensor is ${bytes[bad]}, but only 0 and 1 are allowed; write the file again.`,
  );
}

const STORED: Readonly<Record<DType, string>> = {
  f32: 'F32',
  f16: 'F16',
  bf16: 'BF16',
  i32: 'I32',
  u32: 'U32',
  bool: 'BOOL',
};

/** The name safetensors gives to an element type. */
export function storedName(dtype: DType): string {
  return STORED[dtype];
}

/** The bytes to store for a tensor; a view where the host array already has the file's layout. */
export function encodeStored({ dtype, data }: TensorData, place: string): Uint8Array {
  if (dtype === 'bool') return Uint8Array.from(data, (value) => (value === 0 ? 0 : 1));
  const array = data instanceof Float64Array ? Float32Array.from(data) : data;
  if (!holds(array, dtype)) {
    throw new InputError(
      `${place}: dtype ${dtype} does not go with ${data.constructor.name}; see TensorData for the arrays allowed.`,
    );
  }
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function holds(array: TypedArray, dtype: DType): boolean {
  if (dtype === 'f32') return array instanceof Float32Array;
  if (dtype === 'i32') return array instanceof Int32Array;
  if (dtype === 'u32') return array instanceof Uint32Array;
  return array instanceof Uint16Array;
}
