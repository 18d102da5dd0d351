/** @file What a measure of similarity is: levels are prepared once each, then compared in pairs. */
import type { Tensor } from '@camada/tensor';
import type { Estimator } from '../gram.ts';

/** Settings of the measures; each reads its own. */
export interface MetricOptions {
  /** Of `cka` and `rbf-cka`. @defaultValue 'debiased' */
  readonly estimator?: Estimator;
  /** Of `rbf-cka`: the kernel's width as a multiple of the median distance. @defaultValue 1 */
  readonly bandwidth?: number;
  /** Of `svcca` and `pwcca`: directions are kept until they hold this share of the variance. @defaultValue 0.99 */
  readonly variance?: number;
}

/** A similarity, or a sentence that says why there is none. */
export type Result = number | string;

/** Compares levels i and j of those that were prepared. */
export type PairComparer = (i: number, j: number) => Result;

/**
 * A measure: takes representations [n, p] of the same n examples, finite, of any widths. Preparing runs on the current
 * device and on the host; comparing needs no device.
 */
export type Metric = (levels: readonly Tensor[], options: MetricOptions) => Promise<PairComparer>;

/** Why a level that is the same for all examples is like nothing. */
export const SAME_FOR_ALL: string =
  'a representation is the same for all examples, so similarity is not defined: use other examples or another pooling';
