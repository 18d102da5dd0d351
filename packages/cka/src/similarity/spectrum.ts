/** @file Singular values and directions of a centred representation, shared by CCA and Procrustes. */
import type { Tensor } from '@camada/tensor';
import { Matrix, readMatrix, svdMatrix } from '@camada/tensor/linalg';
import { isConstant } from '../gram.ts';

/** X − mean = U·diag(s)·Vᵀ without the directions that are only rounding. */
export interface Spectrum {
  /** [n, k], orthonormal columns. */
  readonly u: Matrix;
  /** [k], descending. */
  readonly s: Float64Array;
  /** [k, p], orthonormal rows. */
  readonly vh: Matrix;
}

/** Singular values below this share of the largest are rounding of f32. */
const ROUNDING = 1e-6;

/** The spectrum of x [n, p]; undefined where it is the same for all examples. */
export async function spectrumOf(x: Tensor): Promise<Spectrum | undefined> {
  const matrix = await readMatrix('similarity', x);
  const { centred, constant } = centre(matrix);
  if (constant) return undefined;
  const { u, s, vh } = svdMatrix(centred);
  const kept = s.filter((value) => value > ROUNDING * s[0]!).length;
  return firstDirections({ u, s, vh }, kept);
}

/** The first `count` directions. */
export function firstDirections({ u, s, vh }: Spectrum, count: number): Spectrum {
  return {
    u: new Matrix(
      u.data.map((row) => row.slice(0, count)),
      count,
    ),
    s: s.slice(0, count),
    vh: new Matrix(vh.data.slice(0, count), vh.columns),
  };
}

function centre(x: Matrix): { centred: Matrix; constant: boolean } {
  const means = Float64Array.from({ length: x.columns }, (_, j) =>
    x.data.reduce((sum, row) => sum + row[j]! / x.rows, 0),
  );
  const centred = new Matrix(
    x.data.map((row) => row.map((value, j) => value - means[j]!)),
    x.columns,
  );
  return { centred, constant: isConstant(sumOfSquares(centred), sumOfSquares(x)) };
}

function sumOfSquares({ data }: Matrix): number {
  return data.reduce((sum, row) => row.reduce((part, value) => part + value * value, sum), 0);
}
