/** @file Running a network over a file's rows and measuring it. */
import { createContext, enterAt, type Batch, type Context } from '@camada/nn';
import type { Network } from '../model/network.ts';
import {
  disposeBatch,
  evaluationBatches,
  toBatch,
  type BatchShape,
  type RowGroup,
} from '../data/batches.ts';
import type { Row } from '../data/encode.ts';
import type { Prefix } from '../train/prefix.ts';
import {
  classificationMetrics,
  languageMetrics,
  regressionMetrics,
  type Metrics,
} from './metrics.ts';

/** Called after each batch with the number of rows done and of all rows. */
export type EvaluationProgress = (done: number, total: number) => void;

/** How rows are measured. */
interface Measuring {
  readonly network: Pick<Network, 'model' | 'task'>;
  readonly groups: readonly RowGroup[];
  readonly shape: BatchShape;
  readonly onProgress: EvaluationProgress;
  readonly prefix: Prefix | undefined;
}

/**
 * Measures a network on rows with targets; dropout is off.
 * @param prefix where the hidden states come from with which passes begin; whole passes when left out.
 */
export async function evaluateRows(
  network: Pick<Network, 'model' | 'task'>,
  rows: readonly Row[],
  shape: BatchShape,
  onProgress: EvaluationProgress = () => undefined,
  prefix?: Prefix,
): Promise<Metrics> {
  const groups = evaluationBatches(rows, shape);
  const measuring = { network, groups, shape, onProgress, prefix };
  return network.task === 'causal-lm' ? languageModel(measuring) : sequences(measuring);
}

/** The context of a pass over a group. */
async function contextOf({ prefix }: Measuring, group: RowGroup, batch: Batch): Promise<Context> {
  const context = createContext();
  return prefix ? enterAt(context, prefix.layer, await prefix.hidden(group.rows, batch)) : context;
}

async function sequences(measuring: Measuring): Promise<Metrics> {
  const { network, groups, shape, onProgress } = measuring;
  const { model, task } = network;
  const classes = model.limits.labels.count;
  const logits: number[] = [];
  const targets: number[] = [];
  for (const group of groups) {
    const real = group.rows.slice(0, group.rows.length - group.filler);
    const batch = toBatch(group, model.limits, shape);
    const context = await contextOf(measuring, group, batch);
    const output = model.call(batch, context).logits; // [B, N]
    logits.push(...(await output.data()).subarray(0, real.length * classes));
    for (const { target } of real) targets.push(typeof target === 'number' ? target : NaN);
    output.dispose();
    context.entry?.hidden.dispose();
    disposeBatch(batch);
    onProgress(targets.length, rowCount(groups));
  }
  return task === 'regression'
    ? regressionMetrics(logits, targets)
    : classificationMetrics(logits, targets, classes);
}

/** Sums on the device: the logits of a vocabulary would be large to read. */
async function languageModel(measuring: Measuring): Promise<Metrics> {
  const { network, groups, shape, onProgress } = measuring;
  const { model } = network;
  let [sum, tokens, done] = [0, 0, 0];
  for (const group of groups) {
    const batch = toBatch(group, model.limits, shape);
    const predicted = predictedTokens(group);
    const context = await contextOf(measuring, group, batch);
    sum += (await meanLoss(model, batch, context)) * predicted;
    context.entry?.hidden.dispose();
    tokens += predicted;
    done += group.rows.length - group.filler;
    disposeBatch(batch);
    onProgress(done, rowCount(groups));
  }
  return languageMetrics(sum, tokens);
}

async function meanLoss(model: Network['model'], batch: Batch, context: Context): Promise<number> {
  const loss = model.loss(model.call(batch, context), batch); // []
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
