/** @file The length of a layer's gradient, for itself and beside the length of its weights. */
import { overGradients, total } from './gradients.ts';
import type { Selector } from './selector.ts';

/** ‖∂L/∂θ‖ of a layer, on average over the batches: a gradient probe, as in Aletheia (arXiv 2604.15351). */
export const gradientNorm: Selector = {
  what: "the length of the loss's gradient in a layer",
  needs: 'labels',
  score: (model, batches, options) =>
    overGradients('gradient-norm', model, batches, options, {
      single: false,
      measure: (gradients) => total(gradients, (g) => g.square()).sqrt(),
    }),
};

/** ‖∂L/∂θ‖ / ‖θ‖ of a layer (RGN), on average over the batches: Lee et al. 2023, arXiv 2210.11466, section 4. */
export const relativeGradientNorm: Selector = {
  what: "the length of the loss's gradient in a layer over the length of its weights",
  needs: 'labels',
  score: (model, batches, options) =>
    overGradients('relative-gradient-norm', model, batches, options, {
      single: false,
      measure: (gradients, parameters) => {
        const weights = total(parameters, (p) => p.detach().square()).sqrt();
        return total(gradients, (g) => g.square())
          .sqrt()
          .div(weights.maximum(1e-30));
      },
    }),
};
