/** @file How the file of an architecture describes itself to the registry, and what those descriptions share. */
import { InputError } from '@camada/tensor';
import { defaultLabels, type LabelConfig, type ProblemType } from './labels.ts';
import type { Model, ModelConfig } from './model.ts';

/** What a model is to do. */
export type Task = HeadTask | 'features';

/** Tasks with logits and a loss. */
export type HeadTask =
  | 'classification'
  | 'multi-label'
  | 'regression'
  | 'token-classification'
  | 'masked-lm'
  | 'causal-lm';

/** Choices beside the configuration. */
export interface ModelOptions {
  /** Classes, or values for regression; the configuration's when left out (1 for regression). */
  readonly numLabels?: number;
  /** Names of the classes, in order; they set `numLabels`. */
  readonly labelNames?: readonly string[];
  /** Seed of the initial values; 0 when left out. */
  readonly seed?: number;
}

/** Builds the model of one task with zero weights. Throws InputError that names a bad field of the configuration. */
export type Builder = (config: unknown, options: ModelOptions) => Model;

/** One `model_type`. */
export interface Architecture {
  /** Names in `architectures` that stand for this family where `model_type` is absent. */
  readonly architectures: readonly string[];
  /** What there is a model for. */
  readonly tasks: Readonly<Partial<Record<Task, Builder>>>;
}

/** The configuration under the name of the class that is built, as a saved copy must have it. */
export function named<T extends ModelConfig>(config: T, architecture: string): T {
  return { ...config, architectures: [architecture] };
}

const PROBLEMS: Readonly<Partial<Record<Task, ProblemType>>> = {
  classification: 'single_label_classification',
  'multi-label': 'multi_label_classification',
  regression: 'regression',
};

/**
 * The configuration with the labels and the problem of a sequence or token head. One class is a regression, as
 * in Transformers. Throws InputError on fewer than one label.
 */
export function withLabels<T extends LabelConfig>(config: T, task: Task, options: ModelOptions): T {
  const names = labelRecord(config, task, options);
  const single = task === 'classification' && Object.keys(names).length === 1;
  return {
    ...config,
    id2label: names,
    problem_type: single ? 'regression' : (PROBLEMS[task] ?? null),
  };
}

function labelRecord(
  config: LabelConfig,
  task: Task,
  { labelNames, numLabels = task === 'regression' ? 1 : undefined }: ModelOptions,
): LabelConfig['id2label'] {
  if (labelNames) return Object.fromEntries(labelNames.map((name, i) => [i, name]));
  if (numLabels === undefined) return config.id2label;
  if (!Number.isInteger(numLabels) || numLabels < 1)
    throw new InputError(`a model needs at least one label, not ${numLabels}`);
  return Object.keys(config.id2label).length === numLabels
    ? config.id2label
    : defaultLabels(numLabels);
}
