/**
 * @file The update of one layer out of those of several adapters, as PEFT's `add_weighted_adapter` makes it. Compared
 * with Σ wᵢ·ΔWᵢ:
 * - `cat` is equal, its rank the sum of the ranks;
 * - `svd` is the nearest of its rank (Eckart and Young 1936), equal from the sum of the ranks on;
 * - `linear` is not equal: A and B are added up apart, so that products of one adapter's B and another's A come in;
 * - `ties`, `dare_linear`, `dare_ties` and `magnitude_prune` are other sums by intent, of A and B apart; with `_svd`
 *   of the ΔWᵢ themselves, which are formed for it, then cut to the rank.
 *
 * In two places PEFT 0.18 differs: its `svd` kinds multiply by the scale alpha / r twice, and its `dare` kinds do not
 * divide by the density.
 */
import type { RandomKey } from '@camada/tensor';
import { Matrix, svdMatrix } from '@camada/tensor/linalg';
import { decompose, type Decomposition, type HostFactors } from '../inspect/decompose.ts';
import { mix, type Arithmetic, type SignElection } from './arithmetic.ts';

/** PEFT's `combination_type`s. */
export const COMBINATIONS = [
  'linear',
  'cat',
  'svd',
  'ties',
  'dare_linear',
  'dare_ties',
  'magnitude_prune',
  'ties_svd',
  'dare_linear_svd',
  'dare_ties_svd',
  'magnitude_prune_svd',
] as const;

/** How adapters are combined. */
export type CombinationType = (typeof COMBINATIONS)[number];

/** A combination of updates of one layer. */
export interface Combination {
  readonly type: CombinationType;
  /** Rank R of the result. */
  readonly rank: number;
  readonly density: number;
  readonly election: SignElection;
  /** Key of the random choice of a tensor (`A`, `B` or `delta`) of update i. */
  readonly key: (tensor: string, i: number) => RandomKey;
}

/** Updates and their weights to the A [R, in] and B [out, R] of one with scale 1. */
export function combineFactors(
  updates: readonly HostFactors[],
  weights: readonly number[],
  how: Combination,
): { A: Matrix; B: Matrix } {
  const { type, rank } = how;
  if (type === 'cat') return filled(concatenated(updates, weights), rank);
  if (type === 'svd')
    return truncated(decompose({ ...concatenated(updates, weights), scale: 1 }), rank);
  const kind = type.replace('_svd', '') as Arithmetic;
  const mixed = (tensor: string, matrices: readonly Matrix[], by: readonly number[]): Matrix =>
    mix(kind, matrices, by, {
      density: how.density,
      majority_sign_method: how.election,
      key: (i) => how.key(tensor, i),
    });
  if (kind === type) return apart(updates, weights, rank, mixed);
  const { u, s, vh } = svdMatrix(mixed('delta', updates.map(product), weights));
  return truncated({ u, s, v: vh.transpose() }, rank);
}

/** A and B added up apart, each with the root of the weight; A carries its sign, B too, as in PEFT. */
function apart(
  updates: readonly HostFactors[],
  weights: readonly number[],
  rank: number,
  mixed: (tensor: string, matrices: readonly Matrix[], by: readonly number[]) => Matrix,
): { A: Matrix; B: Matrix } {
  const roots = updates.map(({ scale }, i) => {
    const weight = scale * weights[i]!;
    return Math.sign(weight) * Math.sqrt(Math.abs(weight));
  });
  const all = updates.map((update) => filled(update, rank));
  return {
    A: mixed(
      'A',
      all.map(({ A }) => A),
      roots,
    ),
    B: mixed(
      'B',
      all.map(({ B }) => B),
      roots,
    ),
  };
}

/** All A below each other, with weight and scale, and all B beside each other. */
function concatenated(
  updates: readonly HostFactors[],
  weights: readonly number[],
): { A: Matrix; B: Matrix } {
  const rows = updates.flatMap(({ A, scale }, i) =>
    A.data.map((row) => row.map((x) => x * scale * weights[i]!)),
  );
  const columns = updates.flatMap(({ B }) => [...B.transpose().data]);
  return { A: new Matrix(rows), B: new Matrix(columns).transpose() };
}

/** s·B·A: [out, in]. */
function product({ A, B, scale }: HostFactors): Matrix {
  const scaled = new Matrix(A.data.map((row) => row.map((x) => x * scale)));
  return B.times(scaled);
}

/** The first `rank` triplets: U·diag(s) as B, Vᵀ as A. */
function truncated({ u, s, v }: Decomposition, rank: number): { A: Matrix; B: Matrix } {
  const kept = Math.min(rank, s.length);
  const A = Matrix.from(kept, v.rows, (i, j) => v.at(j, i));
  const B = Matrix.from(u.rows, kept, (i, j) => u.at(i, j) * s[j]!);
  return filled({ A, B }, rank);
}

/** The same with `rank` rows of A and columns of B, the new ones zero. */
function filled({ A, B }: { A: Matrix; B: Matrix }, rank: number): { A: Matrix; B: Matrix } {
  if (A.rows >= rank) return { A, B };
  return {
    A: Matrix.from(rank, A.columns, (i, j) => (i < A.rows ? A.at(i, j) : 0)),
    B: Matrix.from(B.rows, rank, (i, j) => (j < B.columns ? B.at(i, j) : 0)),
  };
}
