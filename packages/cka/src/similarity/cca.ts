/**
 * @file Canonical correlations of the directions that hold most variance: their mean (SVCCA) or their mean weighted by
 * how much of the representation each accounts for (PWCCA).
 */
import { InputError } from '@camada/tensor';
import { svdMatrix, type Matrix, type SvdMatrices } from '@camada/tensor/linalg';
import { SAME_FOR_ALL, type Metric, type MetricOptions, type Result } from './metric.ts';
import { firstDirections, spectrumOf, type Spectrum } from './spectrum.ts';

/**
 * Mean canonical correlation, in [0, 1], after keeping the directions that hold 99 % of the variance: Raghu et al. 2017
 * (arXiv 1706.05806). Not defined where these are as many as the examples allow: everything correlates perfectly then.
 */
export const svcca: Metric = async (levels, options) =>
  byCorrelations(levels, options, (_, __, { s }) => mean(s));

/**
 * Canonical correlations weighted by αᵢ = Σⱼ |⟨hᵢ, xⱼ⟩| over the columns xⱼ of the first representation, with hᵢ its
 * canonical variates: Morcos et al. 2018 (arXiv 1806.05759, eq. 3). Not symmetric, and it hangs
 * on the axes of the first one: an orthogonal map changes the weights. The directions are kept as for `svcca`.
 */
export const pwcca: Metric = async (levels, options) =>
  byCorrelations(levels, options, (first, _, { u, s }) => {
    const weights = variateWeights(first, u);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return s.reduce((sum, value, i) => sum + value * weights[i]!, 0) / total;
  });

type Weigh = (first: Spectrum, second: Spectrum, correlations: SvdMatrices) => number;

async function byCorrelations(
  levels: Parameters<Metric>[0],
  { variance = 0.99 }: MetricOptions,
  weigh: Weigh,
): ReturnType<Metric> {
  if (!(variance > 0 && variance <= 1))
    throw new InputError(`svcca and pwcca: variance ${variance} is not a share in (0, 1]`);
  const kept: (Spectrum | undefined)[] = [];
  for (const level of levels) kept.push(leading(await spectrumOf(level), variance));
  const n = levels[0]?.shape[0] ?? 0;
  return (i, j): Result => {
    const [first, second] = [kept[i], kept[j]];
    if (!first || !second) return SAME_FOR_ALL;
    const widest = Math.max(first.s.length, second.s.length);
    if (widest >= n - 1)
      return `${n} examples are too few: with ${widest} directions everything correlates perfectly; use more examples, or cka`;
    const { u, s, vh } = svdMatrix(first.u.transpose().times(second.u)); // [k, l]
    return weigh(first, second, { u, s: s.map((value) => Math.min(1, value)), vh });
  };
}

function leading(spectrum: Spectrum | undefined, variance: number): Spectrum | undefined {
  if (!spectrum) return undefined;
  const total = spectrum.s.reduce((sum, value) => sum + value ** 2, 0);
  let [count, held] = [0, 0];
  while (count < spectrum.s.length && held < variance * total) held += spectrum.s[count++]! ** 2;
  return firstDirections(spectrum, count);
}

/** Σⱼ |hᵢ·xⱼ| with H = U·W and X = U·S·Vᵀ: the absolute row sums of Wᵀ·S·Vᵀ. */
function variateWeights({ s, vh }: Spectrum, w: Matrix): number[] {
  return w.transpose().data.map((column) => {
    const row = new Float64Array(vh.columns);
    vh.data.forEach((direction, k) => {
      const factor = column[k]! * s[k]!;
      for (let j = 0; j < row.length; j++) row[j]! += factor * direction[j]!;
    });
    return row.reduce((sum, value) => sum + Math.abs(value), 0);
  });
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
