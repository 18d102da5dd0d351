/** @file How much the loss would change if the weights of a layer were taken away. Lee et al. 2019 (SNIP), arXiv 1810.02340, eq. 5. */
import { overGradients, total } from './gradients.ts';
import type { Selector } from './selector.ts';

/** Σ |θ·∂L/∂θ| over a layer, on average over the batches; SNIP takes one batch, and scales by the sum of all. */
export const sensitivity: Selector = {
  what: 'how much the loss hangs on the weights of a layer, Σ |θ·∂L/∂θ|',
  needs: 'labels',
  score: (model, batches, options) =>
    overGradients('sensitivity', model, batches, options, {
      single: false,
      measure: (gradients, parameters) =>
        total(gradients, (g, i) => g.mul(parameters[i]!.detach()).abs()),
    }),
};
