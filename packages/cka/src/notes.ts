/** @file What a user should know about a measurement of layers, in sentences. */
import type { Comparison } from './comparison.ts';
import type { Estimator } from './gram.ts';
import { spearman } from './numbers.ts';
import type { OutlierReport } from './outliers.ts';
import type { Protocol } from './paper.ts';

/** A layer as the notes need it. */
interface Layer {
  readonly index: number;
  readonly importance: number;
  readonly excluded?: string;
}

/** How it was measured. */
interface Measured {
  readonly protocol: Protocol;
  readonly estimator: Estimator;
  readonly pooling: string;
  /** Whether examples were left. */
  readonly cut: boolean;
}

/** Fewer examples than this give a warning. */
const ADVISED = 32;

/** Share of a level's variance from which one dimension is said to dominate it. */
const DOMINANT = 0.5;

/** Rankings with and without outliers that agree less than this (Spearman) are reported. */
const AGREEING = 0.9;

/** All that applies. */
export function notesOf(
  layers: readonly Layer[],
  comparison: Comparison,
  measured: Measured,
): string[] {
  return [
    ...exclusions(layers, measured.protocol),
    ...amounts(comparison, measured),
    ...outside(layers, comparison, measured.estimator),
    ...dominated(comparison.dominance ?? []),
    ...outlying(layers, comparison.outliers),
    ...comparison.notes,
  ];
}

function exclusions(layers: readonly Layer[], protocol: Protocol): string[] {
  const fate =
    protocol === 'camada'
      ? 'is left out of the ranking'
      : 'ranks first, as in the published code, for no good reason';
  return layers.flatMap(({ index, excluded }) =>
    excluded === undefined ? [] : [`Layer ${index} ${fate}: ${excluded}.`],
  );
}

function amounts(comparison: Comparison, { cut, pooling }: Measured): string[] {
  const { examples, resampled } = comparison;
  const notes: string[] = [];
  if (examples < ADVISED)
    notes.push(`Only ${examples} examples: the ranking is unstable; use 64 or more.`);
  if (cut) notes.push(`Only the first ${examples} examples were used (maxExamples).`);
  if (resampled.length === 0)
    notes.push('The intervals are unknown: there are too few examples or batches to resample.');
  if (pooling === 'tokens')
    notes.push(
      'Tokens of one text are not independent of each other, so the intervals are narrower than they should be.',
    );
  return notes;
}

function outside(layers: readonly Layer[], { matrix }: Comparison, estimator: Estimator): string[] {
  const beyond = layers.filter(({ index }) => isBeyond(matrix[index]![index + 1]));
  if (beyond.length === 0) return [];
  const which = beyond.map(({ index }) => index).join(', ');
  return [
    `The ${estimator} CKA of layer ${which} was outside [0, 1] and is counted as its nearer end: use more examples.`,
  ];
}

/** Further outside [0, 1] than rounding explains. */
function isBeyond(similarity: number | undefined): boolean {
  return similarity !== undefined && (similarity < -1e-5 || similarity > 1 + 1e-5);
}

function dominated(shares: readonly number[]): string[] {
  const levels = [...shares.keys()].filter((level) => shares[level]! > DOMINANT);
  if (levels.length === 0) return [];
  const share = Math.round(100 * Math.max(...shares));
  return [
    `One dimension holds up to ${share} % of the variance of level ${levels.join(', ')} (massive activations): CKA sees ` +
      'hardly anything else there; compare with block-influence or rsa.',
  ];
}

/** Says so when the ranking would be another without the most influential examples. */
function outlying(layers: readonly Layer[], report: OutlierReport | undefined): string[] {
  if (!report) return [];
  const kept = layers.filter(
    ({ index, excluded }) => excluded === undefined && report.importances[index] !== null,
  );
  const agreement = spearman(
    kept.map(({ importance }) => importance),
    kept.map(({ index }) => report.importances[index]!),
  );
  if (agreement === undefined || agreement >= AGREEING) return [];
  const shown = report.examples.slice(0, 5).join(', ');
  return [
    `The ranking hangs on few examples: without ${report.examples.length} of them (${shown}; one holds ` +
      `${Math.round(100 * report.share)} % of a level's variance) it agrees with this one to ${agreement.toFixed(2)} (Spearman) only. ` +
      'CKA is sensitive to outliers (Davari et al. 2023): look at these texts, or use rsa.',
  ];
}
