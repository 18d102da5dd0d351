/**
 * @file Small dense linear algebra for analysis: `@camada/tensor/linalg`. These functions read their operands, compute on the
 * host in f64 and give new f32 tensors, which are leaves: no gradient passes. The `…Matrix` functions are the
 * same on `Matrix`, for those who want f64 all the way. Names are those of `torch.linalg`.
 */
import { InputError } from '../errors.ts';
import { tensor } from '../create.ts';
import type { Tensor } from '../tensor.ts';
import { Matrix, readMatrix } from './matrix.ts';
import { qrMatrix } from './orthogonal.ts';
import { svdMatrix } from './singular.ts';
import {
  choleskyMatrix,
  detMatrix,
  lstsqMatrix,
  pinvMatrix,
  rankTolerance,
  solveMatrix,
} from './solve.ts';
import { eighMatrix } from './symmetric.ts';

export { Matrix, readMatrix } from './matrix.ts';
export { qrMatrix, type QrMatrices } from './orthogonal.ts';
export { svdMatrix, type SvdMatrices } from './singular.ts';
export { choleskyMatrix, detMatrix, lstsqMatrix, pinvMatrix, solveMatrix } from './solve.ts';
export { eighMatrix, type EighMatrices } from './symmetric.ts';

/** x [M, N] = q [M, K] · r [K, N], K = min(M, N); q has orthonormal columns. Throws ShapeError, InputError on NaN. */
export async function qr(x: Tensor): Promise<{ q: Tensor; r: Tensor }> {
  const { q, r } = qrMatrix(await readMatrix('qr', x));
  return { q: q.toTensor(), r: r.toTensor() };
}

/**
 * Eigenvalues [N], ascending, and eigenvectors [N, N] in columns of a symmetric x, of which the lower triangle is read. Throws
 * ShapeError, InputError on NaN.
 */
export async function eigh(x: Tensor): Promise<{ values: Tensor; vectors: Tensor }> {
  const { values, vectors } = eighMatrix(await readMatrix('eigh', x));
  return { values: tensor(values), vectors: vectors.toTensor() };
}

/**
 * x [M, N] = u [M, K] · diag(s [K]) · vh [K, N], K = min(M, N), s descending. Costs a few tens of K³ on the host: for K up
 * to several hundred. Throws ShapeError, InputError on NaN.
 */
export async function svd(x: Tensor): Promise<{ u: Tensor; s: Tensor; vh: Tensor }> {
  const { u, s, vh } = svdMatrix(await readMatrix('svd', x));
  return { u: u.toTensor(), s: tensor(s), vh: vh.toTensor() };
}

/** Singular values [min(M, N)], descending. Throws ShapeError, InputError on NaN. */
export async function svdvals(x: Tensor): Promise<Tensor> {
  return tensor(svdMatrix(await readMatrix('svdvals', x)).s);
}

/**
 * How many singular values exceed `tolerance`; by default max(M, N)·2⁻²³ of the largest, since x is f32. Throws
 * ShapeError, InputError on NaN.
 */
export async function matrixRank(x: Tensor, tolerance?: number): Promise<number> {
  const matrix = await readMatrix('matrixRank', x);
  const { s } = svdMatrix(matrix);
  const single = (rankTolerance(matrix, s) * 2 ** -23) / Number.EPSILON;
  return s.filter((value) => value > (tolerance ?? single)).length;
}

/** Largest over smallest singular value; Infinity where that is 0. Throws ShapeError, InputError on NaN or no elements. */
export async function cond(x: Tensor): Promise<number> {
  const { s } = svdMatrix(await readMatrix('cond', x));
  if (s.length === 0) throw new InputError('cond: the matrix has no elements');
  return s.at(-1) === 0 ? Infinity : s[0]! / s.at(-1)!;
}

/** The product of a matrix [M, N] and a column or columns on the right side, in b's own rank. */
async function columns(
  op: string,
  a: Tensor,
  b: Tensor,
  solve: (a: Matrix, b: Matrix) => Matrix,
): Promise<Tensor> {
  const right = b.rank === 1 ? b.unsqueeze(1) : b;
  const x = solve(await readMatrix(op, a), await readMatrix(op, right)).toTensor();
  return b.rank === 1 ? x.squeeze(1) : x;
}

/** X with a [N, N] · X = b ([N] or [N, R]). Throws ShapeError, and InputError on NaN or a singular matrix. */
export async function solve(a: Tensor, b: Tensor): Promise<Tensor> {
  return columns('solve', a, b, solveMatrix);
}

/** The shortest X for which a [M, N] · X is nearest to b ([M] or [M, R]). Throws ShapeError, InputError on NaN. */
export async function lstsq(a: Tensor, b: Tensor): Promise<Tensor> {
  return columns('lstsq', a, b, lstsqMatrix);
}

/** Lower triangular L with x = L·Lᵀ. Throws ShapeError, and InputError on NaN or where x is not positive definite. */
export async function cholesky(x: Tensor): Promise<Tensor> {
  return choleskyMatrix(await readMatrix('cholesky', x)).toTensor();
}

/** The inverse of a square matrix. Throws ShapeError, and InputError on NaN or a singular matrix. */
export async function inv(x: Tensor): Promise<Tensor> {
  const matrix = await readMatrix('inv', x);
  return solveMatrix(matrix, Matrix.identity(matrix.rows), 'inv').toTensor();
}

/** The pseudo-inverse [N, M] of x [M, N] (Moore–Penrose). Throws ShapeError, InputError on NaN. */
export async function pinv(x: Tensor): Promise<Tensor> {
  return pinvMatrix(await readMatrix('pinv', x)).toTensor();
}

/** The determinant of a square matrix. Throws ShapeError, InputError on NaN. */
export async function det(x: Tensor): Promise<number> {
  return detMatrix(await readMatrix('det', x));
}
