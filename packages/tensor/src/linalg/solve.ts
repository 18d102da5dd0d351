/** @file Systems of linear equations: by elimination, by Cholesky's factor, by least squares. */
import { InputError, ShapeError } from '../errors.ts';
import { showShape } from '../shape.ts';
import { addScaled, checkSquare, dot, Matrix } from './matrix.ts';
import { svdMatrix, type SvdMatrices } from './singular.ts';

/** P·A = L·U, both in one matrix; `order[i]` is the row of A that stands at i. */
interface Eliminated {
  readonly lu: Matrix;
  readonly order: readonly number[];
  /** 1 or −1: the sign of the permutation. */
  readonly sign: number;
}

/** Elimination with partial pivoting (Golub & Van Loan, Matrix Computations, 4th ed., section 3.4). */
function eliminate(a: Matrix): Eliminated {
  const rows = a.copy().data.map((row, i) => ({ row, i }));
  let sign = 1;
  for (let k = 0; k < rows.length; k++) {
    let pivot = k;
    for (let i = k + 1; i < rows.length; i++)
      if (Math.abs(rows[i]!.row[k]!) > Math.abs(rows[pivot]!.row[k]!)) pivot = i;
    if (pivot !== k) {
      [rows[k], rows[pivot]] = [rows[pivot]!, rows[k]!];
      sign = -sign;
    }
    const top = rows[k]!.row;
    if (top[k] === 0) continue;
    for (const { row } of rows.slice(k + 1)) {
      const factor = row[k]! / top[k]!;
      for (let j = k + 1; j < row.length; j++) row[j]! -= factor * top[j]!;
      row[k] = factor;
    }
  }
  const lu = new Matrix(
    rows.map(({ row }) => row),
    a.columns,
  );
  return { lu, order: rows.map(({ i }) => i), sign };
}

/** Determinant of a square matrix; 1 of an empty one. Throws ShapeError. */
export function detMatrix(a: Matrix): number {
  checkSquare('det', a);
  const { lu, sign } = eliminate(a);
  return lu.data.reduce((product, row, i) => product * row[i]!, sign);
}

function checkRows(op: string, a: Matrix, b: Matrix): void {
  if (a.rows !== b.rows)
    throw new ShapeError(
      `${op}: ${showShape([a.rows, a.columns])} and right sides ${showShape([b.rows, b.columns])} differ in rows`,
    );
}

/** X with A·X = B. Throws ShapeError, and InputError when A is singular. */
export function solveMatrix(a: Matrix, b: Matrix, op = 'solve'): Matrix {
  checkSquare(op, a);
  checkRows(op, a, b);
  const { lu, order } = eliminate(a);
  const singular = lu.data.findIndex((row, i) => row[i] === 0);
  if (singular >= 0)
    throw new InputError(`${op}: the matrix is singular: its rank is below ${a.rows}; use lstsq`);
  const x = order.map((i) => b.data[i]!.slice());
  x.forEach((row, i) => {
    for (let k = 0; k < i; k++) addScaled(row, x[k]!, -lu.at(i, k));
  });
  for (let i = x.length - 1; i >= 0; i--) {
    for (let k = i + 1; k < x.length; k++) addScaled(x[i]!, x[k]!, -lu.at(i, k));
    for (let j = 0; j < b.columns; j++) x[i]![j]! /= lu.at(i, i);
  }
  return new Matrix(x, b.columns);
}

/**
 * Lower triangular L with A = L·Lᵀ; of A the lower triangle is read. Throws ShapeError, and InputError when A is not
 * positive definite.
 */
export function choleskyMatrix(a: Matrix): Matrix {
  checkSquare('cholesky', a);
  const rows = a.data.map(() => new Float64Array(a.rows));
  rows.forEach((row, i) => {
    for (let j = 0; j <= i; j++) {
      const rest = a.at(i, j) - dot(row.subarray(0, j), rows[j]!.subarray(0, j));
      if (i !== j) row[j] = rest / rows[j]![j]!;
      else if (rest > 0) row[i] = Math.sqrt(rest);
      else
        throw new InputError(
          `cholesky: the matrix is not positive definite: its leading block of ${i + 1} rows is not`,
        );
    }
  });
  return new Matrix(rows, a.rows);
}

/** Singular values up to this are taken for zero: the usual max(M, N)·ε of the largest. */
export function rankTolerance(a: Matrix, s: Float64Array): number {
  return Math.max(a.rows, a.columns) * Number.EPSILON * (s[0] ?? 0);
}

/** The pseudo-inverse by singular values above a tolerance. */
export function pinvMatrix(a: Matrix, decomposed: SvdMatrices = svdMatrix(a)): Matrix {
  const { u, s, vh } = decomposed;
  const tolerance = rankTolerance(a, s);
  const v = vh.transpose();
  const scaled = Matrix.from(v.rows, v.columns, (i, j) =>
    s[j]! > tolerance ? v.at(i, j) / s[j]! : 0,
  );
  return scaled.times(u.transpose());
}

/** The X of least length among those for which A·X comes nearest to B. Throws ShapeError. */
export function lstsqMatrix(a: Matrix, b: Matrix): Matrix {
  checkRows('lstsq', a, b);
  return pinvMatrix(a).times(b);
}
