/** @file AdamW: Adam with decoupled weight decay (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101), as PyTorch computes it. */
import type { Tensor } from '@camada/tensor';
import { AdamFamily, type AdamOptions } from './adam.ts';

/** Settings of AdamW: Adam's, but `weightDecay` is decoupled and 0.01 when left out. */
export type AdamWOptions = AdamOptions;

/** θ ← θ(1 − lr·λ) − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε). */
export class AdamW extends AdamFamily {
  /** Throws InputError on a setting outside its range. */
  constructor(parameters: ReadonlyMap<string, Tensor>, options: AdamWOptions = {}) {
    super('AdamW', parameters, { ...options, weightDecay: options.weightDecay ?? 0.01 }, true);
  }
}
