/** @file Fine-tuning methods, their settings and their usual learning rates. */
import { InputError } from '@camada/tensor';

/** How a model is changed. */
export type Method =
  | ({ readonly type: 'lora' } & LoraSettings)
  /** Only the classifier (or `lm_head`) trains; the layers play no part. */
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

/**
 * Learning rates where the user names none. LoRA and a fresh head start from (nearly) zero and move far; whole
 * weights must stay near what they were (Devlin et al. 2019, appendix A.3: 2e-5 to 5e-5).
 */
const LEARNING_RATES: Readonly<Record<Method['type'], number>> = {
  lora: 1e-3,
  head: 1e-3,
  full: 5e-5,
};

/** The usual learning rate of a method. */
export function usualLearningRate(method: Method): number {
  return LEARNING_RATES[method.type];
}

/** Throws InputError on a method that there is not. */
export function checkMethod(method: Method): void {
  if (METHODS.includes(method.type)) return;
  throw new InputError(
    `The method '${String(method.type)}' is unknown; known are ${METHODS.join(', ')}.`,
  );
}
