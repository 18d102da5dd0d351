/**
 * @file What a model still knows after training: how well a second task can be read off its hidden states by a ridge
 * regression (Hoerl and Kennard 1970, Technometrics 12(1)), or how well it predicts a second text.
 */
import { Matrix, choleskyMatrix, solveMatrix } from '@camada/tensor/linalg';
import { createContext, meanPool, type HeadModel } from '@camada/nn';
import { disposeBatch, evaluationBatches, toBatch, type BatchShape } from '../data/batches.ts';
import type { EncodedRows, Row } from '../data/encode.ts';
import { encodeFor, splitExamples, type Split } from '../data/load.ts';
import { readExamples } from '../data/source.ts';
import { labelsOf, taskOfLabels } from '../data/targets.ts';
import { evaluateRows } from '../eval/evaluate.ts';
import { pearson, ranks } from '../eval/metrics.ts';
import type { Network } from '../model/network.ts';
import type { FinetuneData } from '../run/options.ts';
import type { Ground } from './ground.ts';

/** A second task. */
export interface SecondTask {
  readonly rows: Split<EncodedRows>;
  /** How many classes; undefined where values are predicted, or the next token. */
  readonly classes: number | undefined;
  /** What is measured, larger is better. */
  readonly metric: 'accuracy' | 'spearman' | 'negative loss';
}

/** Reads a second task. Throws InputError when its files do not fit. */
export async function secondTask(
  { loaded, network, shape, settings }: Ground,
  data: FinetuneData,
): Promise<SecondTask> {
  const running = network.task === 'causal-lm';
  const examples = await readExamples(data.train, data);
  const task = running ? 'causal-lm' : taskOfLabels(examples);
  const labels = task === 'classification' ? labelsOf(examples, undefined) : undefined;
  const { test, train } =
    data.test === undefined
      ? splitExamples(examples, settings.seed)
      : { train: examples, test: await readExamples(data.test, data) };
  const { tokenizer } = loaded;
  const target = { task, labels, tokenizer, maxLength: shape.maxLength };
  return {
    rows: { train: encodeFor(train, target), test: encodeFor(test, target) },
    classes: labels?.names.length,
    metric: running ? 'negative loss' : labels ? 'accuracy' : 'spearman',
  };
}

/** How well a network knows the second task, larger is better. */
export async function retained(
  network: Network,
  { rows, classes, metric }: SecondTask,
  shape: BatchShape,
): Promise<number> {
  if (metric === 'negative loss') return -(await evaluateRows(network, rows.test.rows, shape)).loss;
  const wanted = (row: Row): number[] => {
    const target = typeof row.target === 'number' ? row.target : NaN;
    return classes === undefined
      ? [target]
      : Array.from({ length: classes }, (_, c) => Number(c === target));
  };
  const [seen, unseen] = [rows.train.rows, rows.test.rows];
  const weights = ridge(await features(network.model, seen, shape), seen.map(wanted));
  const predicted = (await features(network.model, unseen, shape)).times(weights);
  const targets = unseen.map(({ target }) => Number(target));
  if (classes === undefined)
    return pearson(ranks(predicted.data.map((row) => row[0]!)), ranks(targets)) ?? 0;
  const right = predicted.data.filter((row, i) => row.indexOf(Math.max(...row)) === targets[i]);
  return right.length / targets.length;
}

/** Mean-pooled last hidden states and a one, [n, C + 1]. */
async function features(
  model: HeadModel,
  rows: readonly Row[],
  shape: BatchShape,
): Promise<Matrix> {
  const found = new Map<Row, Float64Array>();
  const bare = new Map<Row, Row>(rows.map((row) => [{ ...row, target: undefined }, row]));
  for (const group of evaluationBatches([...bare.keys()], shape)) {
    const batch = toBatch(group, model.limits, shape);
    const { hidden } = model.call(batch, createContext()); // [B, T, C]
    const [, length, width] = hidden.shape as [number, number, number];
    const own = hidden.slice(1, length - batch.inputIds.shape[1]!, length); // without virtual tokens
    const data = await meanPool(own, batch.attentionMask).data(); // [B, C]
    group.rows.forEach((row, i) =>
      found.set(bare.get(row)!, Float64Array.of(...data.subarray(i * width, (i + 1) * width), 1)),
    );
    disposeBatch(batch);
  }
  return new Matrix(rows.map((row) => found.get(row)!));
}

/** Share of the mean of the squares on the diagonal that is added to it. */
const RIDGE = 1e-3;

/** W with (XᵀX + λI)·W = XᵀY. */
function ridge(x: Matrix, targets: readonly (readonly number[])[]): Matrix {
  const turned = x.transpose();
  const square = turned.times(x);
  const trace = square.data.reduce((sum, row, i) => sum + row[i]!, 0);
  square.data.forEach((row, i) => (row[i]! += (RIDGE * trace) / x.columns));
  const y = new Matrix(targets.map((row) => Float64Array.from(row)));
  const lower = choleskyMatrix(square);
  return solveMatrix(lower.transpose(), solveMatrix(lower, turned.times(y)));
}
