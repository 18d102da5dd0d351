/**
 * @file Arithmetic of matrices that were trained from one start ("task vectors", Ilharco et al. 2023,
 * https://arxiv.org/abs/2212.04089): TIES (Yadav et al. 2023, https://arxiv.org/abs/2306.01708) and DARE (Yu et al.
 * 2024, https://arxiv.org/abs/2311.03099), in the order of steps of PEFT's `utils/merge_utils.py`. On the host, in f64.
 */
import { uniformAt, type RandomKey } from '@camada/tensor';
import { Matrix } from '@camada/tensor/linalg';

/** Ways to add matrices up. */
export type Arithmetic = 'linear' | 'ties' | 'dare_linear' | 'dare_ties' | 'magnitude_prune';

/** How sign conflicts are decided: by the sum of the numbers, or by counting signs. */
export type SignElection = 'total' | 'frequency';

/** How matrices are added up. */
export interface MixOptions {
  /** Share of the numbers that is kept, from 0 to 1. */
  readonly density: number;
  readonly majority_sign_method: SignElection;
  /** Key of the random choice of matrix i. */
  readonly key: (i: number) => RandomKey;
}

/** The sum of matrices of one shape, each times its weight, after the method's pruning and election of signs. */
export function mix(
  kind: Arithmetic,
  matrices: readonly Matrix[],
  weights: readonly number[],
  { density, majority_sign_method, key }: MixOptions,
): Matrix {
  const kept = matrices.map((matrix, i) => {
    if (kind === 'linear') return matrix;
    return kind.startsWith('dare')
      ? pruneRandom(matrix, density, key(i))
      : pruneSmall(matrix, density);
  });
  return kind.endsWith('ties')
    ? disjointMean(kept, weights, majority_sign_method)
    : weightedSum(kept, weights);
}

function weightedSum(matrices: readonly Matrix[], weights: readonly number[]): Matrix {
  const { rows, columns } = matrices[0]!;
  return Matrix.from(rows, columns, (i, j) =>
    matrices.reduce((sum, matrix, k) => sum + weights[k]! * matrix.at(i, j), 0),
  );
}

/** The floor(density·n) numbers of largest magnitude; of equal ones the first. */
function pruneSmall(matrix: Matrix, density: number): Matrix {
  const sizes = matrix.data.flatMap((row) => [...row].map(Math.abs));
  const order = [...sizes.keys()].sort((a, b) => sizes[b]! - sizes[a]! || a - b);
  const kept = new Set(order.slice(0, Math.floor(density * sizes.length)));
  return Matrix.from(matrix.rows, matrix.columns, (i, j) =>
    kept.has(i * matrix.columns + j) ? matrix.at(i, j) : 0,
  );
}

/** Each number stays with probability `density`, divided by it, so that the mean stays (DARE, equation 2). */
function pruneRandom(matrix: Matrix, density: number, key: RandomKey): Matrix {
  return Matrix.from(matrix.rows, matrix.columns, (i, j) =>
    uniformAt(i * matrix.columns + j, key) < density ? matrix.at(i, j) / density : 0,
  );
}

/** Of each place the mean over the matrices that have the elected sign there, weighted (TIES, section 3.2). */
function disjointMean(
  matrices: readonly Matrix[],
  weights: readonly number[],
  election: SignElection,
): Matrix {
  const { rows, columns } = matrices[0]!;
  return Matrix.from(rows, columns, (i, j) => {
    const values = matrices.map((matrix) => matrix.at(i, j));
    const votes = election === 'total' ? values : values.map(Math.sign);
    const elected = votes.reduce((sum, vote) => sum + vote, 0) >= 0 ? 1 : -1;
    let [sum, count] = [0, 0];
    values.forEach((value, k) => {
      if (Math.sign(value) !== elected) return;
      sum += weights[k]! * value;
      count++;
    });
    return sum / Math.max(count, 1);
  });
}
