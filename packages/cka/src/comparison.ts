/** @file What is found out about the levels R0 … RL of a model, whichever way they are compared. */
import type { Tensor } from '@camada/tensor';
import type { RandomKey } from '@camada/tensor';
import type { Estimator } from './gram.ts';
import type { OutlierReport } from './outliers.ts';

/** How intervals are drawn. */
export interface Resampling {
  readonly estimator: Estimator;
  /** How many resamples. */
  readonly resamples: number;
  readonly key: RandomKey;
}

/** CKA of two levels; undefined where a level is constant or the examples are too few. */
export type Similarity = number | undefined;

/** Levels compared. */
export interface Comparison {
  readonly examples: number;
  /** For each level, whether it is the same for all examples. */
  readonly constant: readonly boolean[];
  /** CKA of all pairs, [L+1][L+1]; undefined also where a pair was not computed. */
  readonly matrix: readonly (readonly Similarity[])[];
  /** CKA(R[i], R[i+1]) in each resample, [resample][L]. */
  readonly resampled: readonly (readonly Similarity[])[];
  /** By how much deviations in the resamples shrink to those that all examples have. */
  readonly shrink: number;
  /** What hangs on a few examples; undefined where vectors are not kept. */
  readonly outliers?: OutlierReport | undefined;
  /** For each level the share of its variance that one dimension holds; undefined where vectors are not kept. */
  readonly dominance?: readonly number[];
  /** Sentences about limits that were met. */
  readonly notes: readonly string[];
}

/** Takes pooled levels batch by batch and compares them at the end. */
export interface Comparer {
  /** True when no more examples are wanted. */
  readonly full: boolean;
  /** Adds levels [b, C] of the same examples. Throws InputError when they are not finite. */
  add(levels: readonly Tensor[]): Promise<void>;
  /** Compares. Throws InputError when the examples are too few. */
  finish(options: Resampling): Promise<Comparison>;
}

/** An L+1 × L+1 matrix of a symmetric function of level numbers. */
export function symmetric(
  levels: number,
  value: (i: number, j: number) => Similarity,
): Similarity[][] {
  const matrix = Array.from({ length: levels }, () => new Array<Similarity>(levels));
  for (let i = 0; i < levels; i++)
    for (let j = i; j < levels; j++) matrix[i]![j] = matrix[j]![i] = value(i, j);
  return matrix;
}

/** Pairs [i, i + 1]. */
export function adjacent<T>(levels: number, value: (i: number, j: number) => T): T[] {
  return Array.from({ length: Math.max(0, levels - 1) }, (_, i) => value(i, i + 1));
}
