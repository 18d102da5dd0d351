/** @file Small pieces that heads of all families share. */
import { InputError, type Tensor } from '@camada/tensor';
import type { Batch } from '../batch.ts';
import type { LayerInfo } from './model.ts';

/** Layer paths below a field. */
export function prefixed(field: string, layers: readonly LayerInfo[]): readonly LayerInfo[] {
  return layers.map(({ index, name }) => ({ index, name: `${field}.${name}` }));
}

/** Hidden states [B, T, C] as rows: all [B·T, C], or those at flat positions i32 [P] only, [P, C]. */
export function chosenRows(hidden: Tensor, positions: Tensor | undefined): Tensor {
  const rows = hidden.flatten(0, 1);
  return positions ? rows.gather(positions) : rows;
}

/** The labels of a batch. Throws InputError when it has none. */
export function labelsOf(batch: Batch): Tensor {
  if (batch.labels) return batch.labels;
  throw new InputError('the loss needs labels: give them to createBatch');
}
