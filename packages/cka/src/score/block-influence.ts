/** @file Block influence: how much a layer turns the hidden state of every token. Men et al. 2024 (ShortGPT), arXiv 2403.03853. */
import { cosineChange, overLayers } from './hidden.ts';
import type { Selector } from './selector.ts';

/** 1 − mean over all tokens of all texts of cos(h, h'), with h what the layer receives and h' what it hands on. */
export const blockInfluence: Selector = {
  what: 'how much a layer turns the state of a token, on average over all tokens',
  needs: 'texts',
  score: (model, batches, options) =>
    overLayers('block-influence', model, batches, options, (before, after, mask) => {
      const { values, weights } = cosineChange(before, after); // [B, T]
      return { values: values.mul(mask).sum(1), weights: weights.mul(mask).sum(1) };
    }),
};
