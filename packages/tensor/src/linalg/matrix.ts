/**
 * @file Small dense matrices on the host, in f64: what the decompositions compute with. Kept as rows, since
 * all of them walk along rows (of the matrix or of its transpose).
 */
import { InputError, ShapeError } from '../errors.ts';
import { tensor } from '../create.ts';
import { showShape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';

/** A dense f64 matrix. */
export class Matrix {
  readonly columns: number;
  /** One array a row. */
  readonly data: readonly Float64Array[];

  /** @param data one array of `columns` numbers a row; not copied. */
  constructor(data: readonly Float64Array[], columns: number = data[0]?.length ?? 0) {
    this.data = data;
    this.columns = columns;
  }

  /** The matrix whose element is `element(row, column)`. */
  static from(rows: number, columns: number, element: (i: number, j: number) => number): Matrix {
    const row = (i: number): Float64Array =>
      Float64Array.from({ length: columns }, (_, j) => element(i, j));
    return new Matrix(
      Array.from({ length: rows }, (_, i) => row(i)),
      columns,
    );
  }

  /** n × n with ones on the diagonal. */
  static identity(n: number): Matrix {
    return Matrix.from(n, n, (i, j) => Number(i === j));
  }

  /** Number of rows. */
  get rows(): number {
    return this.data.length;
  }

  /** Element (i, j). */
  at(i: number, j: number): number {
    return this.data[i]![j]!;
  }

  /** Rows and columns exchanged. */
  transpose(): Matrix {
    return Matrix.from(this.columns, this.rows, (i, j) => this.at(j, i));
  }

  /** A copy that shares nothing. */
  copy(): Matrix {
    return new Matrix(
      this.data.map((row) => row.slice()),
      this.columns,
    );
  }

  /** This times `other`. */
  times(other: Matrix): Matrix {
    const rows = this.data.map((row) => {
      const sum = new Float64Array(other.columns);
      row.forEach((x, k) => addScaled(sum, other.data[k]!, x));
      return sum;
    });
    return new Matrix(rows, other.columns);
  }

  /** Largest magnitude of an element; 0 of an empty matrix. */
  largest(): number {
    return this.data.reduce((most, row) => row.reduce((m, x) => Math.max(m, Math.abs(x)), most), 0);
  }

  /** The matrix as an f32 tensor [rows, columns], a leaf without history. */
  toTensor(): Tensor {
    const flat = new Float64Array(this.rows * this.columns);
    this.data.forEach((row, i) => flat.set(row, i * this.columns));
    return tensor(flat, [this.rows, this.columns]);
  }
}

/** a += k·b. */
export function addScaled(a: Float64Array, b: Float64Array, k: number): void {
  if (k === 0) return;
  for (let i = 0; i < a.length; i++) a[i]! += k * b[i]!;
}

/** Σ aᵢ·bᵢ from index `from` on. */
export function dot(a: Float64Array, b: Float64Array, from: number = 0): number {
  let sum = 0;
  for (let i = from; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** √Σ aᵢ² from index `from` on, without overflow on the way. */
export function norm(a: Float64Array, from: number = 0): number {
  let most = 0;
  for (let i = from; i < a.length; i++) most = Math.max(most, Math.abs(a[i]!));
  if (most === 0) return 0;
  let sum = 0;
  for (let i = from; i < a.length; i++) sum += (a[i]! / most) ** 2;
  return most * Math.sqrt(sum);
}

/**
 * Reads a tensor [M, N] into a matrix. Throws ShapeError unless it is a matrix, InputError when an element is NaN or
 * infinite: no decomposition means anything then.
 */
export async function readMatrix(op: string, x: Tensor): Promise<Matrix> {
  if (x.rank !== 2) throw new ShapeError(`${op}: takes a matrix, got ${showShape(x.shape)}`);
  const [rows, columns] = x.shape as readonly [number, number];
  const data = await x.data();
  const wrong = data.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new InputError(
      `${op}: element [${Math.floor(wrong / columns)}, ${wrong % columns}] is ${data[wrong]}; only finite numbers can be decomposed`,
    );
  return Matrix.from(rows, columns, (i, j) => data[i * columns + j]!);
}

/** Throws ShapeError unless the matrix is square. */
export function checkSquare(op: string, { rows, columns }: Matrix): void {
  if (rows !== columns)
    throw new ShapeError(`${op}: takes a square matrix, got ${showShape([rows, columns])}`);
}
