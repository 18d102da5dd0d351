/** @file A whole run: prepare, measure, train, measure again. */
import { addedNumbers, LORA, type LoraConfig } from '@camada/lora';
import { InputError, device, type Device } from '@camada/tensor';
import { checkpointLayers, countWeights } from '@camada/nn';
import type { ImportanceReport } from '@camada/cka';
import { evaluateRows } from '../eval/evaluate.ts';
import type { Metrics } from '../eval/metrics.ts';
import type { LoadedModel } from '../model/load.ts';
import type { Network } from '../model/network.ts';
import { outputFiles } from '../save/output.ts';
import { closePrefix, planPrefix } from '../prefix/plan.ts';
import { firstLines } from '../report/metrics-log.ts';
import { saveFiles, type Files } from '../save/folder.ts';
import { countSteps, train, type StepReport } from '../train/loop.ts';
import type { Prefix } from '../train/prefix.ts';
import { canResume, type TrainingState } from '../train/state.ts';
import { fitFeatures } from '../train/features.ts';
import { prepareTraining, type Trainable } from '../train/trainable.ts';
import type { Phase, RunSummary } from './events.ts';
import { identityOf } from './identity.ts';
import { settingsOf, type FinetuneOptions, type Settings } from './options.ts';
import { prepare, type Prepared } from './prepare.ts';
import { WorkFolder, type Interrupted } from './work.ts';

/** What a run found out. */
export interface RunResult {
  readonly before: Metrics;
  readonly after: Metrics;
  readonly trainableParameters: number;
  readonly totalParameters: number;
  /** Numbers of the layers that were trained. */
  readonly layers: readonly number[];
  /** The whole run. */
  readonly seconds: number;
  /** Most device memory ever held, pooled memory included. */
  readonly peakBytes: number;
}

/** A finished run. */
export interface Run extends RunResult {
  readonly summary: RunSummary;
  /** Every step. */
  readonly history: readonly StepReport[];
  /** Undefined where layers were not measured. */
  readonly importance: ImportanceReport | undefined;
  /** The trained network. */
  readonly network: Network;
  /** Files of the output folder by name: adapter or model, `metrics.jsonl`, `report.html`. */
  files(): Promise<Files>;
  /**
   * Writes the output folder, whole or not at all (Node). Throws InputError when something else than an earlier
   * output is in its place.
   */
  save(directory: string): Promise<void>;
}

/**
 * Fine-tunes a model; the folder it came from is not changed, and each run starts from its weights. Throws
 * InputError when data, model or choices do not fit (before any long work), or when the loss is no longer a number.
 */
export async function finetune(loaded: LoadedModel, options: FinetuneOptions): Promise<Run> {
  const began = performance.now();
  const settings = settingsOf(options);
  const prepared = await prepare(loaded, settings);
  const target = await device();
  const trainable = await makeTrainable(loaded, prepared, settings);
  const summary = summaryOf(loaded, prepared, settings, trainable, target);
  settings.onEvent({ type: 'start', summary });
  const work = await openWork(prepared, settings, summary, trainable);
  const from = await begin(work, summary, prepared, settings);
  const before = from?.before ?? (await measured('before', prepared, settings));
  if (!from?.before) work?.append({ event: 'before', ...before });
  const history = await trained(prepared, settings, trainable, work, from);
  const after = await measured('after', prepared, settings);
  const result: RunResult = {
    before,
    after,
    trainableParameters: summary.trainableParameters,
    totalParameters: summary.totalParameters,
    layers: prepared.layers,
    seconds: (performance.now() - began) / 1000,
    peakBytes: target.memory().peak,
  };
  const { prediction } = prepared;
  if (prediction) settings.onEvent({ type: 'cost', prediction, truth: { ...result, history } });
  return finished(result, { loaded, summary, history, prepared, trainable, work });
}

async function makeTrainable(
  loaded: LoadedModel,
  { network, layers, method, rows }: Prepared,
  settings: Settings,
): Promise<Trainable> {
  const { seed, checkpointing } = settings;
  const steps = countSteps(rows.train.rows.length, settings);
  const options = { method, layers, seed, steps, baseName: loaded.name };
  const trainable = await prepareTraining(network, options);
  if (checkpointing) checkpointLayers(network.model);
  return trainable;
}

async function openWork(
  prepared: Prepared,
  settings: Settings,
  summary: RunSummary,
  { hooks }: Trainable,
): Promise<WorkFolder | undefined> {
  const { work, method, resume } = settings;
  if (resume && (work === undefined || !canResume(hooks)))
    throw new InputError(
      work === undefined
        ? 'resume needs the folder in which the run keeps its checkpoints (work).'
        : `A run with the method ${method.type} cannot go on from a checkpoint; start anew without resuming.`,
    );
  return work === undefined
    ? undefined
    : WorkFolder.open(work, identityOf(summary, prepared, settings));
}

/** Where an interrupted run stopped, if this one is to go on with it; otherwise the log begins anew. */
async function begin(
  work: WorkFolder | undefined,
  summary: RunSummary,
  { importance }: Prepared,
  { resume, onEvent }: Settings,
): Promise<Interrupted | undefined> {
  const from = resume ? await work?.resume() : undefined;
  if (from) {
    onEvent({ type: 'note', text: `Going on after step ${from.state.step}.` });
    return from;
  }
  if (work?.interrupted)
    onEvent({ type: 'note', text: 'An interrupted run was not resumed; it is replaced.' });
  work?.clear();
  for (const line of firstLines(summary, importance)) work?.append(line);
  return undefined;
}

async function trained(
  prepared: Prepared,
  settings: Settings,
  { parameters, hooks }: Trainable,
  work: WorkFolder | undefined,
  from: Interrupted | undefined,
): Promise<StepReport[]> {
  const { network, rows, maxLength, learningRate } = prepared;
  const { saveSteps, onEvent, method } = settings;
  if (method.type === 'features') return solved(prepared, settings);
  const save =
    work && canResume(hooks)
      ? { every: saveSteps, write: (state: TrainingState) => work.write(state) }
      : undefined;
  const prefix = await prefixOf(prepared, settings, parameters.keys());
  const options = { ...settings, maxLength, learningRate, hooks, prefix, from, save };
  const report = (step: StepReport): void => {
    work?.append({ event: 'step', ...step });
    onEvent({ type: 'step', report: step });
  };
  try {
    return await train(network.model, parameters, rows.train.rows, options, report);
  } finally {
    closePrefix(prefix, (text) => onEvent({ type: 'note', text }));
  }
}

/** The method without steps. */
function solved(
  { network, rows, maxLength }: Prepared,
  { batchSize, onEvent }: Settings,
): Promise<StepReport[]> {
  return fitFeatures(
    network,
    rows.train.rows,
    { batchSize, maxLength },
    {
      note: (text) => onEvent({ type: 'note', text }),
      onProgress: (done, total) => onEvent({ type: 'progress', phase: 'prefix', done, total }),
    },
  );
}

function prefixOf(
  { network, rows, maxLength }: Prepared,
  { batchSize, epochs, maxSteps, frozenDropout, prefixCache, onEvent }: Settings,
  parameters: Iterable<string>,
): Promise<Prefix | undefined> {
  const { length } = rows.train.rows;
  return planPrefix({
    model: network.model,
    parameters,
    rows: rows.train.rows,
    shape: { batchSize, maxLength },
    epochs: (countSteps(length, { epochs, maxSteps, batchSize }) * batchSize) / length,
    frozenDropout,
    prefixCache,
    note: (text) => onEvent({ type: 'note', text }),
    onProgress: (done, total) => onEvent({ type: 'progress', phase: 'prefix', done, total }),
  });
}

async function measured(
  phase: Extract<Phase, 'before' | 'after'>,
  { network, rows, maxLength }: Prepared,
  { batchSize, onEvent }: Settings,
): Promise<Metrics> {
  const shape = { batchSize, maxLength };
  const metrics = await evaluateRows(network, rows.test.rows, shape, (done, total) =>
    onEvent({ type: 'progress', phase, done, total }),
  );
  onEvent({ type: 'metrics', phase, metrics });
  return metrics;
}

function summaryOf(
  loaded: LoadedModel,
  { network, layers, rows, maxLength, learningRate }: Prepared,
  settings: Settings,
  { parameters, adapter }: Trainable,
  { info }: Device,
): RunSummary {
  const { model, task, labels } = network;
  return {
    model: loaded.name,
    modelType: model.config.model_type,
    task,
    method: settings.method.type,
    lora: adapter?.method === LORA ? (adapter.config as LoraConfig) : undefined,
    labels: labels?.names,
    layers,
    layerCount: model.layers.length,
    trainableParameters: [...parameters.values()].reduce((sum, { size }) => sum + size, 0),
    totalParameters: countWeights(model) + (adapter ? addedNumbers(adapter) : 0),
    examples: { train: rows.train.rows.length, test: rows.test.rows.length },
    learningRate,
    batchSize: settings.batchSize,
    epochs: settings.epochs,
    maxLength,
    seed: settings.seed,
    device: `${info.backend} (${info.adapter})`,
  };
}

/** What the output folder is made from. */
export interface Finished {
  readonly loaded: LoadedModel;
  readonly summary: RunSummary;
  readonly history: readonly StepReport[];
  readonly prepared: Prepared;
  readonly trainable: Trainable;
  readonly work: WorkFolder | undefined;
}

function finished(result: RunResult, parts: Finished): Run {
  const { loaded, summary, history, prepared, trainable, work } = parts;
  const { network, importance, maxLength } = prepared;
  const files = (): Promise<Files> =>
    outputFiles({
      loaded,
      network,
      adapter: trainable.adapter,
      record: { task: network.task, labels: network.labels?.names ?? null, maxLength },
      report: { ...result, summary, history, importance },
    });
  return {
    ...result,
    summary,
    history,
    importance,
    network,
    files,
    save: async (directory) => {
      await saveFiles(directory, await files());
      work?.remove();
    },
  };
}
