/** @file Linear CKA as a measure among the others; see `gram.ts`. */
import { centreGram, gramsOf, hsic, ratio, type Gram } from '../gram.ts';
import { SAME_FOR_ALL, type Metric, type MetricOptions, type PairComparer } from './metric.ts';

/** Kornblith et al. 2019 (arXiv 1905.00414), by Gram matrices. Debiased needs n ≥ 4. */
export const linearCkaMetric: Metric = async (levels, options) =>
  ckaOfGrams(await gramsOf(levels), options);

/** CKA of the kernels in Gram matrices. */
export function ckaOfGrams(
  grams: readonly Gram[],
  { estimator = 'debiased' }: MetricOptions,
): PairComparer {
  const centred = grams.map((gram) => centreGram(gram, estimator));
  const norms = centred.map((gram) => hsic(gram, gram));
  return (i, j) => {
    if (grams[i]!.constant || grams[j]!.constant) return SAME_FOR_ALL;
    if (i === j) return 1;
    return (
      ratio(hsic(centred[i]!, centred[j]!), norms[i]!, norms[j]!) ??
      'the examples are too few to tell what the representations have in common: use more'
    );
  };
}
