/** @file Which class builds which `config.json` for which task. A new architecture is one entry here. */
import { InputError } from '@camada/tensor';
import { initializeParameters } from '../init.ts';
import type { Architecture, HeadTask, ModelOptions, Task } from './architecture.ts';
import { BERT } from './bert-heads.ts';
import { ConfigReader } from './config.ts';
import { DEBERTA } from './deberta-heads.ts';
import { DISTILBERT } from './distilbert.ts';
import { GEMMA, GEMMA2, GEMMA3 } from './gemma.ts';
import { GPT2 } from './gpt2.ts';
import { LLAMA } from './llama.ts';
import { MISTRAL } from './mistral.ts';
import type { HeadModel, Model } from './model.ts';
import { PHI3 } from './phi3.ts';
import { QWEN2, QWEN3 } from './qwen.ts';
import { MODERNBERT } from './modernbert-heads.ts';
import { ROBERTA, XLM_ROBERTA } from './roberta.ts';

const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  bert: BERT,
  distilbert: DISTILBERT,
  roberta: ROBERTA,
  'xlm-roberta': XLM_ROBERTA,
  'deberta-v2': DEBERTA,
  modernbert: MODERNBERT,
  gpt2: GPT2,
  llama: LLAMA,
  mistral: MISTRAL,
  qwen2: QWEN2,
  qwen3: QWEN3,
  gemma: GEMMA,
  gemma2: GEMMA2,
  gemma3_text: GEMMA3,
  phi3: PHI3,
};

/** Values of `model_type` that there is a model for. */
export const MODEL_TYPES: readonly string[] = Object.keys(ARCHITECTURES);

/**
 * Builds the model of a `config.json` for a task, with fresh seeded weights (`initializer_range`); load a
 * checkpoint with `loadWeights`. Throws InputError on an unknown architecture or a task that it has no head for,
 * and says what there is.
 */
export function modelFromConfig(config: unknown, task: HeadTask, options?: ModelOptions): HeadModel;
export function modelFromConfig(config: unknown, task: Task, options?: ModelOptions): Model;
export function modelFromConfig(config: unknown, task: Task, options: ModelOptions = {}): Model {
  const model = emptyModel(config, task, options);
  initializeParameters(model, model.config.initializer_range, options.seed ?? 0);
  return model;
}

/** As `modelFromConfig`, but with zero weights: for `loadWeights`, which initialises what a file lacks. */
export function emptyModel(config: unknown, task: HeadTask, options?: ModelOptions): HeadModel;
export function emptyModel(config: unknown, task: Task, options?: ModelOptions): Model;
export function emptyModel(config: unknown, task: Task, options: ModelOptions = {}): Model {
  const type = modelType(new ConfigReader(config));
  const { tasks } = ARCHITECTURES[type]!;
  const build = tasks[task];
  if (build) return build(config, options);
  throw new InputError(
    `task '${task}' is not supported for model_type '${type}'; supported are ${Object.keys(tasks).join(', ')}`,
  );
}

/** The tasks that there is a head for. Throws InputError on an unknown architecture. */
export function supportedTasks(config: unknown): readonly Task[] {
  // The keys of `tasks` are tasks by its type, which Object.keys forgets.
  return Object.keys(ARCHITECTURES[modelType(new ConfigReader(config))]!.tasks) as Task[];
}

function modelType(read: ConfigReader): string {
  const named = read.get('model_type');
  if (typeof named === 'string' && Object.hasOwn(ARCHITECTURES, named)) return named;
  const classes = read.texts('architectures');
  const found = Object.entries(ARCHITECTURES).find(([, { architectures }]) =>
    architectures.some((name) => classes.includes(name)),
  );
  if (found && named === undefined) return found[0];
  throw new InputError(
    `config.json: model_type ${JSON.stringify(named)}, architectures ${JSON.stringify(classes)} is not supported; ` +
      `supported model_types are ${MODEL_TYPES.join(', ')}`,
  );
}
