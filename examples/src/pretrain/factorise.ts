/**
 * @file The leading eigenvectors of a large sparse symmetric matrix by randomised subspace iteration.
 * Halko, Martinsson and Tropp, "Finding Structure with Randomness", SIAM Review 2011, algorithms 4.4 and 5.3.
 */
import { seededRandom } from '../data/random.ts';
import type { SparseMatrix } from './cooccurrence.ts';

/** Rows of a tall matrix, [n, k] in row order. */
export interface Tall {
  readonly rows: number;
  readonly width: number;
  readonly data: Float32Array;
}

/**
 * One row of `width` numbers for every row of `m`: an orthonormal basis of the dominant subspace, each direction scaled by
 * the square root of its strength (the symmetric factorisation, Levy et al. 2015, section 3.3: p = 1/2).
 */
export function factorise(m: SparseMatrix, width: number, rounds: number, seed: number): Tall {
  let basis = orthonormalise(gaussian(m.size, width, seed)).basis;
  let strengths = new Float64Array(width);
  for (let i = 0; i < rounds; i++) {
    const next = orthonormalise(multiply(m, basis));
    basis = next.basis;
    strengths = next.norms;
  }
  const data = basis.data.map((v, i) => v * Math.sqrt(strengths[i % width] ?? 0));
  return { rows: m.size, width, data };
}

function gaussian(rows: number, width: number, seed: number): Tall {
  const random = seededRandom(seed);
  const data = new Float32Array(rows * width);
  for (let i = 0; i < data.length; i++)
    data[i] = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return { rows, width, data };
}

function multiply(m: SparseMatrix, b: Tall): Tall {
  const { width } = b;
  const data = new Float32Array(m.size * width);
  for (let i = 0; i < m.size; i++) {
    for (let e = m.starts[i] ?? 0; e < (m.starts[i + 1] ?? 0); e++) {
      const value = m.values[e] ?? 0;
      const from = (m.columns[e] ?? 0) * width;
      for (let c = 0; c < width; c++) data[i * width + c]! += value * b.data[from + c]!;
    }
  }
  return { rows: m.size, width, data };
}

/** Modified Gram-Schmidt over the columns; returns each column's length on the way (the diagonal of R). */
function orthonormalise(m: Tall): { basis: Tall; norms: Float64Array<ArrayBuffer> } {
  const columns = Array.from({ length: m.width }, (_, c) => column(m, c));
  const norms = new Float64Array(m.width);
  columns.forEach((v, c) => {
    norms[c] = Math.sqrt(dot(v, v));
    for (let i = 0; i < v.length; i++) v[i]! /= norms[c] || 1;
    for (const w of columns.slice(c + 1)) {
      const overlap = dot(v, w);
      for (let i = 0; i < w.length; i++) w[i]! -= overlap * v[i]!;
    }
  });
  const data = new Float32Array(m.data.length);
  columns.forEach((v, c) => v.forEach((x, i) => (data[i * m.width + c] = x)));
  return { basis: { rows: m.rows, width: m.width, data }, norms };
}

function column(m: Tall, c: number): Float64Array {
  return Float64Array.from({ length: m.rows }, (_, i) => m.data[i * m.width + c] ?? 0);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
