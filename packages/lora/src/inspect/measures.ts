/** @file What the singular values of an update say. */
import { decompose, type HostFactors } from './decompose.ts';

/** An update ΔW = s·B·A in numbers. */
export interface UpdateMeasures {
  /** R of A and B. */
  readonly rank: number;
  /** Singular values [K], descending. */
  readonly spectrum: readonly number[];
  /** ‖ΔW‖ of Frobenius. */
  readonly norm: number;
  /** exp of the entropy of σᵢ / Σσ (Roy & Vetterli 2007): from 1 to R; 0 of a zero update. */
  readonly effectiveRank: number;
  /** ‖ΔW‖² / σ₁² (Rudelson & Vershynin 2007): from 1 to R; 0 of a zero update. */
  readonly stableRank: number;
}

/** The measures of an update, without forming it. */
export function measureUpdate(factors: HostFactors): UpdateMeasures {
  return { rank: factors.A.rows, ...measureSpectrum(decompose(factors).s) };
}

/** The measures of singular values, descending. */
export function measureSpectrum(s: Float64Array): Omit<UpdateMeasures, 'rank'> {
  const total = s.reduce((sum, x) => sum + x, 0);
  const square = s.reduce((sum, x) => sum + x * x, 0);
  const entropy = s.reduce((sum, x) => (x > 0 ? sum - (x / total) * Math.log(x / total) : sum), 0);
  const first = s[0] ?? 0;
  return {
    spectrum: [...s],
    norm: Math.sqrt(square),
    effectiveRank: total > 0 ? Math.exp(entropy) : 0,
    stableRank: first > 0 ? square / first ** 2 : 0,
  };
}
