/** @file 1 − CKA as one selector among the others. */
import { layerImportance } from '../importance.ts';
import type { Selector } from './selector.ts';

/** See `layerImportance`; ours, debiased and mean-pooled. */
export const cka: Selector = {
  what: 'how much a layer changes the representation of the examples, 1 − CKA',
  needs: 'texts',
  score: (model, batches, options) => layerImportance(model, batches, options),
};
