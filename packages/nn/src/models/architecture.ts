/** @file What a family tells the registry: its names, and how to build it for each task. */
import { InputError } from '@camada/tensor';
import { defaultLabels } from './bert-config.ts';
import type { Model, ModelConfig } from './model.ts';

/** What a model is to do. */
export type Task = HeadTask | 'features';

/** Tasks with logits and a loss. */
export type HeadTask = 'classification' | 'regression' | 'masked-lm' | 'causal-lm';

/** Choices beside the configuration. */
export interface ModelOptions {
  /** Classes, or values for regression; the configuration's when left out (1 for regression). */
  readonly numLabels?: number;
  /** Names of the classes, in order; they set `numLabels`. */
  readonly labelNames?: readonly string[];
  /** Seed of the initial values; 0 when left out. */
  readonly seed?: number;
}

/** Builds a model with zero weights from a `config.json` of unknown content. */
export type Builder = (config: unknown, options: ModelOptions) => Model;

/** One family of models. */
export interface Architecture {
  /** Names in `architectures` that stand for this family where `model_type` is absent. */
  readonly architectures: readonly string[];
  /** How to build it for the tasks that it has a head for. */
  readonly tasks: Readonly<Partial<Record<Task, Builder>>>;
}

/** The configuration under the name of the class that is built, as a saved copy must have it. */
export function named<T extends ModelConfig>(config: T, architecture: string): T {
  return { ...config, architectures: [architecture] };
}

/** The configuration with the labels that were asked for. Throws InputError on fewer than one. */
export function withLabels<T extends { readonly id2label: Readonly<Record<string, string>> }>(
  config: T,
  { numLabels, labelNames }: ModelOptions,
): T {
  if (labelNames)
    return { ...config, id2label: Object.fromEntries(labelNames.map((name, i) => [i, name])) };
  if (numLabels === undefined) return config;
  if (!Number.isInteger(numLabels) || numLabels < 1)
    throw new InputError(`a model needs at least one label, not ${numLabels}`);
  return Object.keys(config.id2label).length === numLabels
    ? config
    : { ...config, id2label: defaultLabels(numLabels) };
}
