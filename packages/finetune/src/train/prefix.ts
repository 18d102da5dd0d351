/** @file Where the hidden states come from with which the passes of training begin. */
import type { Batch } from '@camada/nn';
import type { Tensor } from '@camada/tensor';
import type { Row } from '../data/encode.ts';

/** Inputs of one block for rows. */
export interface Prefix {
  /** The block. */
  readonly layer: number;
  /** Its input for a batch, [B, T, C]; the caller disposes it. */
  hidden(rows: readonly Row[], batch: Batch): Promise<Tensor>;
}
