/** @file From runs and rankings to what a comparison says. */
import { jaccard, spearman, type SelectorName } from '@camada/cka';
import type { Metrics } from '../eval/metrics.ts';
import type { Ranking, Stability } from './rank.ts';
import { methodName, type CheckedRecipe } from './recipe.ts';
import type { RunRecord } from './results.ts';
import { meanAndSd, pairedTest, type PairedTest } from './statistics.ts';

/** A measure, the larger the better. */
export interface Score {
  readonly name: 'accuracy' | 'spearman' | 'negative loss';
  of(metrics: Metrics): number;
}

/** The score of a task, by what was measured. */
export function scoreOf(metrics: Metrics): Score {
  if (metrics.accuracy !== undefined)
    return { name: 'accuracy', of: ({ accuracy = NaN }) => accuracy };
  if (metrics.spearman !== undefined)
    return { name: 'spearman', of: (measured) => measured.spearman ?? 0 };
  return { name: 'negative loss', of: ({ loss }) => -loss };
}

/** A run as one selector's. */
export interface SelectedRun {
  readonly selector: SelectorName;
  readonly run: RunRecord;
}

/** Mean and standard deviation. */
export type Spread = ReturnType<typeof meanAndSd>;

/** One method with one selector, over all seeds. */
export interface ComparisonRow {
  readonly method: string;
  readonly selector: SelectorName;
  /** Layers by how often seeds chose them, most often first. */
  readonly layers: readonly number[];
  readonly score: Spread;
  readonly retention: Spread | undefined;
  readonly seconds: Spread;
  readonly stepSeconds: Spread;
  readonly peakBytes: number;
  readonly parameters: number;
  readonly headParameters: number;
}

/** The chosen selector held against a baseline. */
export interface Verdict extends PairedTest {
  readonly chosen: SelectorName;
  readonly rival: SelectorName;
  /** Runs in which both chose the same layers. */
  readonly same: number;
  /** In words. */
  readonly sentence: string;
}

/** What a comparison found. */
export interface ComparisonSummary {
  readonly score: Score['name'];
  readonly retentionMetric: string | undefined;
  /** Of the untrained model. */
  readonly retentionBefore: number | undefined;
  readonly rows: readonly ComparisonRow[];
  readonly verdicts: readonly Verdict[];
  readonly selectors: readonly SelectorName[];
  /** Of the chosen layers of all pairs of selectors, mean over seeds, for the first method. */
  readonly jaccard: readonly (readonly number[])[];
  /** Of the rankings of all pairs of selectors; null where one is constant. */
  readonly spearman: readonly (readonly (number | null)[])[];
  readonly rankings: readonly Ranking[];
  readonly stability: readonly Stability[];
  /** What looking up what frozen layers hand on has saved; 0 where nothing was kept. */
  readonly savedSeconds: number;
}

/** One row for each method and selector. */
export function rowsOf(runs: readonly SelectedRun[], score: Score): ComparisonRow[] {
  const groups = new Map<string, SelectedRun[]>();
  for (const selected of runs) {
    const key = `${selected.run.method}|${selected.selector}`;
    groups.set(key, [...(groups.get(key) ?? []), selected]);
  }
  return [...groups.values()].map((group) => {
    const { selector, run: first } = group[0]!;
    const spread = (value: (run: RunRecord) => number): Spread =>
      meanAndSd(group.map(({ run }) => value(run)));
    return {
      method: first.method,
      selector,
      layers: byFrequency(group.map(({ run }) => run.layers)),
      score: spread(({ metrics }) => score.of(metrics)),
      retention: first.retention === undefined ? undefined : spread((run) => run.retention ?? NaN),
      seconds: spread((run) => run.seconds),
      stepSeconds: spread((run) => run.stepSeconds),
      peakBytes: Math.max(...group.map(({ run }) => run.peakBytes)),
      parameters: Math.max(...group.map(({ run }) => run.parameters)),
      headParameters: first.headParameters,
    };
  });
}

/** As many layers as one run has. */
function byFrequency(choices: readonly (readonly number[])[]): number[] {
  const counts = new Map<number, number>();
  for (const layer of choices.flat()) counts.set(layer, (counts.get(layer) ?? 0) + 1);
  const order = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([layer]) => layer);
  return order.slice(0, choices[0]!.length).sort((a, b) => a - b);
}

/** The chosen selector against `random` and `last`, pair by pair: the same method and seed. */
export function verdictsOf(
  runs: readonly SelectedRun[],
  { chosen, selectors }: CheckedRecipe,
  score: Score,
): Verdict[] {
  const rivals = (['random', 'last'] as const).filter(
    (rival) => rival !== chosen && selectors.includes(rival),
  );
  const own = runs.filter(({ selector }) => selector === chosen);
  return rivals.map((rival) => {
    const others = own.map(({ run }) =>
      runs.find(
        (other) =>
          other.selector === rival &&
          other.run.method === run.method &&
          other.run.seed === run.seed,
      )!,
    );
    const test = pairedTest(
      own.map(({ run }) => score.of(run.metrics)),
      others.map(({ run }) => score.of(run.metrics)),
    );
    const same = own.filter(({ run }, i) => run.layers.join() === others[i]!.run.layers.join());
    const parts = { ...test, chosen, rival, same: same.length };
    return { ...parts, sentence: sentence(parts, score.name) };
  });
}

function sentence(
  { chosen, rival, same, pairs, difference, low, high, p }: Omit<Verdict, 'sentence'>,
  score: Score['name'],
): string {
  if (same === pairs)
    return `${chosen} chose the very layers of ${rival}: there is nothing to tell apart.`;
  const points = (value: number): string =>
    score === 'negative loss' ? signed(value, 4) : `${signed(100 * value, 2)} points`;
  const by = `${points(difference)} of ${score}`;
  if (p === undefined)
    return `${chosen} against ${rival}: ${by} in one run, which says nothing about noise.`;
  const noise = `95 % interval ${points(low)} to ${points(high)}, Student's paired t-test over ${pairs} runs, p = ${p.toPrecision(2)}`;
  if (p < 0.05)
    return `${chosen} ${difference > 0 ? 'beat' : 'lost to'} ${rival} beyond the noise: ${by} (${noise}).`;
  return `${chosen} did not beat ${rival} beyond the noise: ${by} (${noise}).`;
}

function signed(value: number, digits: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;
}

/** Overlap of what two selectors chose, for all pairs: mean over seeds, of the first method. */
export function overlaps(
  runs: readonly SelectedRun[],
  { selectors, methods, seeds }: CheckedRecipe,
): number[][] {
  const method = methodName(methods[0]!);
  const layers = (selector: SelectorName, seed: number): readonly number[] =>
    runs.find(
      ({ selector: own, run }) => own === selector && run.seed === seed && run.method === method,
    )!.run.layers;
  return selectors.map((a) =>
    selectors.map(
      (b) => meanAndSd(seeds.map((seed) => jaccard(layers(a, seed), layers(b, seed)))).mean,
    ),
  );
}

/** Spearman's correlation of all pairs of rankings. */
export function correlations(rankings: readonly Ranking[]): (number | null)[][] {
  return rankings.map((a) => rankings.map((b) => spearman(a.importance, b.importance) ?? null));
}
