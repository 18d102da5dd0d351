/**
 * @file LoRA+: B learns faster than A (Hayou et al. 2024, https://arxiv.org/abs/2402.12354). Groups as in PEFT's
 * `create_loraplus_optimizer`: B and vectors at `ratio` times the rate, embeddings at a rate of their own.
 */
import type { ParameterRule, ParameterRules } from '@camada/nn';
import { InputError } from '@camada/tensor';

/** Settings of LoRA+. */
export interface LoraPlusOptions {
  /** Learning rate of B over that of A, at least 1; 16 when left out, as in the paper's experiments. */
  readonly ratio?: number;
  /** Learning rate of LoRA on embeddings over that of A; 1 when left out. PEFT sets the rate itself, to 1e-6. */
  readonly embeddingRatio?: number;
}

/** Rules for an optimizer over `adapter.trainable`; vectors are not decayed. Throws InputError on a ratio below 1. */
export function loraPlusRules({
  ratio = 16,
  embeddingRatio = 1,
}: LoraPlusOptions = {}): ParameterRules {
  if (!(Number.isFinite(ratio) && ratio >= 1))
    throw new InputError(`LoRA+: the ratio is ${ratio}, but must be a number from 1; change it`);
  return (name, { rank }): ParameterRule => {
    if (/\.lora_embedding_[AB]$/.test(name)) return { learningRateScale: embeddingRatio };
    if (rank === 1) return { learningRateScale: ratio, weightDecay: 0 };
    return /\.lora_B(\.weight)?$/.test(name) ? { learningRateScale: ratio } : {};
  };
}
