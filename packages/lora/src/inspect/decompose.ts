/**
 * @file The singular value decomposition of an update s·B·A from its factors: QR of B and of Aᵀ, then the SVD of an
 * R × R matrix. ΔW [out, in] is never formed. On the host, in f64.
 */
import { Matrix, qrMatrix, svdMatrix } from '@camada/tensor/linalg';

/** Factors of an update on the host: A [R, in], B [out, R]; of an embedding A [R, V], B [C, R]. */
export interface HostFactors {
  readonly A: Matrix;
  readonly B: Matrix;
  readonly scale: number;
}

/** ΔW = U·diag(s)·Vᵀ with K = min(R, out, in). */
export interface Decomposition {
  /** Left singular vectors [out, K]. */
  readonly u: Matrix;
  /** Singular values [K], descending. */
  readonly s: Float64Array;
  /** Right singular vectors [in, K]. */
  readonly v: Matrix;
}

/** Decomposes s·B·A in about (out + in)·R² multiplications. */
export function decompose({ A, B, scale }: HostFactors): Decomposition {
  const left = qrMatrix(B);
  const right = qrMatrix(A.transpose());
  const core = left.r.times(right.r.transpose()); // [R, R]
  const { u, s, vh } = svdMatrix(core);
  const size = Math.abs(scale);
  // A negative scale turns the left vectors: singular values are not negative.
  const turned = Matrix.from(u.rows, u.columns, (i, j) => (scale < 0 ? -u.at(i, j) : u.at(i, j)));
  return {
    u: left.q.times(turned),
    s: s.map((value) => value * size),
    v: right.q.times(vh.transpose()),
  };
}
