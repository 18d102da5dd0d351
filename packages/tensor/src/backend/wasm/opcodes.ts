/**
 * @file WebAssembly opcodes by their names in the specification (core 2.0 with SIMD, threads' atomics
 * excluded; relaxed SIMD's fused multiply-add last). A SIMD opcode is written `0xfd0000 + sub-opcode`.
 * https://webassembly.github.io/spec/core/binary/instructions.html
 */

/** Instructions without immediates. */
export const PLAIN = {
  'i32.eqz': 0x45,
  'i32.eq': 0x46,
  'i32.ne': 0x47,
  'i32.lt_s': 0x48,
  'i32.lt_u': 0x49,
  'i32.gt_s': 0x4a,
  'i32.gt_u': 0x4b,
  'i32.le_s': 0x4c,
  'i32.ge_s': 0x4e,
  'i32.ge_u': 0x4f,
  'i32.add': 0x6a,
  'i32.sub': 0x6b,
  'i32.mul': 0x6c,
  'i32.div_s': 0x6d,
  'i32.div_u': 0x6e,
  'i32.rem_u': 0x70,
  'i32.and': 0x71,
  'i32.or': 0x72,
  'i32.shl': 0x74,
  'i32.shr_u': 0x76,
  select: 0x1b,
  'i8x16.swizzle': 0xfd000e,
  'i32x4.splat': 0xfd0011,
  'f32x4.splat': 0xfd0013,
  'i32x4.eq': 0xfd0037,
  'i32x4.ne': 0xfd0038,
  'i32x4.lt_s': 0xfd0039,
  'i32x4.lt_u': 0xfd003a,
  'i32x4.gt_s': 0xfd003b,
  'i32x4.gt_u': 0xfd003c,
  'i32x4.le_s': 0xfd003d,
  'i32x4.le_u': 0xfd003e,
  'i32x4.ge_s': 0xfd003f,
  'i32x4.ge_u': 0xfd0040,
  'f32x4.eq': 0xfd0041,
  'f32x4.ne': 0xfd0042,
  'f32x4.lt': 0xfd0043,
  'f32x4.gt': 0xfd0044,
  'f32x4.le': 0xfd0045,
  'f32x4.ge': 0xfd0046,
  'v128.not': 0xfd004d,
  'v128.and': 0xfd004e,
  'v128.andnot': 0xfd004f,
  'v128.or': 0xfd0050,
  'v128.xor': 0xfd0051,
  'v128.bitselect': 0xfd0052,
  'v128.any_true': 0xfd0053,
  'f32x4.demote_f64x2_zero': 0xfd005e,
  'f64x2.promote_low_f32x4': 0xfd005f,
  'f32x4.floor': 0xfd0068,
  'f32x4.nearest': 0xfd006a,
  'i16x8.narrow_i32x4_u': 0xfd0086,
  'f64x2.nearest': 0xfd0094,
  'i32x4.abs': 0xfd00a0,
  'i32x4.neg': 0xfd00a1,
  'i32x4.extend_low_i16x8_u': 0xfd00a9,
  'i32x4.shl': 0xfd00ab,
  'i32x4.shr_s': 0xfd00ac,
  'i32x4.shr_u': 0xfd00ad,
  'i32x4.add': 0xfd00ae,
  'i32x4.sub': 0xfd00b1,
  'i32x4.mul': 0xfd00b5,
  'i32x4.min_s': 0xfd00b6,
  'i32x4.min_u': 0xfd00b7,
  'i32x4.max_s': 0xfd00b8,
  'i32x4.max_u': 0xfd00b9,
  'i64x2.extmul_low_i32x4_u': 0xfd00de,
  'i64x2.extmul_high_i32x4_u': 0xfd00df,
  'f32x4.abs': 0xfd00e0,
  'f32x4.neg': 0xfd00e1,
  'f32x4.sqrt': 0xfd00e3,
  'f32x4.add': 0xfd00e4,
  'f32x4.sub': 0xfd00e5,
  'f32x4.mul': 0xfd00e6,
  'f32x4.div': 0xfd00e7,
  'f32x4.min': 0xfd00e8,
  'f32x4.max': 0xfd00e9,
  'f32x4.pmin': 0xfd00ea,
  'f32x4.pmax': 0xfd00eb,
  'f64x2.add': 0xfd00f0,
  'f64x2.sub': 0xfd00f1,
  'f64x2.mul': 0xfd00f2,
  'i32x4.trunc_sat_f32x4_s': 0xfd00f8,
  'i32x4.trunc_sat_f32x4_u': 0xfd00f9,
  'f32x4.convert_i32x4_s': 0xfd00fa,
  'f32x4.convert_i32x4_u': 0xfd00fb,
  'i32x4.trunc_sat_f64x2_s_zero': 0xfd00fc,
  'f32x4.relaxed_madd': 0xfd0105,
  'f32x4.relaxed_nmadd': 0xfd0106,
} as const;

/** Instructions with an alignment and an offset that read memory. */
export const LOADS = {
  'i32.load': 0x28,
  'i32.load16_u': 0x2f,
  'v128.load': 0xfd0000,
  'v128.load16_splat': 0xfd0008,
  'v128.load32_splat': 0xfd0009,
  'v128.load64_zero': 0xfd005d,
} as const;

/** Instructions with an alignment and an offset that write memory. */
export const STORES = {
  'i32.store': 0x36,
  'v128.store': 0xfd000b,
} as const;

/** Loads and stores of one lane: address, vector; alignment, offset and lane as immediates. */
export const LANE_MEMORY = {
  'v128.load16_lane': 0xfd0055,
  'v128.load32_lane': 0xfd0056,
  'v128.store16_lane': 0xfd0059,
  'v128.store32_lane': 0xfd005a,
  'v128.store64_lane': 0xfd005b,
} as const;

/** Instructions with a lane number as immediate. */
export const LANES = {
  'i32x4.extract_lane': 0xfd001b,
  'i32x4.replace_lane': 0xfd001c,
} as const;

/** Other opcodes that the assembler itself writes. */
export const OTHER = {
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  br_if: 0x0d,
  br_table: 0x0e,
  call: 0x10,
  'local.get': 0x20,
  'local.set': 0x21,
  'local.tee': 0x22,
  'i32.const': 0x41,
  'v128.const': 0xfd000c,
  'i8x16.shuffle': 0xfd000d,
  'memory.fill': 0xfc000b,
} as const;
