/** @file Decompositions: they give back the matrix, their factors are what they should be, and known cases come out. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputError, ShapeError, tensor } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import {
  Matrix,
  cholesky,
  choleskyMatrix,
  cond,
  det,
  detMatrix,
  eigh,
  eighMatrix,
  inv,
  lstsq,
  lstsqMatrix,
  matrixRank,
  pinv,
  pinvMatrix,
  qr,
  qrMatrix,
  readMatrix,
  solve,
  solveMatrix,
  svd,
  svdMatrix,
  svdvals,
} from '@camada/tensor/linalg';
import { on } from '../laws/devices.ts';
import { runs, seeds, sequence } from '../laws/generate.ts';

function random(rows: number, columns: number, seed: number): Matrix {
  const next = sequence(seed);
  return Matrix.from(rows, columns, () => next() * 2 - 1);
}

/** Largest difference of elements. */
function away(a: Matrix, b: Matrix): number {
  expect([a.rows, a.columns]).toEqual([b.rows, b.columns]);
  return Matrix.from(a.rows, a.columns, (i, j) => a.at(i, j) - b.at(i, j)).largest();
}

const diagonal = (values: Float64Array): Matrix =>
  Matrix.from(values.length, values.length, (i, j) => (i === j ? values[i]! : 0));

/** How far the columns are from orthonormal. */
const skew = (q: Matrix): number => away(q.transpose().times(q), Matrix.identity(q.columns));

const sizes = fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }), seeds);

describe('QR', () => {
  test('gives back the matrix', () => {
    fc.assert(
      fc.property(sizes, ([rows, columns, seed]) => {
        const a = random(rows, columns, seed);
        const { q, r } = qrMatrix(a);
        expect(away(q.times(r), a)).toBeLessThan(1e-14);
        expect(skew(q)).toBeLessThan(1e-14);
        r.data.forEach((row, i) => row.subarray(0, i).forEach((x) => expect(x).toBe(0)));
      }),
      runs(60),
    );
  });

  test('of columns that depend on each other still has orthonormal columns', () => {
    const a = random(6, 2, 1).times(random(2, 4, 2));
    const { q, r } = qrMatrix(a);
    expect(skew(q)).toBeLessThan(1e-14);
    expect(away(q.times(r), a)).toBeLessThan(1e-14);
  });
});

describe('symmetric eigenvalues', () => {
  test('give back the matrix', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 24 }), seeds, (n, seed) => {
        const half = random(n, n, seed);
        const a = Matrix.from(n, n, (i, j) => half.at(i, j) + half.at(j, i));
        const { values, vectors } = eighMatrix(a);
        expect(away(vectors.times(diagonal(values)).times(vectors.transpose()), a)).toBeLessThan(
          1e-13,
        );
        expect(skew(vectors)).toBeLessThan(1e-13);
        expect([...values]).toEqual([...values].sort((x, y) => x - y));
      }),
      runs(60),
    );
  });

  test('of known spectra', () => {
    // The path graph's Laplacian with fixed ends: 2 − 2·cos(kπ/(n+1)).
    const n = 40;
    const path = Matrix.from(n, n, (i, j) => (i === j ? 2 : Math.abs(i - j) === 1 ? -1 : 0));
    const { values } = eighMatrix(path);
    values.forEach((value, k) =>
      expect(value).toBeCloseTo(2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)), 13),
    );
    const ones = eighMatrix(Matrix.from(5, 5, () => 1)).values;
    expect(ones[4]).toBeCloseTo(5, 13);
    ones.subarray(0, 4).forEach((value) => expect(Math.abs(value)).toBeLessThan(1e-14));
    const swap = eighMatrix(Matrix.from(2, 2, (i, j) => Number(i !== j))).values;
    expect(swap[0]).toBeCloseTo(-1, 14);
    expect(swap[1]).toBeCloseTo(1, 14);
  });

  test('of large and small scales', () => {
    for (const scale of [1e-200, 1, 1e200]) {
      const a = Matrix.from(3, 3, (i, j) => (i === j ? [1, 2, 3][i]! * scale : 0.5 * scale));
      const { values, vectors } = eighMatrix(a);
      const back = vectors.times(diagonal(values)).times(vectors.transpose());
      expect(away(back, a) / scale).toBeLessThan(1e-14);
    }
  });
});

describe('singular values', () => {
  test('give back the matrix', () => {
    fc.assert(
      fc.property(sizes, ([rows, columns, seed]) => {
        const a = random(rows, columns, seed);
        const { u, s, vh } = svdMatrix(a);
        expect(away(u.times(diagonal(s)).times(vh), a)).toBeLessThan(1e-13);
        expect(skew(u)).toBeLessThan(1e-13);
        expect(skew(vh.transpose())).toBeLessThan(1e-13);
        expect([...s]).toEqual([...s].sort((x, y) => y - x));
        expect(Math.min(...s)).toBeGreaterThanOrEqual(0);
      }),
      runs(60),
    );
  });

  test('of larger matrices, also of deficient rank', () => {
    for (const a of [random(50, 40, 3), random(40, 6, 4).times(random(6, 45, 5))]) {
      const { u, s, vh } = svdMatrix(a);
      expect(away(u.times(diagonal(s)).times(vh), a)).toBeLessThan(1e-12);
      expect(skew(u)).toBeLessThan(1e-12);
      expect(skew(vh.transpose())).toBeLessThan(1e-12);
    }
  });

  test('are square roots of the eigenvalues of AᵀA', () => {
    const a = random(30, 8, 5);
    const { values } = eighMatrix(a.transpose().times(a));
    const { s } = svdMatrix(a);
    s.forEach((value, i) => expect(value ** 2).toBeCloseTo(values[7 - i]!, 12));
  });

  test.each([
    ['zeros', Matrix.from(4, 3, () => 0), [0, 0, 0]],
    ['one column of zeros', Matrix.from(3, 2, (i, j) => (j === 0 ? 0 : i)), [Math.sqrt(5), 0]],
    ['one element', Matrix.from(1, 1, () => -2), [2]],
    ['rank one', Matrix.from(3, 3, (i, j) => (i + 1) * (j + 1)), [14, 0, 0]],
  ])('of %s, with whole bases', (_, a, expected) => {
    const { u, s, vh } = svdMatrix(a);
    s.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 12));
    expect(skew(u)).toBeLessThan(1e-13);
    expect(skew(vh.transpose())).toBeLessThan(1e-13);
    expect(away(u.times(diagonal(s)).times(vh), a)).toBeLessThan(1e-12);
  });

  test('keep small values in graded matrices', () => {
    const a = diagonal(Float64Array.of(1, 1e-8, 1e-16)).times(qrMatrix(random(3, 3, 9)).q);
    const { s } = svdMatrix(a);
    expect(s[1]! / 1e-8).toBeCloseTo(1, 10);
    expect(s[2]! / 1e-16).toBeCloseTo(1, 10);
  });
});

describe('equations', () => {
  test('are solved, and matrices inverted', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 }), seeds, (n, seed) => {
        const a = random(n, n, seed);
        const b = random(n, 3, seed + 1);
        const x = solveMatrix(a, b);
        const { s } = svdMatrix(a);
        const growth = s[0]! / s.at(-1)!;
        expect(away(a.times(x), b)).toBeLessThan(1e-14 * (1 + growth));
        expect(Math.abs(detMatrix(a))).toBeCloseTo(
          s.reduce((p, y) => p * y, 1),
          10,
        );
      }),
      runs(40),
    );
  });

  test('least squares leave a rest orthogonal to the columns', () => {
    const [a, b] = [random(9, 4, 3), random(9, 2, 4)];
    const rest = a.times(lstsqMatrix(a, b));
    const residual = Matrix.from(9, 2, (i, j) => b.at(i, j) - rest.at(i, j));
    expect(a.transpose().times(residual).largest()).toBeLessThan(1e-13);
  });

  test('the pseudo-inverse of deficient rank fulfils all four conditions', () => {
    const a = random(6, 2, 1).times(random(2, 4, 2));
    const p = pinvMatrix(a);
    const [ap, pa] = [a.times(p), p.times(a)];
    expect(away(ap.times(a), a)).toBeLessThan(1e-13);
    expect(away(pa.times(p), p)).toBeLessThan(1e-12);
    expect(away(ap, ap.transpose())).toBeLessThan(1e-13);
    expect(away(pa, pa.transpose())).toBeLessThan(1e-13);
  });

  test('Cholesky gives back the matrix', () => {
    const half = random(7, 9, 2);
    const a = half.times(half.transpose());
    const l = choleskyMatrix(a);
    expect(away(l.times(l.transpose()), a)).toBeLessThan(1e-13);
    l.data.forEach((row, i) => row.subarray(i + 1).forEach((x) => expect(x).toBe(0)));
  });

  test('a determinant has the sign of the permutation', () => {
    expect(detMatrix(Matrix.from(3, 3, (i, j) => Number(j === (i + 1) % 3)))).toBe(1);
    expect(detMatrix(Matrix.from(2, 2, (i, j) => Number(i !== j)))).toBe(-1);
    expect(detMatrix(new Matrix([]))).toBe(1);
  });
});

const matrix = (rows: readonly (readonly number[])[]): Tensor =>
  tensor(rows.flat(), [rows.length, rows[0]!.length]);

describe('tensors', () => {
  test('go in and come out', async () => {
    await on('wasm');
    const a = matrix([
      [4, 1],
      [1, 3],
    ]);
    const { q, r } = await qr(a);
    expect(away(await readMatrix('test', q.matmul(r)), await readMatrix('test', a))).toBeLessThan(
      1e-6,
    );
    const { values, vectors } = await eigh(a);
    const [low, high] = await values.data();
    expect(low! + high!).toBeCloseTo(7, 5);
    expect(low! * high!).toBeCloseTo(11, 5);
    expect(vectors.shape).toEqual([2, 2]);
    const { u, s, vh } = await svd(a);
    expect([u.shape, s.shape, vh.shape]).toEqual([[2, 2], [2], [2, 2]]);
    expect(await det(a)).toBeCloseTo(11, 12);
    expect([...(await svdvals(a)).shape]).toEqual([2]);
    expect(await cond(a)).toBeCloseTo(high! / low!, 5);
    expect((await cholesky(a)).shape).toEqual([2, 2]);
    const x = await solve(a, tensor([1, 2]));
    expect(x.shape).toEqual([2]);
    expect([...(await a.matmul(x).data())].map((y) => +y.toFixed(5))).toEqual([1, 2]);
    expect((await inv(a)).shape).toEqual([2, 2]);
    expect((await pinv(matrix([[1, 2, 3]]))).shape).toEqual([3, 1]);
    expect((await lstsq(matrix([[1], [1]]), tensor([1, 3]))).shape).toEqual([1]);
  });

  test('rank counts what exceeds f32', async () => {
    await on('wasm');
    const a = matrix([
      [1, 2],
      [2, 4 + 1e-8],
    ]);
    expect(await matrixRank(a)).toBe(1);
    expect(await matrixRank(matrix([[0, 0]]))).toBe(0);
    expect(await matrixRank(matrix([[1, 0]]), 2)).toBe(0);
    expect(await cond(matrix([[0]]))).toBe(Infinity);
  });

  test.each([
    ['a vector', () => svd(tensor([1, 2])), ShapeError, /takes a matrix, got \[2\]/],
    ['a wide matrix', () => eigh(matrix([[1, 2]])), ShapeError, /takes a square matrix/],
    ['NaN', () => qr(matrix([[1, NaN]])), InputError, /element \[0, 1\] is NaN/],
    ['infinity', () => svd(matrix([[-Infinity]])), InputError, /is -Infinity/],
    [
      'a singular matrix',
      () =>
        inv(
          matrix([
            [1, 1],
            [1, 1],
          ]),
        ),
      InputError,
      /inv: the matrix is singular/,
    ],
    [
      'no positive definite one',
      () => cholesky(matrix([[-1]])),
      InputError,
      /not positive definite/,
    ],
    ['right sides', () => solve(matrix([[1]]), tensor([1, 2])), ShapeError, /differ in rows/],
  ])('refuse %s', async (_, run, type, message) => {
    await on('wasm');
    await expect(run()).rejects.toThrow(type);
    await expect(run()).rejects.toThrow(message);
  });
});
