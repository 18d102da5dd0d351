/**
 * @file The element types of GGUF files: how many elements and bytes a block has, and what the bytes mean.
 * One record a type. Layouts: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h; every result
 * equals that of the Python package `gguf` in all bits.
 */
import { fromBf16, fromF16 } from '@camada/tensor';

/** Types of elements that are read; block types end in a digit or `_K`. */
export type GgufType =
  'F32' | 'F16' | 'BF16' | 'Q8_0' | 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'Q4_K' | 'Q5_K' | 'Q6_K';

/** How a type lies in memory. */
export interface BlockFormat {
  /** Its number in a file. */
  readonly id: number;
  /** Elements of a block, neighbours in a row; 1 for plain numbers. */
  readonly blockSize: number;
  /** Bytes of a block. */
  readonly blockBytes: number;
  /** Writes the elements of the block at byte `at` to `out` from `to` on. */
  readonly unpack: (view: DataView, at: number, out: Float32Array, to: number) => void;
}

/** All types by name. */
export const BLOCK_FORMATS: Readonly<Record<GgufType, BlockFormat>> = {
  F32: {
    id: 0,
    blockSize: 1,
    blockBytes: 4,
    unpack: (view, at, out, to) => void (out[to] = view.getFloat32(at, true)),
  },
  F16: {
    id: 1,
    blockSize: 1,
    blockBytes: 2,
    unpack: (view, at, out, to) => void (out[to] = half(view, at)),
  },
  BF16: {
    id: 30,
    blockSize: 1,
    blockBytes: 2,
    unpack: (view, at, out, to) => void (out[to] = fromBf16(view.getUint16(at, true))),
  },
  Q4_0: { id: 2, blockSize: 32, blockBytes: 18, unpack: unpackQ4(false) },
  Q4_1: { id: 3, blockSize: 32, blockBytes: 20, unpack: unpackQ4(true) },
  Q5_0: { id: 6, blockSize: 32, blockBytes: 22, unpack: unpackQ5(false) },
  Q5_1: { id: 7, blockSize: 32, blockBytes: 24, unpack: unpackQ5(true) },
  Q8_0: { id: 8, blockSize: 32, blockBytes: 34, unpack: unpackQ8 },
  Q4_K: { id: 12, blockSize: 256, blockBytes: 144, unpack: unpackK(false) },
  Q5_K: { id: 13, blockSize: 256, blockBytes: 176, unpack: unpackK(true) },
  Q6_K: { id: 14, blockSize: 256, blockBytes: 210, unpack: unpackQ6K },
};

/** Names by number in the file. */
export const TYPE_NAMES: ReadonlyMap<number, GgufType> = new Map(
  // The keys are the names by the type of the table, which Object.keys forgets.
  (Object.keys(BLOCK_FORMATS) as GgufType[]).map((name) => [BLOCK_FORMATS[name].id, name]),
);

type Unpack = BlockFormat['unpack'];

function half(view: DataView, at: number): number {
  return fromF16(view.getUint16(at, true));
}

/** Added to any number, -0 included, it changes nothing; +0 would. */
const NOTHING = -0;

/** d, with `offset` m, then 16 bytes whose low halves are elements 0 to 15 and whose high ones 16 to 31. */
function unpackQ4(offset: boolean): Unpack {
  return (view, at, out, to) => {
    const d = half(view, at);
    const m = offset ? half(view, at + 2) : NOTHING;
    const middle = offset ? 0 : 8;
    const from = at + (offset ? 4 : 2);
    for (let i = 0; i < 16; i++) {
      const byte = view.getUint8(from + i);
      out[to + i] = d * ((byte & 15) - middle) + m;
      out[to + i + 16] = d * ((byte >> 4) - middle) + m;
    }
  };
}

/** As Q4, with 32 fifth bits between the scales and the halves. */
function unpackQ5(offset: boolean): Unpack {
  return (view, at, out, to) => {
    const d = half(view, at);
    const m = offset ? half(view, at + 2) : NOTHING;
    const middle = offset ? 0 : 16;
    const from = at + (offset ? 4 : 2);
    const high = view.getUint32(from, true);
    for (let i = 0; i < 16; i++) {
      const byte = view.getUint8(from + 4 + i);
      out[to + i] = d * (((byte & 15) | (((high >>> i) & 1) << 4)) - middle) + m;
      out[to + i + 16] = d * (((byte >> 4) | (((high >>> (i + 16)) & 1) << 4)) - middle) + m;
    }
  };
}

function unpackQ8(view: DataView, at: number, out: Float32Array, to: number): void {
  const d = half(view, at);
  for (let i = 0; i < 32; i++) out[to + i] = d * view.getInt8(at + 2 + i);
}

/**
 * Q4_K and (with fifth bits) Q5_K: d, minimum's d, 12 bytes of eight 6-bit scales and minima, 32 bytes of fifth
 * bits, then four runs of 32 bytes whose halves are two sub-blocks of 32.
 */
function unpackK(fifth: boolean): Unpack {
  return (view, at, out, to) => {
    const d = half(view, at);
    const dMin = half(view, at + 2);
    const high = at + 16;
    const low = high + (fifth ? 32 : 0);
    for (let sub = 0; sub < 8; sub++) {
      const [scale, minimum] = scaleAndMinimum(view, at + 4, sub);
      const run = low + 32 * (sub >> 1);
      for (let i = 0; i < 32; i++) {
        const bits = (view.getUint8(run + i) >> (4 * (sub & 1))) & 15;
        const extra = fifth ? ((view.getUint8(high + i) >> sub) & 1) << 4 : 0;
        out[to + 32 * sub + i] = d * scale * (bits | extra) - dMin * minimum;
      }
    }
  };
}

/** The first four pairs lie in 6 bits each of bytes 0 to 7; the others share bytes 8 to 11 and the bits left over. */
function scaleAndMinimum(view: DataView, at: number, sub: number): readonly [number, number] {
  const lower = view.getUint8(at + (sub & 3));
  const upper = view.getUint8(at + 4 + (sub & 3));
  if (sub < 4) return [lower & 63, upper & 63];
  const shared = view.getUint8(at + 4 + sub);
  return [(shared & 15) | ((lower >> 2) & 48), (shared >> 4) | ((upper >> 2) & 48)];
}

/** 128 bytes of low halves, 64 of upper pairs of bits, 16 signed scales of 16 elements each, d. */
function unpackQ6K(view: DataView, at: number, out: Float32Array, to: number): void {
  const d = half(view, at + 208);
  for (let i = 0; i < 256; i++) {
    const [part, quarter, lane] = [i >> 7, (i >> 5) & 3, i & 31];
    const low = view.getUint8(at + 64 * part + 32 * (quarter & 1) + lane) >> (4 * (quarter >> 1));
    const high = view.getUint8(at + 128 + 32 * part + lane) >> (2 * quarter);
    const q = ((low & 15) | ((high & 3) << 4)) - 32;
    out[to + i] = d * view.getInt8(at + 192 + (i >> 4)) * q;
  }
}
