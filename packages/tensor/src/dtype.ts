/**
 * @file Element types. `f16` and `bf16` are storage types: kernels compute in f32 and convert on load
 * and store. `bool` is stored as one 32-bit word, 0 or 1, because WebGPU has no bool buffers.
 */
import { DTypeError } from './errors.ts';

/** Element type of a tensor. */
export type DType = 'f32' | 'i32' | 'u32' | 'bool' | 'f16' | 'bf16';

/** Type that a kernel computes in. */
export type ScalarType = 'f32' | 'i32' | 'u32' | 'bool';

/** Host arrays that hold tensor elements. `f16` and `bf16` are raw 16-bit patterns in a Uint16Array. */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint16Array;

/** Bytes one element takes in device memory. */
export function bytesPerElement(dtype: DType): 2 | 4 {
  return dtype === 'f16' || dtype === 'bf16' ? 2 : 4;
}

/** True for the types that hold real numbers. */
export function isFloat(dtype: DType): boolean {
  return dtype === 'f32' || dtype === 'f16' || dtype === 'bf16';
}

/** The type that kernels compute in: f32 for the 16-bit storage types, itself for the others. */
export function computeType(dtype: DType): ScalarType {
  return dtype === 'f16' || dtype === 'bf16' ? 'f32' : dtype;
}

const RANK: Record<DType, number> = { bool: 0, u32: 1, i32: 2, f16: 3, bf16: 3, f32: 4 };

/**
 * The type two operands meet in, after PyTorch: bool < integer < float. Where PyTorch would need i64 (u32 with
 * i32) it is i32; f16 with bf16 is f32.
 */
export function promote(a: DType, b: DType): DType {
  if (a === b) return a;
  if (RANK[a] === RANK[b]) return 'f32';
  return RANK[a] > RANK[b] ? a : b;
}

/**
 * A number as an element of the type: integers truncate and saturate, NaN is 0 among them; a bool is 0 or 1;
 * 16-bit floats round. f32 stays as it is: devices round it where they store it.
 */
export function toElement(value: number, dtype: DType): number {
  if (dtype === 'f32') return value;
  if (dtype === 'f16') return fromF16(toF16(value));
  if (dtype === 'bf16') return fromBf16(toBf16(value));
  if (dtype === 'bool') return value === 0 ? 0 : 1;
  const [least, greatest] = dtype === 'i32' ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  return Number.isNaN(value) ? 0 : Math.min(greatest, Math.max(least, Math.trunc(value)));
}

/** A host array of `size` elements fit for `dtype`. */
export function hostArray(dtype: DType, size: number): TypedArray {
  if (dtype === 'f32') return new Float32Array(size);
  if (dtype === 'i32') return new Int32Array(size);
  if (dtype === 'f16' || dtype === 'bf16') return new Uint16Array(size);
  return new Uint32Array(size);
}

/** The dtype a host array stands for when none is named. Throws on an array that holds no tensor type. */
export function dtypeOf(data: TypedArray): DType {
  if (data instanceof Float32Array || data instanceof Float64Array) return 'f32';
  if (data instanceof Int32Array) return 'i32';
  if (data instanceof Uint32Array) return 'u32';
  throw new DTypeError('a Uint16Array may hold f16 or bf16: name the dtype');
}

const scratch = new DataView(new ArrayBuffer(4));

/** Bits of a number as f32. */
export function f32Bits(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}

/** Value of a bf16 bit pattern. */
export function fromBf16(bits: number): number {
  scratch.setUint32(0, (bits << 16) >>> 0);
  return scratch.getFloat32(0);
}

/** Nearest bf16 bit pattern, ties to even; NaN stays NaN. */
export function toBf16(value: number): number {
  const bits = f32Bits(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Value of an f16 bit pattern. */
export function fromF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Nearest f16 bit pattern, ties to even; too large becomes infinity, NaN stays NaN. */
export function toF16(value: number): number {
  const bits = f32Bits(value);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) return sign | roundEven(Math.abs(value) * 2 ** 24);
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

function roundEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}
