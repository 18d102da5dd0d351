/**
 * @file The importance of every layer for a task: importance(i) = 1 − CKA(R[i], R[i+1]), where R[i] is what layer i
 * (from 0) receives and R[i+1] what it hands on, on the task's own data. Ogawa et al. 2026, arXiv 2602.05988.
 */
import { InputError, type RandomKey } from '@camada/tensor';
import { seedKey, type Batch, type Model } from '@camada/nn';
import { pooledLevels, type CaptureOptions } from './capture.ts';
import type { Comparer, Comparison } from './comparison.ts';
import { FEWEST, type Estimator } from './gram.ts';
import { intervalOf } from './interval.ts';
import { KeptLevels } from './kept.ts';
import { MinibatchedLevels } from './minibatched.ts';
import { notesOf } from './notes.ts';
import { clamp, spearman } from './numbers.ts';
import type { OutlierReport } from './outliers.ts';
import { paperProtocol, type Protocol } from './paper.ts';
import { StreamedLevels } from './streamed.ts';

/** Settings of `layerImportance`. */
export interface ImportanceOptions extends CaptureOptions {
  /** @defaultValue 'debiased' */
  readonly estimator?: Estimator;
  /** The published protocol exactly: estimator, pooling and last hidden state follow from the model. */
  readonly paper?: boolean;
  /**
   * Any number of examples in one pass: `exact` with memory for C² numbers a pair of levels, `minibatch` (debiased
   * only, see `minibatched.ts`) with hardly any. Vectors are kept when left out, which alone tells about outliers.
   */
  readonly streaming?: 'exact' | 'minibatch';
  /** Without streaming, examples beyond this number are not used. @defaultValue 1024 */
  readonly maxExamples?: number;
  /** Resamples for the intervals; 0 for none. @defaultValue 100 */
  readonly resamples?: number;
  /** Share of the resamples that lie in an interval. @defaultValue 0.9 */
  readonly confidence?: number;
  /** Seed of the resamples. @defaultValue 0 */
  readonly seed?: number;
  /** Called after each batch with the number of examples so far. */
  readonly onProgress?: (examples: number) => void;
}

/** One layer. */
export interface LayerImportance {
  /** 0 for the layer after the embeddings. */
  readonly index: number;
  /** Path of its module. */
  readonly name: string;
  /** 1 − CKA, in [0, 1]; 0 where `excluded` says why it could not be measured. */
  readonly importance: number;
  /** Lower end of the interval; 0 and 1 are the ends where nothing is known. */
  readonly low: number;
  /** Upper end of the interval. */
  readonly high: number;
  /** Why the layer is left out of the ranking. */
  readonly excluded?: string;
}

/** What was measured, and how: values of different protocols must not be compared. */
export interface ImportanceReport {
  readonly layers: readonly LayerImportance[];
  /** CKA of all pairs of levels R0 … RL, [L+1][L+1]; null where it is not defined. */
  readonly matrix: readonly (readonly (number | null)[])[];
  readonly examples: number;
  readonly protocol: Protocol;
  readonly estimator: Estimator;
  readonly pooling: NonNullable<CaptureOptions['pooling']>;
  readonly lastHidden: NonNullable<CaptureOptions['lastHidden']>;
  /** Mean rank correlation (Spearman) of the resamples' rankings with this one; null without resamples. */
  readonly stability: number | null;
  /** The measurement without the most influential examples; null where it streamed or there are too few examples. */
  readonly outliers: OutlierReport | null;
  /** Sentences for the user: what was left out, what to doubt. */
  readonly notes: readonly string[];
}

/**
 * Measures every layer of a model on a task's batches (labels are not used). Examples are taken in order: shuffle them
 * first. Throws InputError when there are fewer than 4 examples (2 biased), or a hidden state is not finite.
 */
export async function layerImportance(
  model: Model,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  options: ImportanceOptions = {},
): Promise<ImportanceReport> {
  const settings = settingsOf(model, options);
  const levels = await feed(model, batches, settings);
  checkEnough(levels.examples, settings.estimator);
  const comparison = await levels.comparer.finish({
    estimator: settings.estimator,
    resamples: settings.resamples,
    key: settings.key,
  });
  return report(model, comparison, settings, levels.cut);
}

interface Settings extends Required<CaptureOptions> {
  readonly estimator: Estimator;
  readonly protocol: Protocol;
  readonly comparer: Comparer;
  readonly resamples: number;
  readonly confidence: number;
  readonly seed: number;
  readonly key: RandomKey;
  readonly onProgress: (examples: number) => void;
}

function settingsOf(model: Model, options: ImportanceOptions): Settings {
  const { maxExamples = 1024, resamples = 100, confidence = 0.9, seed = 0 } = options;
  positive('maxExamples', maxExamples, 1);
  positive('resamples', resamples, 0);
  if (!(confidence > 0 && confidence < 1))
    throw new InputError(`layer importance: confidence ${confidence} is not between 0 and 1`);
  return {
    protocol: 'camada',
    estimator: options.estimator ?? 'debiased',
    pooling: options.pooling ?? 'mean',
    lastHidden: options.lastHidden ?? 'raw',
    ...(options.paper && paperProtocol(model)),
    comparer: comparerFor(options.streaming, maxExamples),
    seed,
    resamples,
    confidence,
    key: seedKey(seed),
    onProgress: options.onProgress ?? (() => undefined),
  };
}

function comparerFor(streaming: ImportanceOptions['streaming'], maxExamples: number): Comparer {
  if (streaming === 'exact') return new StreamedLevels();
  return streaming === 'minibatch' ? new MinibatchedLevels() : new KeptLevels(maxExamples);
}

function positive(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least)
    throw new InputError(
      `layer importance: ${name} ${value} is not a whole number from ${least} up`,
    );
}

/** Runs the model over the batches until no more are wanted; `cut` where some were left. */
async function feed(
  model: Model,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  settings: Settings,
): Promise<{ comparer: Comparer; examples: number; cut: boolean }> {
  const { comparer, onProgress } = settings;
  let [examples, rows, number] = [0, 0, 0];
  for await (const batch of batches) {
    if (comparer.full) return { comparer, examples: rows, cut: true };
    const levels = await pooledLevels(model, batch, settings, settings.seed + number++);
    await comparer.add(levels);
    levels.forEach((level) => level.dispose());
    rows += levels[0]!.shape[0]!;
    examples += batch.inputIds.shape[0]!;
    onProgress(examples);
  }
  return { comparer, examples: rows, cut: false };
}

function checkEnough(examples: number, estimator: Estimator): void {
  const fewest = estimator === 'debiased' ? FEWEST : 2;
  if (examples < fewest)
    throw new InputError(
      `layer importance: ${examples} example${examples === 1 ? ' is' : 's are'} too few to compare layers: ` +
        `${estimator} CKA needs at least ${fewest}, and 64 or more make the ranking stable`,
    );
}

function report(
  model: Model,
  comparison: Comparison,
  settings: Settings,
  cut: boolean,
): ImportanceReport {
  const layers = model.layers.map(({ index, name }) => layer(index, name, comparison, settings));
  return {
    layers,
    matrix: comparison.matrix.map((row) => row.map((value) => value ?? null)),
    examples: comparison.examples,
    protocol: settings.protocol,
    estimator: settings.estimator,
    pooling: settings.pooling,
    lastHidden: settings.lastHidden,
    stability: stabilityOf(layers, comparison),
    outliers: comparison.outliers ?? null,
    notes: notesOf(layers, comparison, { ...settings, cut }),
  };
}

function layer(
  index: number,
  name: string,
  comparison: Comparison,
  { protocol, confidence, pooling }: Settings,
): LayerImportance {
  const similarity = comparison.matrix[index]![index + 1];
  if (similarity === undefined) {
    const why = reason(index, comparison, pooling);
    // The published code clamps the denominator to 1e-12, so 0/0 is a CKA of 0 there.
    const importance = protocol === 'camada' ? 0 : 1;
    return { index, name, importance, low: 0, high: 1, excluded: why };
  }
  const importance = clamp(1 - similarity, 0, 1);
  const drawn = comparison.resampled.flatMap((row) =>
    row[index] === undefined ? [] : [1 - row[index]],
  );
  return {
    index,
    name,
    importance,
    ...intervalOf(importance, drawn, confidence, comparison.shrink),
  };
}

function reason(index: number, { constant, examples }: Comparison, pooling: string): string {
  const side = constant[index] ? index : constant[index + 1] ? index + 1 : undefined;
  if (side === undefined)
    return `the similarity of its input and output cannot be told from ${examples} examples: use more`;
  const what = side === 0 ? 'the output of the embeddings' : `the output of layer ${side - 1}`;
  const put = side === index ? 'its input' : 'its output';
  const advice = pooling === 'mean' ? 'use examples that differ' : "use the pooling 'mean'";
  return `${put}, ${what}, is the same for all ${examples} examples (pooling '${pooling}'), so similarity is not defined: ${advice}`;
}

function stabilityOf(layers: readonly LayerImportance[], { resampled }: Comparison): number | null {
  const measured = layers.filter((layer) => layer.excluded === undefined);
  const full = measured.map((layer) => layer.importance);
  const values = resampled.flatMap((row) => {
    const drawn = measured.map(({ index }) => row[index]);
    if (drawn.includes(undefined)) return [];
    return (
      spearman(
        full,
        drawn.map((similarity) => 1 - similarity!),
      ) ?? []
    );
  });
  if (values.length === 0) return null;
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
