/** @file What models are loaded from: named arrays. */
import type { DType, Shape, TypedArray } from '@camada/tensor';
import type { PackedBlocks } from '../quantized/blocks.ts';

/** One stored array; f16 and bf16 are raw 16-bit patterns. */
export interface WeightEntry {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TypedArray;
}

/** A checkpoint: what `openSafetensors` of @camada/hub gives, or anything like it. */
export interface WeightFile {
  readonly names: readonly string[];
  /** Shape of an array before it is read, where the file can tell; then nothing is loaded when one does not fit. */
  entry?(name: string): { readonly shape: Shape };
  read(name: string): WeightEntry | Promise<WeightEntry>;
  /** The array as the file packs it; undefined where it holds plain numbers. */
  packed?(name: string): Promise<PackedBlocks | undefined>;
}
