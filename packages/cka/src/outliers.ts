/**
 * @file How far a measurement hangs on a few examples or on one dimension. CKA is dominated by what has most variance:
 * moving a few points changes it without changing what the model does (Davari et al. 2023, arXiv 2210.16156).
 */
import { centreGram, hsic, ratio, takeGram, type Estimator, type Gram } from './gram.ts';

/** What was found. */
export interface OutlierReport {
  /** Numbers of the examples with the largest share of the variance of some level. */
  readonly examples: readonly number[];
  /** The largest share that one example has of a level's variance. */
  readonly share: number;
  /** 1 − CKA of each layer without these examples, [L]; null where it is not defined. */
  readonly importances: readonly (number | null)[];
}

/** Share of the examples that is left out. */
const TRIMMED = 0.02;

/** Leaves out 2 % of the examples (1 at least), and compares again; undefined where too few are left. */
export function withoutOutliers(
  grams: readonly Gram[],
  estimator: Estimator,
): OutlierReport | undefined {
  const n = grams[0]?.n ?? 0;
  const out = Math.max(1, Math.floor(TRIMMED * n));
  if (n - out < 8) return undefined;
  const shares = exampleShares(grams, n);
  const order = [...shares.keys()].sort((a, b) => shares[b]! - shares[a]!);
  const rows = order.slice(out).sort((a, b) => a - b);
  const taken = grams.map((gram) => takeGram(gram, rows));
  return {
    examples: order.slice(0, out),
    share: shares[order[0]!]!,
    importances: neighbours(taken, estimator).map((value) =>
      value === undefined ? null : 1 - value,
    ),
  };
}

/** For each example its largest share of a level's variance. */
function exampleShares(grams: readonly Gram[], n: number): number[] {
  const varying = grams.filter((gram) => !gram.constant);
  const totals = varying.map(({ data }) => {
    let total = 0;
    for (let i = 0; i < n; i++) total += data[i * n + i]!;
    return total;
  });
  return Array.from({ length: n }, (_, i) =>
    Math.max(0, ...varying.map(({ data }, k) => data[i * n + i]! / totals[k]!)),
  );
}

function neighbours(grams: readonly Gram[], estimator: Estimator): (number | undefined)[] {
  const centred = grams.map((gram) => centreGram(gram, estimator));
  const norms = centred.map((gram) => hsic(gram, gram));
  return centred.slice(1).map((upper, i) => {
    if (grams[i]!.constant || grams[i + 1]!.constant) return undefined;
    return ratio(hsic(centred[i]!, upper), norms[i]!, norms[i + 1]!);
  });
}
