/** @file Whole arrays of 16-bit floats to f32 and back, many times quicker than element by element through `dtype.ts`. */
import { fromF16 } from './dtype.ts';

/** 16-bit floating-point types. */
export type HalfType = 'f16' | 'bf16';

let table: Float32Array | undefined;

/** The values of 16-bit patterns. */
export function widenHalves(bits: Uint16Array, dtype: HalfType): Float32Array {
  const out = new Float32Array(bits.length);
  if (dtype === 'bf16') {
    const words = new Uint32Array(out.buffer);
    for (let i = 0; i < words.length; i++) words[i] = bits[i]! << 16;
    return out;
  }
  table ??= Float32Array.from({ length: 65536 }, (_, pattern) => fromF16(pattern));
  for (let i = 0; i < out.length; i++) out[i] = table[bits[i]!]!;
  return out;
}

/** The nearest patterns, ties to even; too large becomes infinity, NaN stays NaN. */
export function narrowHalves(values: Float32Array, dtype: HalfType): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return dtype === 'f16' ? narrowF16(values, bits) : narrowBf16(bits);
}

function narrowBf16(bits: Uint32Array): Uint16Array {
  const out = new Uint16Array(bits.length);
  for (let i = 0; i < out.length; i++) {
    const b = bits[i]!;
    const isNaN = (b & 0x7fffffff) > 0x7f800000;
    out[i] = isNaN ? 0x7fc0 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** Small values are rounded by an addition that leaves the places of an f16 in front of the point of an f32. */
function narrowF16(values: Float32Array, bits: Uint32Array): Uint16Array {
  const out = new Uint16Array(values.length);
  const sum = new Float32Array(1);
  const sumBits = new Uint32Array(sum.buffer);
  for (let i = 0; i < out.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000;
    const size = bits[i]! & 0x7fffffff;
    if (size > 0x7f800000) out[i] = 0x7e00;
    else if (size >= 0x47800000) out[i] = sign | 0x7c00;
    else if (size >= 0x38800000)
      out[i] = sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
    else {
      sum[0] = Math.abs(values[i]!) + 0.5;
      out[i] = sign | (sumBits[0]! - 0x3f000000);
    }
  }
  return out;
}
