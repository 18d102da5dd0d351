/** @file Blocks of ggml's types as planes, without loss. Layouts: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h. */
import { InputError, showShape, tensor, type Shape, type Tensor } from '@camada/tensor';
import { nestedScales, plainScales, type Scales } from './scales.ts';
import { BLOCK, QuantizedWeight, type Codes } from './weight.ts';
import { packCodes } from './pack.ts';

/** A tensor as a GGUF file packs it: rows of whole blocks that follow each other. */
export interface PackedBlocks {
  /** `Q4_0`, `Q6_K`, … */
  readonly type: string;
  /** [out, in]. */
  readonly shape: Shape;
  readonly bytes: Uint8Array;
}

/** Where the numbers of a block are. */
interface BlockRecord {
  /** Elements and bytes of a block. */
  readonly size: 32 | 256;
  readonly bytes: number;
  readonly bits: Codes['bits'];
  /** Added to a code. */
  readonly zero: number;
  /** Code `i` of the block that begins at byte `at`. */
  readonly code: (bytes: Uint8Array, at: number, i: number) => number;
  /** Byte of the f16 scale, and of the f16 factor of the minima. */
  readonly scale: number;
  readonly minimum?: number;
  /** 8-bit scales and minima inside a block of 256. */
  readonly nested?: {
    readonly group: 16 | 32;
    readonly signed: boolean;
    readonly scale: (bytes: Uint8Array, at: number, group: number) => number;
    readonly minimum?: (bytes: Uint8Array, at: number, group: number) => number;
  };
}

/** Half-bytes: the low ones are elements 0 to 15, the high ones 16 to 31. */
function half(from: number): BlockRecord['code'] {
  return (bytes, at, i) => (bytes[at + from + (i & 15)]! >> (4 * (i >> 4))) & 15;
}

/** Half-bytes at `low` with fifth bits at `high`, one bit an element. */
function fifth(high: number, low: number): BlockRecord['code'] {
  const four = half(low);
  return (bytes, at, i) =>
    four(bytes, at, i) | (((bytes[at + high + (i >> 3)]! >> (i & 7)) & 1) << 4);
}

/** Runs of 32 bytes, whose low and high halves are two groups of 32. */
function halfK(from: number): BlockRecord['code'] {
  return (bytes, at, i) =>
    (bytes[at + from + 32 * (i >> 6) + (i & 31)]! >> (4 * ((i >> 5) & 1))) & 15;
}

function fifthK(bytes: Uint8Array, at: number, i: number): number {
  return halfK(48)(bytes, at, i) | (((bytes[at + 16 + (i & 31)]! >> (i >> 5)) & 1) << 4);
}

/** 128 bytes of low halves, then 64 of upper pairs of bits. */
function sixthK(bytes: Uint8Array, at: number, i: number): number {
  const [part, quarter, lane] = [i >> 7, (i >> 5) & 3, i & 31];
  const low = bytes[at + 64 * part + 32 * (quarter & 1) + lane]! >> (4 * (quarter >> 1));
  const high = bytes[at + 128 + 32 * part + lane]! >> (2 * quarter);
  return (low & 15) | ((high & 3) << 4);
}

/** The first four pairs lie in 6 bits each of bytes 0 to 7; the others share bytes 8 to 11 and the bits left over. */
const K_SCALES: NonNullable<BlockRecord['nested']> = {
  group: 32,
  signed: false,
  scale: (bytes, at, g) => {
    const lower = bytes[at + 4 + (g & 3)]!;
    return g < 4 ? lower & 63 : (bytes[at + 8 + g]! & 15) | ((lower >> 2) & 48);
  },
  minimum: (bytes, at, g) => {
    const upper = bytes[at + 8 + (g & 3)]!;
    return g < 4 ? upper & 63 : (bytes[at + 8 + g]! >> 4) | ((upper >> 2) & 48);
  },
};

const Q6_SCALES: NonNullable<BlockRecord['nested']> = {
  group: 16,
  signed: true,
  scale: (bytes, at, g) => bytes[at + 192 + g]!,
};

const RECORDS: Readonly<Record<string, BlockRecord>> = {
  Q4_0: { size: 32, bytes: 18, bits: 4, zero: -8, code: half(2), scale: 0 },
  Q4_1: { size: 32, bytes: 20, bits: 4, zero: 0, code: half(4), scale: 0, minimum: 2 },
  Q5_0: { size: 32, bytes: 22, bits: 5, zero: -16, code: fifth(2, 6), scale: 0 },
  Q5_1: { size: 32, bytes: 24, bits: 5, zero: 0, code: fifth(4, 8), scale: 0, minimum: 2 },
  Q8_0: { size: 32, bytes: 34, bits: 8, zero: 0, code: (b, at, i) => b[at + 2 + i]!, scale: 0 },
  Q4_K: {
    size: 256,
    bytes: 144,
    bits: 4,
    zero: 0,
    code: halfK(16),
    scale: 0,
    minimum: 2,
    nested: K_SCALES,
  },
  Q5_K: {
    size: 256,
    bytes: 176,
    bits: 5,
    zero: 0,
    code: fifthK,
    scale: 0,
    minimum: 2,
    nested: K_SCALES,
  },
  Q6_K: { size: 256, bytes: 210, bits: 6, zero: -32, code: sixthK, scale: 208, nested: Q6_SCALES },
};

/** The block types that stay packed. */
export const PACKED_TYPES: readonly string[] = Object.keys(RECORDS);

/** One block for each row and each place along it. */
interface Grid {
  readonly record: BlockRecord;
  readonly bytes: Uint8Array;
  readonly rows: number;
  /** Blocks of a row. */
  readonly across: number;
}

/** Byte at which a block begins. */
function begin({ record, across }: Grid, row: number, block: number): number {
  return (row * across + block) * record.bytes;
}

/** Blocks as a weight for the device. Throws InputError on a type, a shape or a length that cannot be. */
export function fromBlocks({ type, shape, bytes }: PackedBlocks): QuantizedWeight {
  const record = Object.hasOwn(RECORDS, type) ? RECORDS[type] : undefined;
  const [rows = 0, inputs = 0] = shape;
  if (!record)
    throw new InputError(`the packed type ${type} is not one of ${PACKED_TYPES.join(', ')}`);
  const across = inputs / record.size;
  if (
    shape.length !== 2 ||
    !Number.isInteger(across) ||
    bytes.length !== rows * across * record.bytes
  )
    throw new InputError(
      `${bytes.length} bytes of ${type} do not make a weight ${showShape(shape)}`,
    );
  const grid: Grid = { record, bytes, rows, across };
  const minima = record.minimum === undefined ? undefined : minimaOf(grid, record.minimum);
  return new QuantizedWeight({
    format: type,
    shape: [rows, inputs],
    codes: codesOf(grid),
    group: record.nested?.group ?? BLOCK,
    scales: scalesOf(grid, record.scale, record.nested?.scale, 1),
    ...(minima && { minima }),
  });
}

function codesOf(grid: Grid): Codes {
  const { record, bytes, rows, across } = grid;
  const per = record.size / BLOCK;
  return packCodes(record.bits, record.zero, [rows, across * record.size], (row, block, out) => {
    const at = begin(grid, row, Math.floor(block / per));
    const first = BLOCK * (block % per);
    for (let i = 0; i < BLOCK; i++) out[i] = record.code(bytes, at, first + i);
  });
}

/** K-quants subtract their minima: the factor changes its sign. */
function minimaOf(grid: Grid, at: number): Scales {
  return scalesOf(grid, at, grid.record.nested?.minimum, grid.record.nested ? -1 : 1);
}

function scalesOf(
  grid: Grid,
  at: number,
  inner: NonNullable<BlockRecord['nested']>['scale'] | undefined,
  sign: 1 | -1,
): Scales {
  const { record, bytes, rows, across } = grid;
  const flip = sign === -1 ? 0x8000 : 0;
  const outer = new Uint16Array(across * rows);
  for (let block = 0; block < across; block++)
    for (let row = 0; row < rows; row++) {
      const from = begin(grid, row, block) + at;
      outer[block * rows + row] = (bytes[from]! | (bytes[from + 1]! << 8)) ^ flip;
    }
  const factors = tensor(outer, [outer.length], 'f16');
  const { nested } = record;
  if (!nested || !inner) return plainScales(factors, across);
  const per = record.size / nested.group;
  const groups = across * per;
  const code = (row: number, g: number): number =>
    inner(bytes, begin(grid, row, Math.floor(g / per)), g % per);
  const codes = packBytes(groups, rows, code);
  return nestedScales(codes, factors, { groups, per, signed: nested.signed });
}

/** Bytes in words of four neighbours along the groups: i32 [⌈groups/4⌉ · rows]. */
export function packBytes(
  groups: number,
  rows: number,
  code: (row: number, group: number) => number,
): Tensor {
  const words = new Int32Array(Math.ceil(groups / 4) * rows);
  for (let g = 0; g < groups; g++)
    for (let row = 0; row < rows; row++)
      words[(g >> 2) * rows + row]! |= (code(row, g) & 255) << (8 * (g & 3));
  return tensor(words);
}
