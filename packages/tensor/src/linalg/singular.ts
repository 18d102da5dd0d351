/**
 * @file Singular values by one-sided Jacobi rotations (Hestenes 1958; Golub & Van Loan, Matrix Computations, 4th ed.,
 * section 8.6.3): columns are turned in pairs until all are orthogonal. A QR decomposition goes first, so that
 * thin matrices are cheap; of larger ones the eigenvectors of AᵀA bring the columns near their goal, so that a
 * few sweeps finish what squaring lost. Without that step, small singular values have high relative accuracy.
 */
import { dot, Matrix, norm } from './matrix.ts';
import { qrMatrix } from './orthogonal.ts';
import { eighMatrix, rotate } from './symmetric.ts';

/** A = U·diag(s)·Vᵀ, K = min(M, N). */
export interface SvdMatrices {
  /** [M, K] with orthonormal columns. */
  readonly u: Matrix;
  /** [K], descending, none negative. */
  readonly s: Float64Array;
  /** [K, N] with orthonormal rows: Vᵀ. */
  readonly vh: Matrix;
}

const MOST_SWEEPS = 60;
/** From this many columns on the eigenvectors go first. */
const LARGE = 33;

/** Reduced singular value decomposition. About 2·M·K² multiplications and a few tens of K³. */
export function svdMatrix(a: Matrix): SvdMatrices {
  if (a.rows < a.columns) {
    const { u, s, vh } = svdMatrix(a.transpose());
    return { u: vh.transpose(), s, vh: u.transpose() };
  }
  const scale = a.largest() || 1;
  const { q, r } = qrMatrix(Matrix.from(a.rows, a.columns, (i, j) => a.at(i, j) / scale));
  const start = a.columns < LARGE ? undefined : eighMatrix(r.transpose().times(r)).vectors;
  const turned = start?.transpose() ?? Matrix.identity(a.columns);
  const v = turned.data;
  const columns = turned.times(r.transpose()).data;
  orthogonalize(columns, v);
  const lengths = columns.map((column) => norm(column));
  const order = [...lengths.keys()].sort((i, j) => lengths[j]! - lengths[i]!);
  const left = directions(
    order.map((i) => columns[i]!),
    order.map((i) => lengths[i]!),
  );
  return {
    u: q.times(new Matrix(left, r.rows).transpose()),
    s: Float64Array.from(order, (i) => lengths[i]! * scale),
    vh: new Matrix(
      order.map((i) => v[i]!),
      a.columns,
    ),
  };
}

/** Sweeps over all pairs of columns until none needs a turn; v turns along. */
function orthogonalize(columns: readonly Float64Array[], v: readonly Float64Array[]): void {
  for (let sweep = 0, turned = true; turned && sweep < MOST_SWEEPS; sweep++) {
    turned = false;
    const squares = columns.map((column) => dot(column, column));
    for (let p = 0; p < columns.length; p++)
      for (let q = p + 1; q < columns.length; q++) {
        const t = tangent(columns, squares, p, q);
        if (t === 0) continue;
        turned = true;
        const c = 1 / Math.hypot(1, t);
        rotate(columns[p]!, columns[q]!, c, -c * t);
        rotate(v[p]!, v[q]!, c, -c * t);
      }
  }
}

/** Tangent of the angle that makes two columns orthogonal, 0 when they are; keeps their squares up to date. */
function tangent(
  columns: readonly Float64Array[],
  squares: number[],
  p: number,
  q: number,
): number {
  const xy = dot(columns[p]!, columns[q]!);
  const [xx, yy] = [squares[p]!, squares[q]!];
  // What rounding leaves of the product of orthogonal columns (LAPACK's dgesvj).
  const small = Number.EPSILON * Math.sqrt(columns[p]!.length);
  if (xy === 0 || Math.abs(xy) <= small * Math.sqrt(xx) * Math.sqrt(yy)) return 0;
  const zeta = (yy - xx) / (2 * xy);
  const t = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  squares[p] = Math.max(0, xx - t * xy);
  squares[q] = yy + t * xy;
  return t;
}

/** Unit vectors along columns; where a column is zero, one that is orthogonal to all others. */
function directions(columns: readonly Float64Array[], lengths: readonly number[]): Float64Array[] {
  const found: Float64Array[] = [];
  const negligible = (lengths[0] ?? 0) * Number.EPSILON ** 2;
  columns.forEach((column, i) => {
    const length = lengths[i]!;
    found.push(
      length > negligible ? column.map((x) => x / length) : completing(found, column.length),
    );
  });
  return found;
}

/** A unit vector orthogonal to `others`: the axis that they cover least, less what they cover of it. */
function completing(others: readonly Float64Array[], size: number): Float64Array {
  const covered = (axis: number): number =>
    others.reduce((sum, other) => sum + other[axis]! ** 2, 0);
  const axes = Array.from({ length: size }, (_, axis) => covered(axis));
  const result = new Float64Array(size);
  result[axes.indexOf(Math.min(...axes))] = 1;
  // Twice is enough (Kahan; Parlett, The Symmetric Eigenvalue Problem, section 6.9).
  for (let pass = 0; pass < 2; pass++)
    for (const other of others) {
      const k = dot(other, result);
      for (let i = 0; i < size; i++) result[i]! -= k * other[i]!;
    }
  const length = norm(result);
  return result.map((x) => x / length);
}
