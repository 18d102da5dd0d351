/** @file Running a network over a file's rows and measuring it. */
import { createContext, type Batch } from '@camada/nn';
import type { Network } from '../model/network.ts';
import {
  disposeBatch,
  evaluationBatches,
  toBatch,
  type BatchShape,
  type RowGroup,
} from '../data/batches.ts';
import type { Row } from '../data/encode.ts';
import {
  classificationMetrics,
  languageMetrics,
  regressionMetrics,
  type Metrics,
} from './metrics.ts';

/** Called after each batch with the number of rows done and of all rows. */
export type EvaluationProgress = (done: number, total: number) => void;

/** Measures a network on rows with targets; dropout is off. */
export async function evaluateRows(
  network: Pick<Network, 'model' | 'task'>,
  rows: readonly Row[],
  shape: BatchShape,
  onProgress: EvaluationProgress = () => undefined,
): Promise<Metrics> {
  const groups = evaluationBatches(rows, shape);
  return network.task === 'causal-lm'
    ? languageModel(network, groups, shape, onProgress)
    : sequences(network, groups, shape, onProgress);
}

async function sequences(
  { model, task }: Pick<Network, 'model' | 'task'>,
  groups: readonly RowGroup[],
  shape: BatchShape,
  onProgress: EvaluationProgress,
): Promise<Metrics> {
  const classes = model.limits.labels.count;
  const logits: number[] = [];
  const targets: number[] = [];
  for (const group of groups) {
    const real = group.rows.slice(0, group.rows.length - group.filler);
    const batch = toBatch(group, model.limits, shape);
    const output = model.call(batch, createContext()).logits; // [B, N]
    logits.push(...(await output.data()).subarray(0, real.length * classes));
    for (const { target } of real) targets.push(typeof target === 'number' ? target : NaN);
    output.dispose();
    disposeBatch(batch);
    onProgress(targets.length, rowCount(groups));
  }
  return task === 'regression'
    ? regressionMetrics(logits, targets)
    : classificationMetrics(logits, targets, classes);
}

/** Sums on the device: the logits of a vocabulary would be large to read. */
async function languageModel(
  { model }: Pick<Network, 'model'>,
  groups: readonly RowGroup[],
  shape: BatchShape,
  onProgress: EvaluationProgress,
): Promise<Metrics> {
  let [sum, tokens, done] = [0, 0, 0];
  for (const group of groups) {
    const batch = toBatch(group, model.limits, shape);
    const predicted = predictedTokens(group);
    sum += (await meanLoss(model, batch)) * predicted;
    tokens += predicted;
    done += group.rows.length - group.filler;
    disposeBatch(batch);
    onProgress(done, rowCount(groups));
  }
  return languageMetrics(sum, tokens);
}

async function meanLoss(model: Network['model'], batch: Batch): Promise<number> {
  const loss = model.loss(model.call(batch, createContext()), batch); // []
  const value = await loss.item();
  loss.dispose();
  return value;
}

/** Every token but the first of each row. */
function predictedTokens({ rows, filler }: RowGroup): number {
  const real = rows.slice(0, rows.length - filler);
  return real.reduce((total, row) => total + row.ids.length - 1, 0);
}

function rowCount(groups: readonly RowGroup[]): number {
  return groups.reduce((total, group) => total + group.rows.length - group.filler, 0);
}
