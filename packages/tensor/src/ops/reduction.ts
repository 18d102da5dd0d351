/** @file The reductions: their identities and their meaning in f64. */
import type { ScalarType } from '../dtype.ts';

/**
 * How values along an axis are combined. `peak` is the largest of floats where a NaN may be overlooked: what
 * only shifts an exponent need not pay for finding it (a third of a softmax on WebAssembly).
 */
export type ReduceName = 'sum' | 'prod' | 'max' | 'min' | 'peak';

/** One reduction. */
export interface Reduction {
  /** What it gives over nothing: 0, 1, −∞, +∞; on a device of integers the least and the greatest. */
  readonly identity: number;
  /** Of floats, in f64. max and min give NaN where there is one, as in PyTorch. */
  readonly reference: (a: number, b: number) => number;
  /** Of integers, exact modulo 2³². */
  readonly integer: (a: number, b: number) => number;
}

/** The table of reductions. */
export const REDUCTIONS: Readonly<Record<ReduceName, Reduction>> = {
  sum: { identity: 0, reference: (a, b) => a + b, integer: (a, b) => a + b },
  prod: { identity: 1, reference: (a, b) => a * b, integer: Math.imul },
  max: { identity: -Infinity, reference: Math.max, integer: Math.max },
  min: { identity: Infinity, reference: Math.min, integer: Math.min },
  peak: { identity: -Infinity, reference: Math.max, integer: Math.max },
};

/** How two values of a type combine: integers wrap. */
export function combiner(name: ReduceName, dtype: ScalarType): (a: number, b: number) => number {
  const { reference, integer } = REDUCTIONS[name];
  if (dtype === 'f32') return reference;
  if (dtype === 'u32') return (a, b) => integer(a, b) >>> 0;
  return (a, b) => integer(a, b) | 0;
}
