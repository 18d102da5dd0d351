/** @file What adapters add to one forward pass of a transformer: virtual tokens, keys and values, gated prompts. */
import type { Tensor } from '@camada/tensor';

/** Keys and values of virtual tokens, before nothing else happens to them: positions do not turn them. */
export interface PastPair {
  /** [P, K, D]. */
  readonly key: Tensor;
  /** [P, K, D]. */
  readonly value: Tensor;
}

/** A prompt that a block's attention looks at apart from the text (LLaMA-Adapter). */
export interface GatedPrompt {
  /** [A, C]. */
  readonly prompt: Tensor;
  /** How much of it counts: [1], or one number a head, [1, H, 1, 1]. */
  readonly gate: Tensor;
}

/** What is learnt, as one pass uses it. */
export interface PromptValues {
  /** Embeddings [P, C] of the virtual tokens. */
  readonly embeddings?: Tensor;
  /** Keys and values of the virtual tokens by block, in the place of those that the block would compute. */
  readonly past?: readonly PastPair[];
  /** Gated prompts by block; a block that is not in it has none. */
  readonly gated?: ReadonlyMap<number, GatedPrompt>;
}

/** The same in a pass whose rows hold virtual tokens. */
export interface PromptPass extends PromptValues {
  /** i32 [B, T], virtual tokens included: the n-th of them has the id V + n. */
  readonly ids: Tensor;
  /** V: ids from here on are virtual. */
  readonly vocabulary: number;
}
