/** @file Fine-tuning methods, their settings and their usual learning rates. */
import { InputError } from '@camada/tensor';
import type { AdapterMethod, AdapterSettings } from './adapter-method.ts';
import { ADDED, type AddedName } from './added.ts';
import type { LisaSettings } from './lisa.ts';
import { LOW_RANK, type LowRankName } from './low-rank.ts';

/** Names of the methods that train an adapter. */
export type AdapterMethodName = LowRankName | AddedName;

/** How a model is changed. */
export type Method =
  /** An adapter trains beside the frozen model. */
  | ({ readonly type: AdapterMethodName } & AdapterSettings)
  /** Only the classifier and the pooler (or `lm_head`) train; the layers play no part. */
  | { readonly type: 'head' }
  /** All weights of the chosen layers train, with the head; with all layers the embeddings too. */
  | { readonly type: 'full' }
  /** The last layer is the solution of a logistic regression on what it reads; nothing else changes. */
  | { readonly type: 'features' }
  /** Embeddings, head and a few layers train in full; other layers are drawn every so many steps. */
  | ({ readonly type: 'lisa' } & LisaSettings);

/** A method that trains an adapter. */
export type AdapterChoice = Extract<Method, { readonly type: AdapterMethodName }>;

/** Methods that train an adapter, by name. */
export const ADAPTER_METHODS: Readonly<Record<AdapterMethodName, AdapterMethod>> = {
  ...LOW_RANK,
  ...ADDED,
};

/** Learning rates of methods that train whole weights: pretrained ones must stay near, a fresh head moves far. */
const LEARNING_RATES = { head: 3e-3, full: 5e-5, features: 0, lisa: 5e-5 } as const;

/** Names of the methods. */
export const METHODS: readonly Method['type'][] = [
  ...(Object.keys(ADAPTER_METHODS) as AdapterMethodName[]), // the table is total
  'head',
  'features',
  'full',
  'lisa',
];

/** Whether a method trains an adapter. */
export function isAdapterMethod(method: Method): method is AdapterChoice {
  return method.type in ADAPTER_METHODS;
}

/**
 * The learning rate where the user names none, for a model of this width. For `full` see Devlin et al. 2019, appendix
 * A.3: 2e-5 to 5e-5.
 */
export function usualLearningRate(method: Method, width: number): number {
  if (isAdapterMethod(method)) return ADAPTER_METHODS[method.type].learningRate(width);
  return LEARNING_RATES[method.type];
}

/** Positions that a method's virtual tokens take from texts. */
export function virtualTokens(method: Method): number {
  return isAdapterMethod(method) ? (ADAPTER_METHODS[method.type].tokens?.(method) ?? 0) : 0;
}

/** Throws InputError on a method that there is not. */
export function checkMethod(method: Method): void {
  if (METHODS.includes(method.type)) return;
  throw new InputError(
    `The method '${String(method.type)}' is unknown; known are ${METHODS.join(', ')}.`,
  );
}
