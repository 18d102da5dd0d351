/** @file Representational similarity analysis: do two representations find the same examples alike? */
import { gramsOf } from '../gram.ts';
import { pearson, ranks } from '../numbers.ts';
import { squaredDistances, upperTriangle } from './distances.ts';
import { SAME_FOR_ALL, type Metric } from './metric.ts';

/**
 * Spearman's correlation, in [−1, 1], of the Euclidean distances between all pairs of examples (Kriegeskorte et al.
 * 2008, Frontiers in Systems Neuroscience 2:4). Euclidean, not correlation distances: so it does not change under
 * orthogonal maps, scaling and shifts.
 */
export const rsa: Metric = async (levels) => {
  const grams = await gramsOf(levels);
  const ranked = grams.map((gram) => ranks(upperTriangle(squaredDistances(gram), gram.n)));
  return (i, j) => {
    if (grams[i]!.constant || grams[j]!.constant) return SAME_FOR_ALL;
    return (
      pearson(ranked[i]!, ranked[j]!) ??
      'all examples are equally far from each other, so there is no order to compare: use more examples'
    );
  };
};
