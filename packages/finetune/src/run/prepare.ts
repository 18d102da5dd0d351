/** @file Everything of a run before its weights change: data, task, network, measured layers. */
import { InputError, tensor } from '@camada/tensor';
import { setParameter } from '@camada/nn';
import type { ImportanceReport } from '@camada/cka';
import { cutLength, type EncodedRows } from '../data/encode.ts';
import { encodeFor, splitBlocks, splitExamples, type EncodeFor, type Split } from '../data/load.ts';
import { readExamples, type Examples, type ReadOptions } from '../data/source.ts';
import { labelsOf, taskOfLabels } from '../data/targets.ts';
import { biasOf, outputWeight } from '../model/head.ts';
import type { LoadedModel } from '../model/load.ts';
import { buildNetwork, type Network } from '../model/network.ts';
import { checkTask, type FinetuneTask } from '../model/task.ts';
import { checkChoice } from '../select/choice.ts';
import { measureLayers } from '../select/measure.ts';
import type { Prediction } from '../select/predict.ts';
import { usualLearningRate, virtualTokens, type Method } from '../train/method.ts';
import { checkMethodFits } from '../train/trainable.ts';
import { chooseLayers } from './choose.ts';
import type { Settings } from './options.ts';

/** A run that is ready to train. */
export interface Prepared {
  readonly network: Network;
  readonly rows: Split<EncodedRows>;
  readonly maxLength: number;
  /** Undefined where nothing was measured. */
  readonly importance: ImportanceReport | undefined;
  /** Numbers of the layers to train. */
  readonly layers: readonly number[];
  /** How, with ranks where they follow the scores. */
  readonly method: Method;
  /** What they will cost, beside all layers; undefined where that cannot be told. */
  readonly prediction: Prediction | undefined;
  /** Largest learning rate of the schedule. */
  readonly learningRate: number;
}

/** Reads and checks everything. Throws InputError before any work that takes long. */
export async function prepare(loaded: LoadedModel, settings: Settings): Promise<Prepared> {
  if (loaded.adapter)
    throw new InputError(
      `${loaded.name} was opened with an adapter; merge it first, then fine-tune the merged model.`,
    );
  const examples = await readTraining(loaded, settings);
  const task = decideTask(loaded, settings, examples);
  const labels = task === 'classification' ? labelsOf(examples, loaded.labelNames) : undefined;
  const network = await buildNetwork(loaded, { task, labels, seed: settings.seed });
  checkMethodFits(network, settings.method);
  checkChoice(settings.layers, network.model.layers.length);
  const { limits } = network.model;
  const room = { ...limits, maxLength: limits.maxLength - virtualTokens(settings.method) };
  const maxLength = cutLength(settings.maxLength, room, loaded.tokenizer);
  const target: EncodeFor = { task, labels, tokenizer: loaded.tokenizer, maxLength };
  const rows = await encodeAll(examples, settings, target);
  if (task === 'regression') startAtMean(network, rows.train);
  noteTruncation(rows.train, settings, maxLength);
  const importance = await measure(network, rows.train, settings, maxLength);
  const choosing = { loaded, network, rows: rows.train.rows, maxLength, settings, importance };
  const chosen = await chooseLayers(choosing);
  const { learningRate } = settings;
  const usual = usualLearningRate(settings.method, network.model.config.hidden_size);
  return { network, rows, maxLength, importance, ...chosen, learningRate: learningRate ?? usual };
}

/** Language models need no label column; without one, what can predict text is trained to do so. */
async function readTraining(loaded: LoadedModel, settings: Settings): Promise<Examples> {
  const { data, task } = settings;
  const running =
    task === undefined && data.label === undefined && loaded.tasks.includes('causal-lm');
  const onlyText = task === 'causal-lm' || running;
  if (!onlyText && data.label === undefined)
    throw new InputError('Which column holds the labels? Name it (--label).');
  return readExamples(data.train, readOptions(data, onlyText));
}

function readOptions(data: Settings['data'], onlyText: boolean): ReadOptions {
  const { text, textPair, label, header } = data;
  return {
    ...(text !== undefined && { text }),
    ...(header !== undefined && { header }),
    ...(!onlyText && textPair !== undefined && { textPair }),
    ...(!onlyText && label !== undefined && { label }),
  };
}

function decideTask(loaded: LoadedModel, settings: Settings, examples: Examples): FinetuneTask {
  if (settings.task) {
    checkTask(settings.task, loaded.tasks, loaded.name);
    return settings.task;
  }
  const task = taskOfLabels(examples);
  checkTask(task, loaded.tasks, loaded.name);
  if (task === 'regression')
    settings.onEvent({
      type: 'note',
      text: 'The labels are real numbers, so this is regression; say --task classification if they are classes.',
    });
  return task;
}

async function encodeAll(
  train: Examples,
  settings: Settings,
  target: EncodeFor,
): Promise<Split<EncodedRows>> {
  const { data, seed } = settings;
  if (data.test !== undefined) {
    const test = await readExamples(data.test, readOptions(data, target.task === 'causal-lm'));
    return { test: encodeFor(test, target), train: encodeFor(train, target) };
  }
  const split: Split<EncodedRows> =
    target.task === 'causal-lm'
      ? splitBlocks(encodeFor(train, target))
      : encodedSplit(splitExamples(train, seed), target);
  settings.onEvent({
    type: 'note',
    text: `No test file was given: ${split.test.rows.length} of ${split.test.rows.length + split.train.rows.length} examples are held out.`,
  });
  return split;
}

function encodedSplit({ train, test }: Split<Examples>, target: EncodeFor): Split<EncodedRows> {
  return { train: encodeFor(train, target), test: encodeFor(test, target) };
}

/** A fresh head predicts the mean of the training values; from 0 it would spend its first steps on getting there. */
export function startAtMean({ model, fresh }: Network, { rows }: EncodedRows): void {
  const output = outputWeight((name) => fresh.includes(name) && fresh.includes(biasOf(name)));
  if (output === undefined) return;
  const targets = rows.map(({ target }) => (typeof target === 'number' ? target : NaN));
  const mean = targets.reduce((sum, value) => sum + value, 0) / targets.length;
  setParameter(model, biasOf(output), tensor(Float32Array.of(mean)));
}

function noteTruncation(
  { truncated, rows, name }: EncodedRows,
  { onEvent }: Settings,
  maxLength: number,
): void {
  if (truncated / rows.length < 0.02) return;
  onEvent({
    type: 'note',
    text: `${truncated} of ${rows.length} texts of ${name} fill or exceed ${maxLength} tokens and are cut there (--max-length).`,
  });
}

/** Layers play no part in training the head only, but the report shows them all the same. */
async function measure(
  { model }: Network,
  { rows }: EncodedRows,
  settings: Settings,
  maxLength: number,
): Promise<ImportanceReport | undefined> {
  const { samples, paper, seed, batchSize, onEvent, layers } = settings;
  const fewest = 4;
  if (samples === 0 || (rows.length < fewest && layers.select !== 'cka')) return undefined;
  const report = await measureLayers(
    model,
    rows,
    { batchSize, maxLength },
    {
      samples,
      paper,
      seed,
      onProgress: (done, total) => onEvent({ type: 'progress', phase: 'measure', done, total }),
    },
  );
  onEvent({ type: 'importance', report });
  return report;
}
