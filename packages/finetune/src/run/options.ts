/** @file What a user can choose for a run, and what applies where nothing is chosen. */
import { InputError } from '@camada/tensor';
import type { ScheduleName } from '@camada/nn';
import type { DataSource, ReadOptions } from '../data/source.ts';
import type { FinetuneTask } from '../model/task.ts';
import { layerChoice, type LayerChoice, type LayersOption } from '../select/choice.ts';
import { USUAL_SAMPLES } from '../select/measure.ts';
import { checkMethod, type Method } from '../train/method.ts';
import type { PrefixCacheOptions } from '../prefix/options.ts';
import { OPTIMIZERS, type OptimizerName } from '../train/optimizer.ts';
import type { RunEvent } from './events.ts';

/** The files of a run and their columns. */
export interface FinetuneData extends ReadOptions {
  /** Examples to learn from: a path (Node), a source or a table. */
  readonly train: DataSource;
  /** Examples to measure on; a tenth of the training data when left out. */
  readonly test?: DataSource;
}

/** Choices of `finetune`. */
export interface FinetuneOptions {
  readonly data: FinetuneData;
  /** What is learnt; from the model and the labels when left out. */
  readonly task?: FinetuneTask;
  /** Which layers train; all when left out. */
  readonly layers?: LayersOption;
  /** How; LoRA with r 8 and alpha 16 when left out. */
  readonly method?: Method;
  /** Passes over the data; 3. */
  readonly epochs?: number;
  /** Most steps; no limit when left out. */
  readonly maxSteps?: number;
  /** Examples a step; 16. */
  readonly batchSize?: number;
  /** Largest learning rate; the method's usual one when left out. */
  readonly learningRate?: number;
  /** Longest text in tokens; 128, or what the model takes. */
  readonly maxLength?: number;
  /** Share of the steps in which the learning rate rises; 0.06. */
  readonly warmupRatio?: number;
  /** What updates the parameters; AdamW. With 8-bit moments its state takes a quarter of the memory. */
  readonly optimizer?: OptimizerName;
  /** Decoupled weight decay; 0.01. */
  readonly weightDecay?: number;
  /** Largest global norm of the gradients; 1, and 0 for no limit. */
  readonly maxGradNorm?: number;
  /** Course of the learning rate after the warm-up; linear. */
  readonly scheduler?: ScheduleName;
  /** Seed of everything that is drawn; 0. */
  readonly seed?: number;
  /** Examples that layers are measured on with CKA; 256, and 0 for no measurement. */
  readonly samples?: number;
  /** Measure as the published protocol does. */
  readonly paper?: boolean;
  /** Gives LoRA in each chosen layer a rank by its score, at the same number of parameters. */
  readonly rankByImportance?: boolean;
  /** Compute what is inside blocks a second time in the backward pass instead of keeping it; no. */
  readonly checkpointing?: boolean;
  /** Dropout in the frozen layers below the lowest that trains, and in the embeddings; yes. */
  readonly frozenDropout?: boolean;
  /** How what these layers hand on is kept from epoch to epoch; false to compute it each time. */
  readonly prefixCache?: PrefixCacheOptions | false;
  /** Folder (Node) for `metrics.jsonl` and checkpoints while the run goes on; `save` removes it. None when left out. */
  readonly work?: string;
  /** Steps from checkpoint to checkpoint, with `work`; 500. */
  readonly saveSteps?: number;
  /** Go on with the run that `work` holds, if it has got to a checkpoint. */
  readonly resume?: boolean;
  /** Called as the run goes on. */
  readonly onEvent?: (event: RunEvent) => void;
}

/** All choices made. */
export interface Settings extends Required<
  Omit<FinetuneOptions, 'task' | 'maxSteps' | 'maxLength' | 'layers' | 'learningRate' | 'work'>
> {
  readonly work: string | undefined;
  readonly task: FinetuneTask | undefined;
  readonly maxSteps: number | undefined;
  readonly maxLength: number | undefined;
  readonly learningRate: number | undefined;
  readonly layers: LayerChoice;
}

/** Fills in what was left out. Throws InputError naming the choice that is not possible. */
export function settingsOf(options: FinetuneOptions): Settings {
  const method = options.method ?? { type: 'lora' };
  checkMethod(method);
  const settings: Settings = {
    data: options.data,
    task: options.task,
    layers: layerChoice(options.layers ?? 'all'),
    method,
    epochs: options.epochs ?? 3,
    maxSteps: options.maxSteps,
    batchSize: options.batchSize ?? 16,
    learningRate: options.learningRate,
    maxLength: options.maxLength,
    warmupRatio: options.warmupRatio ?? 0.06,
    optimizer: optimizerOf(options.optimizer ?? 'adamw'),
    weightDecay: options.weightDecay ?? 0.01,
    maxGradNorm: options.maxGradNorm ?? 1,
    scheduler: options.scheduler ?? 'linear',
    seed: options.seed ?? 0,
    samples: options.samples ?? USUAL_SAMPLES,
    paper: options.paper ?? false,
    rankByImportance: options.rankByImportance ?? false,
    checkpointing: options.checkpointing ?? false,
    frozenDropout: options.frozenDropout ?? true,
    prefixCache: options.prefixCache ?? {},
    work: options.work,
    saveSteps: options.saveSteps ?? 500,
    resume: options.resume ?? false,
    onEvent: options.onEvent ?? (() => undefined),
  };
  checkSettings(settings);
  return settings;
}

function optimizerOf(name: OptimizerName): OptimizerName {
  if (OPTIMIZERS.includes(name)) return name;
  throw new InputError(`optimizer is "${String(name)}", but must be ${OPTIMIZERS.join(' or ')}.`);
}

function checkSettings(settings: Settings): void {
  const { epochs, maxSteps, batchSize, learningRate = 0, warmupRatio, seed, samples } = settings;
  const rules: readonly (readonly [string, number, boolean, string])[] = [
    ['epochs', epochs, epochs > 0 && Number.isFinite(epochs), 'a number above 0'],
    ['max-steps', maxSteps ?? 1, whole(maxSteps ?? 1, 1), 'a whole number from 1'],
    ['batch-size', batchSize, whole(batchSize, 1), 'a whole number from 1'],
    ['learning-rate', learningRate, notNegative(learningRate), 'a number from 0'],
    ['warmup-ratio', warmupRatio, warmupRatio >= 0 && warmupRatio <= 1, 'a number from 0 to 1'],
    ['weight-decay', settings.weightDecay, notNegative(settings.weightDecay), 'a number from 0'],
    ['max-grad-norm', settings.maxGradNorm, notNegative(settings.maxGradNorm), 'a number from 0'],
    ['seed', seed, whole(seed, 0), 'a whole number from 0'],
    ['samples', samples, whole(samples, 0), 'a whole number from 0'],
    ['save-steps', settings.saveSteps, whole(settings.saveSteps, 1), 'a whole number from 1'],
  ];
  for (const [name, value, good, allowed] of rules)
    if (!good) throw new InputError(`${name} is ${value}, but must be ${allowed}.`);
}

function whole(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least;
}

function notNegative(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}
