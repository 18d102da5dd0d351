/** @file Fine-tuning methods, their settings and their usual learning rates. */
import { InputError } from '@camada/tensor';

/** How a model is changed. */
export type Method =
  | ({ readonly type: 'lora' } & LoraSettings)
  /** Only the classifier and the pooler (or `lm_head`) train; the layers play no part. */
  | { readonly type: 'head' }
  /** All weights of the chosen layers train, with the head; with all layers the embeddings too. */
  | { readonly type: 'full' };

/** Settings of LoRA; PEFT's names are `r`, `lora_alpha`, `lora_dropout`, `use_rslora`, `target_modules`. */
export interface LoraSettings {
  /** Rank; 8 when left out. */
  readonly r?: number;
  /** The update's factor is alpha / r; 16 when left out. */
  readonly alpha?: number;
  /** Dropout on the input of the adapter; 0 when left out. */
  readonly dropout?: number;
  /** Factor alpha / √r instead. */
  readonly rslora?: boolean;
  /** Module names matched at their end, or one regular expression; PEFT's for the architecture when left out. */
  readonly targets?: readonly string[] | string;
}

/** Names of the methods. */
export const METHODS: readonly Method['type'][] = ['lora', 'head', 'full'];

/** Learning rates of methods that train whole weights: pretrained ones must stay near, a fresh head moves far. */
const LEARNING_RATES = { head: 3e-3, full: 5e-5 } as const;

/**
 * The learning rate where the user names none. LoRA's falls with the width C, 0.8 / C to one digit and at most 5e-3:
 * 2e-3 for MiniLM (384), 2e-4 for a width of 4096, where such values are customary. (With Adam, the change that a step
 * makes to a layer's output grows with its width; Yang et al. 2022, https://arxiv.org/abs/2203.03466.)
 * For `full` see Devlin et al. 2019, appendix A.3: 2e-5 to 5e-5.
 */
export function usualLearningRate({ type }: Method, width: number): number {
  if (type !== 'lora') return LEARNING_RATES[type];
  return Math.min(5e-3, Number((0.8 / width).toPrecision(1)));
}

/** Throws InputError on a method that there is not. */
export function checkMethod(method: Method): void {
  if (METHODS.includes(method.type)) return;
  throw new InputError(
    `The method '${String(method.type)}' is unknown; known are ${METHODS.join(', ')}.`,
  );
}
