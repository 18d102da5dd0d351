/** @file CKA on a sample of the task's data. */
import { layerImportance, type ImportanceReport } from '@camada/cka';
import type { Model } from '@camada/nn';
import {
  disposeBatch,
  evaluationBatches,
  sampleRows,
  toBatch,
  type BatchShape,
  type RowGroup,
} from '../data/batches.ts';
import type { Row } from '../data/encode.ts';

/** How layers are measured. */
export interface MeasureOptions {
  /** Most examples; 256 when left out. */
  readonly samples?: number;
  /** The published protocol instead of ours. */
  readonly paper?: boolean;
  readonly seed?: number;
  /** Called after each batch with the examples done and wanted. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Examples that are measured where the user names no number. */
export const USUAL_SAMPLES = 256;

/** Importance of every layer of a model on a seeded sample of rows. Throws InputError on too few rows. */
export async function measureLayers(
  model: Model,
  rows: readonly Row[],
  shape: BatchShape,
  { samples = USUAL_SAMPLES, paper = false, seed = 0, onProgress }: MeasureOptions = {},
): Promise<ImportanceReport> {
  const sample = sampleRows(rows, samples, seed);
  const bare = sample.map((row) => ({ ...row, target: undefined }));
  const groups = evaluationBatches(bare, shape);
  return layerImportance(model, batchesOf(groups, model, shape), {
    paper,
    seed,
    maxExamples: sample.length,
    onProgress: (done) => onProgress?.(Math.min(done, sample.length), sample.length),
  });
}

/** Filler rows come last, beyond `maxExamples`, and are not used. */
function* batchesOf(
  groups: readonly RowGroup[],
  model: Model,
  shape: BatchShape,
): Generator<ReturnType<typeof toBatch>> {
  for (const group of groups) {
    const batch = toBatch(group, model.limits, shape);
    yield batch;
    disposeBatch(batch);
  }
}
