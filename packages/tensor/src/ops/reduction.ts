/** @file The reductions: their identities and their meaning in f64. */

/** How values along an axis are combined. */
export type ReduceName = 'sum' | 'max' | 'min';

/** One reduction. */
export interface Reduction {
  /** What it gives over nothing: 0, −∞, +∞; on a device of integers the least and the greatest. */
  readonly identity: number;
  readonly reference: (a: number, b: number) => number;
}

/** The table of reductions. */
export const REDUCTIONS: Readonly<Record<ReduceName, Reduction>> = {
  sum: { identity: 0, reference: (a, b) => a + b },
  max: { identity: -Infinity, reference: Math.max },
  min: { identity: Infinity, reference: Math.min },
};
