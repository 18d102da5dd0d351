/** @file How much a layer turns the last token's state, with a threshold. Pang et al. 2026, "Where to adapt matters" (LS-LoRA). */
import { cosineChange, overLastTokens } from './hidden.ts';
import type { Selector } from './selector.ts';

/** 1 − mean of cos(h, h') at the last real token; layers with a cosine below 0.85 are chosen by threshold. */
export const lastTokenCosine: Selector = {
  what: "how much a layer turns the last token's state",
  needs: 'texts',
  threshold: 0.15,
  score: (model, batches, options) =>
    overLastTokens('last-token-cosine', model, batches, options, cosineChange),
};
