/**
 * @file Eigenvalues of symmetric matrices: reflections bring the matrix to three diagonals, rotations with
 * Wilkinson's shift to one (Golub & Van Loan, Matrix Computations, 4th ed., sections 8.3.1 and 8.3.3).
 */
import { CamadaError } from '../errors.ts';
import { addScaled, checkSquare, dot, Matrix } from './matrix.ts';
import { reflectionOf } from './orthogonal.ts';

/** A = V·diag(values)·Vᵀ. */
export interface EighMatrices {
  /** Ascending. */
  readonly values: Float64Array;
  /** [N, N]; column i belongs to value i. */
  readonly vectors: Matrix;
}

/** Three diagonals of a symmetric matrix T = Z·A·Zᵀ. */
interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** Element i stands beside diagonal elements i and i + 1. */
  readonly beside: Float64Array;
  /** Rows of Z. */
  readonly z: readonly Float64Array[];
}

/** Rotations tried for one eigenvalue. */
const MOST_TURNS = 60;

/**
 * All eigenvalues and eigenvectors of a symmetric matrix, of which only the lower triangle is read. About 9·N³
 * multiplications. Throws ShapeError unless it is square.
 */
export function eighMatrix(a: Matrix): EighMatrices {
  checkSquare('eigh', a);
  const scale = a.largest() || 1;
  const scaled = Matrix.from(
    a.rows,
    a.rows,
    (i, j) => a.at(Math.max(i, j), Math.min(i, j)) / scale,
  );
  const t = tridiagonal(scaled);
  diagonalize(t);
  const order = [...t.diagonal.keys()].sort((i, j) => t.diagonal[i]! - t.diagonal[j]!);
  const values = Float64Array.from(order, (i) => t.diagonal[i]! * scale);
  const rows = order.map((i) => t.z[i]!);
  return { values, vectors: new Matrix(rows, a.rows).transpose() };
}

/** Reflections from both sides, one a column; `a` is used up. */
function tridiagonal(a: Matrix): Tridiagonal {
  const n = a.rows;
  const beside = new Float64Array(Math.max(0, n - 1));
  const reflections: ({ v: Float64Array; beta: number } | undefined)[] = [];
  for (let k = 0; k < n - 1; k++) {
    const { reflection, value } = reflectionOf(a.data[k]!, k + 1);
    beside[k] = value;
    reflections.push(reflection);
    if (reflection) reflectBoth(a, reflection, k + 1);
  }
  const diagonal = Float64Array.from({ length: n }, (_, i) => a.at(i, i));
  const z = Matrix.identity(n).data;
  for (let k = reflections.length - 1; k >= 0; k--) {
    const reflection = reflections[k];
    if (!reflection) continue;
    const { v, beta } = reflection;
    for (const row of z) addScaled(row, v, -beta * dot(v, row, k + 1));
  }
  return { diagonal, beside, z };
}

/** The trailing block from `from` on becomes H·A·H by one symmetric update of rank two. */
function reflectBoth(
  a: Matrix,
  { v, beta }: { v: Float64Array; beta: number },
  from: number,
): void {
  const w = new Float64Array(a.rows);
  for (let i = from; i < a.rows; i++) w[i] = beta * dot(v, a.data[i]!, from);
  addScaled(w, v, (-beta / 2) * dot(w, v, from));
  for (let i = from; i < a.rows; i++) {
    const row = a.data[i]!;
    for (let j = from; j < a.rows; j++) row[j]! -= v[i]! * w[j]! + w[i]! * v[j]!;
  }
}

/** Turns the three diagonals into one, eigenvalue by eigenvalue from the end. */
function diagonalize(t: Tridiagonal): void {
  const { diagonal, beside } = t;
  let turns = 0;
  let high = diagonal.length - 1;
  while (high > 0) {
    if (isSmall(t, high - 1)) {
      beside[high - 1] = 0;
      high--;
      turns = 0;
      continue;
    }
    let low = high - 1;
    while (low > 0 && !isSmall(t, low - 1)) low--;
    if (++turns > MOST_TURNS)
      throw new CamadaError('internal: eigh does not converge on this matrix');
    turn(t, low, high);
  }
}

function isSmall({ diagonal, beside }: Tridiagonal, i: number): boolean {
  const around = Math.abs(diagonal[i]!) + Math.abs(diagonal[i + 1]!);
  const size = Math.abs(beside[i]!);
  return size <= Number.EPSILON * around || size < Number.EPSILON ** 2;
}

/** One sweep of rotations over the block `low` … `high`, which chases the bulge that the shift makes. */
function turn({ diagonal: d, beside: e, z }: Tridiagonal, low: number, high: number): void {
  const half = (d[high - 1]! - d[high]!) / 2;
  const last = e[high - 1]!;
  const root = Math.hypot(half, last);
  const shift = d[high]! - (last * last) / (half + (half < 0 ? -root : root));
  let x = d[low]! - shift;
  let bulge = e[low]!;
  for (let k = low; k < high; k++) {
    const r = Math.hypot(x, bulge);
    const [c, s] = r === 0 ? [1, 0] : [x / r, bulge / r];
    if (k > low) e[k - 1] = r;
    const [a, b, f] = [d[k]!, e[k]!, d[k + 1]!];
    d[k] = c * c * a + 2 * c * s * b + s * s * f;
    d[k + 1] = s * s * a - 2 * c * s * b + c * c * f;
    e[k] = c * s * (f - a) + (c * c - s * s) * b;
    rotate(z[k]!, z[k + 1]!, c, s);
    if (k === high - 1) continue;
    x = e[k]!;
    bulge = s * e[k + 1]!;
    e[k + 1]! *= c;
  }
}

/** (a, b) becomes (c·a + s·b, c·b − s·a). */
export function rotate(a: Float64Array, b: Float64Array, c: number, s: number): void {
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    a[i] = c * x + s * y;
    b[i] = c * y - s * x;
  }
}
