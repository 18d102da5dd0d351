/**
 * @file Functions that kernels call. Each is added to a shader whose text names it.
 */
import { MATH, type Helper } from './math.ts';

/** Name, text, and the names of the helpers it calls, callers after callees. */
const HELPERS: readonly Helper[] = [
  ...MATH,
  {
    name: 'camada_random',
    text: `fn camada_random(counter: u32, k0: u32, k1: u32) -> f32 {
  return f32(camada_philox(counter, k0, k1) >> 8u) * 5.9604644775390625e-8f;
}`,
  },
  {
    name: 'camada_philox',
    // Philox4x32-10, Salmon et al., SC 2011, section 3. WGSL has no 64-bit product, so the upper words are made
    // of 16-bit halves of the multipliers 0xD2511F53 and 0xCD9E8D57.
    text: `fn camada_philox(counter: u32, k0: u32, k1: u32) -> u32 {
  var x = counter; var y = 0u; var z = 0u; var w = 0u;
  var kx = k0; var ky = k1;
  for (var round = 0; round < 10; round++) {
    let xl = x & 0xffffu; let xh = x >> 16u;
    let zl = z & 0xffffu; let zh = z >> 16u;
    let xm = 0xd251u * xl + ((0x1f53u * xl) >> 16u);
    let zm = 0xcd9eu * zl + ((0x8d57u * zl) >> 16u);
    let xc = 0x1f53u * xh + (xm & 0xffffu);
    let zc = 0x8d57u * zh + (zm & 0xffffu);
    let next = (0xcd9eu * zh + (zm >> 16u) + (zc >> 16u)) ^ y ^ kx;
    y = 0xcd9e8d57u * z;
    z = (0xd251u * xh + (xm >> 16u) + (xc >> 16u)) ^ w ^ ky;
    w = 0xd2511f53u * x;
    x = next;
    kx += 0x9e3779b9u; ky += 0xbb67ae85u;
  }
  return x;
}`,
  },
  {
    name: 'camada_f16',
    // The half of a word that holds element \`at\`.
    text: `fn camada_f16(word: u32, at: i32) -> f32 {
  return unpack2x16float(word >> (u32(at & 1) * 16u)).x;
}`,
  },
  {
    name: 'camada_bf16',
    text: `fn camada_bf16(word: u32, at: i32) -> f32 {
  return bitcast<f32>((word >> (u32(at & 1) * 16u)) << 16u);
}`,
  },
  {
    name: 'camada_f16x4',
    text: `fn camada_f16x4(word: vec2<u32>) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(word.x), unpack2x16float(word.y));
}`,
  },
  {
    name: 'camada_bf16x4',
    text: `fn camada_bf16x4(word: vec2<u32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(word.x << 16u, word.x & 0xffff0000u, word.y << 16u, word.y & 0xffff0000u));
}`,
  },
  {
    name: 'camada_to_f16',
    // Nearest, ties to even; overflow to infinity; subnormals through the exact scaling by 2^24.
    text: `fn camada_to_f16(value: f32) -> u32 {
  let word = bitcast<u32>(value);
  let negative = (word >> 16u) & 0x8000u;
  let size = word & 0x7fffffffu;
  if (size > 0x7f800000u) { return 0x7e00u; }
  if (size >= 0x47800000u) { return negative | 0x7c00u; }
  if (size < 0x38800000u) { return negative | u32(round(bitcast<f32>(size) * 16777216.0)); }
  return negative | ((size + 0xfffu + ((size >> 13u) & 1u) - 0x38000000u) >> 13u);
}`,
  },
  {
    name: 'camada_to_bf16',
    text: `fn camada_to_bf16(value: f32) -> u32 {
  let word = bitcast<u32>(value);
  if ((word & 0x7fffffffu) > 0x7f800000u) { return 0x7fc0u; }
  return (word + 0x7fffu + ((word >> 16u) & 1u)) >> 16u;
}`,
  },
  {
    name: 'camada_max',
    // WGSL's max may drop a NaN, and compilers may assume there is none: its bits are looked at.
    text: `fn camada_max(a: f32, b: f32) -> f32 {
  let larger = select(max(a, b), b, camada_is_nan(b));
  return select(larger, a, camada_is_nan(a));
}`,
  },
  {
    name: 'camada_min',
    text: `fn camada_min(a: f32, b: f32) -> f32 {
  let smaller = select(min(a, b), b, camada_is_nan(b));
  return select(smaller, a, camada_is_nan(a));
}`,
  },
  {
    name: 'camada_is_nan',
    text: `fn camada_is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}`,
  },
  {
    name: 'camada_inf',
    text: `var<private> camada_inf_bits: u32 = 0x7f800000u;
fn camada_inf() -> f32 { return bitcast<f32>(camada_inf_bits); }`,
  },
  {
    name: 'camada_nan',
    text: `var<private> camada_nan_bits: u32 = 0x7fc00000u;
fn camada_nan() -> f32 { return bitcast<f32>(camada_nan_bits); }`,
  },
];

/** The helpers that `text` calls, directly or through one another. */
export function helpersFor(text: string): string {
  const needed: string[] = [];
  let seen = text;
  for (const helper of HELPERS) {
    if (!seen.includes(`${helper.name}(`)) continue;
    needed.push(helper.text);
    seen += helper.text;
  }
  return needed.reverse().join('\n');
}
