/** @file QR by Householder's reflections (Golub & Van Loan, Matrix Computations, 4th ed., section 5.2). */
import { addScaled, dot, Matrix, norm } from './matrix.ts';

/** A = Q·R. */
export interface QrMatrices {
  /** [M, K] with orthonormal columns, K = min(M, N). */
  readonly q: Matrix;
  /** [K, N], zeros below the diagonal. */
  readonly r: Matrix;
}

/** x ↦ x − beta·v·(v·x), with v zero before its place. */
interface Reflection {
  readonly v: Float64Array;
  readonly beta: number;
}

function reflect({ v, beta }: Reflection, x: Float64Array, from: number): void {
  addScaled(x, v, -beta * dot(v, x, from));
}

/**
 * The reflection that brings x to zero below index `at`, and what x has there then: −sign(x)·‖x‖, as in LAPACK. None
 * where that is so already.
 */
export function reflectionOf(
  x: Float64Array,
  at: number,
): { reflection: Reflection | undefined; value: number } {
  if (norm(x, at + 1) === 0) return { reflection: undefined, value: x[at]! };
  const length = norm(x, at);
  const value = x[at]! > 0 ? -length : length;
  const v = x.slice();
  v.fill(0, 0, at);
  v[at]! -= value;
  // Scaled to 1 at its place: no square overflows.
  const first = v[at]!;
  for (let i = at; i < v.length; i++) v[i]! /= first;
  return { reflection: { v, beta: 2 / dot(v, v, at) }, value };
}

/** Reduced QR decomposition. About 2·M·N·K multiplications. */
export function qrMatrix(a: Matrix): QrMatrices {
  const k = Math.min(a.rows, a.columns);
  const columns = a.transpose().data;
  const reflections: (Reflection | undefined)[] = [];
  for (let j = 0; j < k; j++) {
    const { reflection, value } = reflectionOf(columns[j]!, j);
    reflections.push(reflection);
    columns[j]!.fill(0, j);
    columns[j]![j] = value;
    if (!reflection) continue;
    for (let c = j + 1; c < columns.length; c++) reflect(reflection, columns[c]!, j);
  }
  const r = Matrix.from(k, a.columns, (i, j) => (i <= j ? columns[j]![i]! : 0));
  return { q: orthonormal(a.rows, k, reflections), r };
}

/** The first k columns of the product of reflections. */
function orthonormal(
  rows: number,
  k: number,
  reflections: readonly (Reflection | undefined)[],
): Matrix {
  const columns = Array.from({ length: k }, (_, j) => {
    const column = new Float64Array(rows);
    column[j] = 1;
    for (let i = k - 1; i >= 0; i--) {
      const reflection = reflections[i];
      if (reflection) reflect(reflection, column, i);
    }
    return column;
  });
  return new Matrix(columns, rows).transpose();
}
