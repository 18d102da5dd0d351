/** @file Scores of all layers by any selector, on a sample of the task's data. */
import {
  SELECTORS,
  TOKENS,
  layerImportance,
  type CaptureOptions,
  type ImportanceReport,
  type LayerScores,
  type Needs,
  type SelectorName,
} from '@camada/cka';
import type { Batch, Model } from '@camada/nn';
import {
  disposeBatch,
  evaluationBatches,
  sampleRows,
  toBatch,
  type BatchShape,
} from '../data/batches.ts';
import type { Row } from '../data/encode.ts';
import type { Network } from '../model/network.ts';

/** How layers are measured; pooling, last hidden state and streaming are of CKA. */
export interface MeasureOptions extends CaptureOptions {
  /** Any number of examples in bounded memory; see `ImportanceOptions`. */
  readonly streaming?: 'exact' | 'minibatch';
  /** Most examples; 256 when left out. */
  readonly samples?: number;
  /** The published protocol instead of ours, of CKA. */
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
  options: MeasureOptions = {},
): Promise<ImportanceReport> {
  const { samples = USUAL_SAMPLES, paper = false, seed = 0, onProgress } = options;
  const { pooling, lastHidden, streaming } = options;
  const sample = sampleRows(rows, samples, seed);
  const bare = sample.map((row) => ({ ...row, target: undefined }));
  return layerImportance(model, batchesOf(bare, model, shape), {
    paper,
    seed,
    ...(pooling && { pooling }),
    ...(lastHidden && { lastHidden }),
    ...(streaming && { streaming }),
    maxExamples: pooling === 'tokens' ? TOKENS * sample.length : sample.length,
    onProgress: (done) => onProgress?.(Math.min(done, sample.length), sample.length),
  });
}

/**
 * Scores of every layer by a selector, on the same sample. Throws InputError on too few rows, or where the selector needs
 * labels and there are none.
 */
export async function scoreLayers(
  selector: SelectorName,
  model: Model,
  rows: readonly Row[],
  shape: BatchShape,
  options: MeasureOptions = {},
): Promise<LayerScores> {
  const { needs } = SELECTORS[selector];
  if (selector === 'cka') return measureLayers(model, rows, shape, options);
  const { samples = USUAL_SAMPLES, seed = 0, onProgress } = options;
  const sample = needs === 'nothing' ? [] : sampleRows(rows, samples, seed);
  const used = sample.map((row) => (needs === 'labels' ? row : { ...row, target: undefined }));
  return SELECTORS[selector].score(model, batchesOf(used, model, shape), {
    seed,
    onProgress: (done) => onProgress?.(Math.min(done, sample.length), sample.length),
  });
}

/** Says so where gradients or accuracies pass through an untrained head. */
export function withHeadNote<T extends LayerScores>(
  scores: T,
  { fresh }: Pick<Network, 'fresh'>,
  needs: Needs,
): T {
  if (needs !== 'labels' || fresh.length === 0) return scores;
  return { ...scores, notes: [...scores.notes, UNTRAINED_HEAD] };
}

const UNTRAINED_HEAD =
  'The head is untrained, and this selector looks through it: of a model whose head was trained first (method head) the ranking would say more.';

/** By length; the last batch is smaller, since a repeated example would count twice. */
function* batchesOf(rows: readonly Row[], model: Model, shape: BatchShape): Generator<Batch> {
  if (rows.length === 0) return;
  for (const group of evaluationBatches(rows, shape)) {
    const real = group.rows.slice(0, group.rows.length - group.filler);
    const batch = toBatch({ rows: real, filler: 0 }, model.limits, shape);
    yield batch;
    disposeBatch(batch);
  }
}
