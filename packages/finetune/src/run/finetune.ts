/** @file A whole run: prepare, measure, train, measure again. */
import { addedNumbers, LORA, type LoraConfig } from '@camada/lora';
import { device, type Device } from '@camada/tensor';
import { countParameters } from '@camada/nn';
import type { ImportanceReport } from '@camada/cka';
import { evaluateRows } from '../eval/evaluate.ts';
import type { Metrics } from '../eval/metrics.ts';
import type { LoadedModel } from '../model/load.ts';
import type { Network } from '../model/network.ts';
import { outputFiles } from '../save/output.ts';
import { saveFiles, type Files } from '../save/folder.ts';
import { countSteps, train, type StepReport } from '../train/loop.ts';
import { prepareTraining, type Trainable } from '../train/trainable.ts';
import type { Phase, RunSummary } from './events.ts';
import { settingsOf, type FinetuneOptions, type Settings } from './options.ts';
import { prepare, type Prepared } from './prepare.ts';

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
  const { network, layers } = prepared;
  const { method, seed, onEvent } = settings;
  const steps = countSteps(prepared.rows.train.rows.length, settings);
  const trainable = await prepareTraining(network, {
    method,
    layers,
    seed,
    steps,
    baseName: loaded.name,
  });
  const summary = summaryOf(loaded, prepared, settings, trainable, target);
  onEvent({ type: 'start', summary });
  const before = await measured('before', prepared, settings);
  const history = await train(
    network.model,
    trainable.parameters,
    prepared.rows.train.rows,
    {
      ...settings,
      maxLength: prepared.maxLength,
      learningRate: prepared.learningRate,
      hooks: trainable.hooks,
    },
    (report) => onEvent({ type: 'step', report }),
  );
  const after = await measured('after', prepared, settings);
  const result: RunResult = {
    before,
    after,
    trainableParameters: summary.trainableParameters,
    totalParameters: summary.totalParameters,
    layers,
    seconds: (performance.now() - began) / 1000,
    peakBytes: target.memory().peak,
  };
  return finished(result, { loaded, summary, history, prepared, trainable });
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
    totalParameters: countParameters(model) + (adapter ? addedNumbers(adapter) : 0),
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
}

function finished(result: RunResult, parts: Finished): Run {
  const { loaded, summary, history, prepared, trainable } = parts;
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
    save: async (directory) => saveFiles(directory, await files()),
  };
}
