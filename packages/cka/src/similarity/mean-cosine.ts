/** @file The cosine of the two vectors of each example, on average: the simplest measure, and the base of several rivals. */
import { concat, realize, type Tensor } from '@camada/tensor';
import type { Metric, Result } from './metric.ts';

/** Mean of xᵢ·yᵢ / (‖xᵢ‖·‖yᵢ‖), in [−1, 1], of levels of one width. It is not centred, so a common shift raises it. */
export const meanCosine: Metric = async (levels) => {
  const units = levels.map((x) => {
    const length = x.square().sum(1, true).sqrt(); // [n, 1]
    return { unit: x.div(length.maximum(1e-30)), shortest: length.min() };
  });
  await realize(units.flatMap(({ unit, shortest }) => [unit, shortest]));
  const zero: boolean[] = [];
  for (const { shortest } of units) zero.push(!((await shortest.item()) > 1e-30));
  const means = await pairMeans(units.map(({ unit }) => unit));
  return (i, j): Result => {
    const [p, q] = [levels[i]!.shape[1], levels[j]!.shape[1]];
    if (p !== q) return `cosine needs one width, and these have ${p} and ${q}: use cka`;
    if (zero[i] || zero[j]) return 'an example is all zeros, which has no direction: use cka';
    return Math.max(-1, Math.min(1, means(i, j)));
  };
};

/** Mean products of the unit rows of all pairs of one width. */
async function pairMeans(units: readonly Tensor[]): Promise<(i: number, j: number) => number> {
  const pairs = units.flatMap((_, i) => units.slice(i).map((__, k) => [i, i + k] as const));
  const same = pairs.filter(([i, j]) => units[i]!.shape[1] === units[j]!.shape[1]);
  if (same.length === 0) return () => NaN;
  const products = same.map(([i, j]) => units[i]!.mul(units[j]!).sum(1).mean().reshape([1]));
  const values = await concat(products, 0).data();
  const table = new Map(same.map(([i, j], at) => [`${i},${j}`, values[at]!]));
  return (i, j) => table.get(`${Math.min(i, j)},${Math.max(i, j)}`) ?? NaN;
}
