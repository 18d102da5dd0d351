/** @file How large a layer's output is: activation norms, as in Act-LoRA (Information 17(3):283, 2026). */
import { overLayers } from './hidden.ts';
import type { Selector } from './selector.ts';

/**
 * Mean over all tokens of ‖h'‖, what the layer hands on. Where layers add to a residual stream the norm grows with depth, so
 * this is often not far from `last`.
 */
export const activationNorm: Selector = {
  what: "the length of a layer's output, on average over all tokens",
  needs: 'texts',
  score: (model, batches, options) =>
    overLayers('activation-norm', model, batches, options, (_, after, mask) => {
      const lengths = after.square().sum(-1).sqrt(); // [B, T]
      return { values: lengths.mul(mask).sum(1), weights: mask.sum(1) };
    }),
};
