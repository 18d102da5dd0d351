/** @file Tensors that stay as the file packs them, and their values as f32. */
import { BLOCK_FORMATS, type GgufType } from './blocks.ts';

/**
 * A tensor in blocks: each row of the last axis is a whole number of blocks, rows follow each other without gaps. A
 * row is `shape.at(-1) / blockSize * blockBytes` bytes.
 */
export interface PackedTensor {
  /** How a block is packed. */
  readonly type: GgufType;
  /** Lengths of the axes, in elements. */
  readonly shape: readonly number[];
  /** The blocks, on their own buffer from byte 0. */
  readonly bytes: Uint8Array;
  /** Elements of a block. */
  readonly blockSize: number;
  /** Bytes of a block. */
  readonly blockBytes: number;
}

/** The elements of a packed tensor, exactly as the blocks say. */
export function unpackTensor({ type, bytes }: Pick<PackedTensor, 'type' | 'bytes'>): Float32Array {
  const { blockSize, blockBytes, unpack } = BLOCK_FORMATS[type];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks = bytes.byteLength / blockBytes;
  const out = new Float32Array(blocks * blockSize);
  for (let block = 0; block < blocks; block++)
    unpack(view, block * blockBytes, out, block * blockSize);
  return out;
}
