/**
 * @file How much the subspaces of two updates share: φ(A₁, A₂, i, j) = ‖U₁ⁱᵀ·U₂ʲ‖² / min(i, j), the squared cosines of the
 * principal angles on average (LoRA, https://arxiv.org/abs/2106.09685, section 7.2, equation 4). 1: one contains the other, 0:
 * orthogonal; of random subspaces of d axes max(i, j) / d on average.
 */
import { InputError } from '@camada/tensor';
import { svdMatrix, type Matrix } from '@camada/tensor/linalg';
import type { HostFactors } from './decompose.ts';

/** Which space of an update is meant: that of A's rows (what it reads) or of B's columns (what it writes). */
export type UpdateSpace = 'A' | 'B';

/** Orthonormal columns by importance: right singular vectors of A [in, R], or left ones of B [out, R]. */
export function spaceOf({ A, B }: HostFactors, space: UpdateSpace): Matrix {
  return space === 'A' ? svdMatrix(A).vh.transpose() : svdMatrix(B).u;
}

/**
 * φ at [i − 1][j − 1] for all i, j, from orthonormal columns [d, R₁] and [d, R₂]. Throws InputError when the spaces have
 * not the same axes.
 */
export function subspaceSimilarity(first: Matrix, second: Matrix): number[][] {
  if (first.rows !== second.rows)
    throw new InputError(
      `subspaces of ${first.rows} and ${second.rows} axes cannot be compared; are the adapters of one model?`,
    );
  const cosines = first.transpose().times(second); // [R₁, R₂]
  const above = new Float64Array(second.columns); // Σ over the rows so far
  return cosines.data.map((row, i) => {
    let sum = 0;
    return Array.from(row, (cosine, j) => {
      above[j]! += cosine ** 2;
      sum += above[j]!;
      return sum / Math.min(i + 1, j + 1);
    });
  });
}

/** φ of all pairs of spaces, each with all its columns: [N][N]. Throws InputError as `subspaceSimilarity` does. */
export function similarityOfAll(spaces: readonly Matrix[]): number[][] {
  return spaces.map((first) =>
    spaces.map((second) => subspaceSimilarity(first, second).at(-1)?.at(-1) ?? 0),
  );
}
