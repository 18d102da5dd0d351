/** @file What is compared: methods and selectors at one budget, over seeds, on one task. */
import { InputError } from '@camada/tensor';
import { SELECTORS, isSelector, type SelectorName } from '@camada/cka';
import type { FinetuneData, FinetuneOptions } from '../run/options.ts';
import { METHODS, type Method } from '../train/method.ts';

/** Settings of training that all runs share. */
export type TrainingSettings = Pick<
  FinetuneOptions,
  | 'epochs'
  | 'maxSteps'
  | 'batchSize'
  | 'learningRate'
  | 'maxLength'
  | 'warmupRatio'
  | 'weightDecay'
  | 'maxGradNorm'
  | 'scheduler'
  | 'frozenDropout'
  | 'prefixCache'
>;

/** What every selector may spend. */
export type EqualBudget =
  /** A share of the layers in (0, 1], or a number of layers from 2 up. */
  | { readonly keep: number }
  /** So many layers. */
  | { readonly count: number }
  /** Parameters that train in layers, the head not counted. */
  | { readonly parameters: number };

/** A comparison. */
export interface Recipe {
  readonly data: FinetuneData;
  readonly task?: FinetuneOptions['task'];
  /** A second task (or, for language models, a second text) on which what was forgotten is measured. */
  readonly retention?: FinetuneData;
  /** Methods, with their settings; LoRA when left out. */
  readonly methods?: readonly (Method | Method['type'])[];
  /** Names of selectors; `cka`, `last` and `random` when left out. `all` is no rival: it trains every layer. */
  readonly selectors?: readonly string[];
  /** The selector that is held against `random` and `last`; the first when left out. */
  readonly chosen?: string;
  /** Half of the layers when left out. */
  readonly budget?: EqualBudget;
  /** 0, 1 and 2 when left out. */
  readonly seeds?: readonly number[];
  /** Examples that layers are ranked on; 256. */
  readonly samples?: number;
  /** Numbers of examples at which rankings are held against one another; 10, 100 and 1,000. */
  readonly stability?: readonly number[];
  /** Of which selectors; the chosen one when left out. */
  readonly stabilityOf?: readonly string[];
  readonly training?: TrainingSettings;
}

/** A recipe with all choices made. */
export interface CheckedRecipe extends Required<Omit<Recipe, 'task' | 'retention' | 'methods'>> {
  readonly task: Recipe['task'];
  readonly retention: FinetuneData | undefined;
  readonly methods: readonly Method[];
  readonly selectors: readonly SelectorName[];
  readonly chosen: SelectorName;
  readonly stabilityOf: readonly SelectorName[];
}

/** Fills in what was left out. Throws InputError naming what cannot be. */
export function checkRecipe(recipe: Recipe): CheckedRecipe {
  const selectors = namesOf('selectors', recipe.selectors ?? ['cka', 'last', 'random']);
  const [chosen = 'cka'] = namesOf(
    'chosen',
    recipe.chosen === undefined ? selectors : [recipe.chosen],
  );
  const checked: CheckedRecipe = {
    data: recipe.data,
    task: recipe.task,
    retention: recipe.retention,
    methods: (recipe.methods ?? ['lora']).map(methodOf),
    selectors: selectors.includes(chosen) ? selectors : [chosen, ...selectors],
    chosen,
    budget: recipe.budget ?? { keep: 0.5 },
    seeds: wholeNumbers('seeds', recipe.seeds ?? [0, 1, 2], 0),
    samples: wholeNumbers('samples', [recipe.samples ?? 256], 1)[0]!,
    stability: wholeNumbers('stability', recipe.stability ?? [10, 100, 1000], 4),
    stabilityOf: namesOf('stabilityOf', recipe.stabilityOf ?? [chosen]),
    training: recipe.training ?? {},
  };
  if (checked.methods.length === 0 || checked.seeds.length === 0)
    throw new InputError('compare: methods and seeds must not be empty.');
  return checked;
}

function namesOf(field: string, names: readonly string[]): SelectorName[] {
  const known = Object.keys(SELECTORS).join(', ');
  return names.map((name) => {
    if (isSelector(name)) return name;
    throw new InputError(`compare: ${field} has '${String(name)}'; known selectors are ${known}.`);
  });
}

function methodOf(method: Method | Method['type']): Method {
  const given = typeof method === 'string' ? ({ type: method } as Method) : method;
  if (given.type === 'features')
    throw new InputError("compare: the method 'features' trains no network; run finetune with it.");
  if (METHODS.includes(given.type)) return given;
  throw new InputError(
    `compare: methods has '${String(given.type)}'; known methods are ${METHODS.join(', ')}.`,
  );
}

function wholeNumbers(field: string, values: readonly number[], least: number): readonly number[] {
  const wrong = values.find((value) => !(Number.isSafeInteger(value) && value >= least));
  if (wrong === undefined) return [...new Set(values)];
  throw new InputError(
    `compare: ${field} has ${String(wrong)}, but must have whole numbers from ${least}.`,
  );
}

/** How a method is called in tables. */
export function methodName({ type, ...settings }: Method): string {
  const parts = Object.entries(settings).map(
    ([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return [type, ...parts].join(' ');
}
