/**
 * @file The diagonal of the empirical Fisher information, averaged over a layer: Lodha et al. 2023 ("On surgical fine-tuning for
 * language encoders", Findings of EMNLP), after Kirkpatrick et al. 2017, arXiv 1612.00796.
 */
import { overGradients, sizeOf, total } from './gradients.ts';
import type { Selector } from './selector.ts';

/**
 * 1/(N·d) Σᵢ Σⱼ (∂ log p(yᵢ|xᵢ)/∂θⱼ)², with the example's own label, one example at a time. (The published code of Lodha et
 * al. squares the gradient of the raw logit instead; this is the definition.)
 */
export const fisher: Selector = {
  what: 'the mean squared gradient of the log-likelihood, example by example (empirical Fisher information)',
  needs: 'labels',
  score: (model, batches, options) =>
    overGradients('fisher', model, batches, options, {
      single: true,
      measure: (gradients) => total(gradients, (g) => g.square()).div(sizeOf(gradients)),
    }),
};
