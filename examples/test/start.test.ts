import { expect, test } from 'vitest';
import { positiveMutualInformation, type SparseMatrix } from '../src/pretrain/cooccurrence.ts';
import { factorise } from '../src/pretrain/factorise.ts';

/** A sparse matrix as rows. */
function dense(m: SparseMatrix): number[][] {
  return Array.from({ length: m.size }, (_, i) => {
    const row = new Array<number>(m.size).fill(0);
    for (let e = m.starts[i] ?? 0; e < (m.starts[i + 1] ?? 0); e++)
      row[m.columns[e] ?? 0] = m.values[e] ?? 0;
    return row;
  });
}

function sparse(rows: readonly (readonly number[])[]): SparseMatrix {
  const n = rows.length;
  return {
    size: n,
    starts: Int32Array.from({ length: n + 1 }, (_, i) => i * n),
    columns: Int32Array.from({ length: n * n }, (_, e) => e % n),
    values: Float32Array.from(rows.flat()),
  };
}

test('mutual information of a sequence, by hand', () => {
  // 0 1 0 1 2, window 1: the pairs are 01, 10, 01, 12, so counts 0-1: 3, 1-2: 1; row sums 3, 4, 1; total 8.
  const m = dense(
    positiveMutualInformation(Int32Array.from([0, 1, 0, 1, 2]), {
      size: 3,
      window: 1,
      smoothing: 1,
    }),
  );
  expect(m[0]?.[1]).toBeCloseTo(Math.log((3 / 8 / (3 / 8)) * (8 / 4)), 6);
  expect(m[1]?.[2]).toBeCloseTo(Math.log((1 / 8 / (4 / 8)) * (8 / 1)), 6);
  expect(m[2]?.[1]).toBeCloseTo(m[1]?.[2] ?? NaN, 6);
  expect([m[0]?.[0], m[0]?.[2], m[2]?.[2]]).toEqual([0, 0, 0]);
});

test('a farther neighbour counts less, and a smoothed rare context weighs less', () => {
  const ids = Int32Array.from([0, 1, 2, 0, 1, 2, 0, 1, 3]);
  const sharp = dense(positiveMutualInformation(ids, { size: 4, window: 2, smoothing: 1 }));
  const smooth = dense(positiveMutualInformation(ids, { size: 4, window: 2, smoothing: 0.75 }));
  expect(smooth[1]?.[3]).toBeLessThan(sharp[1]?.[3] ?? 0);
  expect(sharp[3]?.[1]).toBeGreaterThan(sharp[3]?.[0] ?? Infinity);
});

test('factors give back a positive matrix of their rank', () => {
  const f = [
    [1, 0],
    [2, 1],
    [0, 3],
    [1, 1],
    [4, -1],
  ];
  const product = f.map((a) => f.map((b) => (a[0] ?? 0) * (b[0] ?? 0) + (a[1] ?? 0) * (b[1] ?? 0)));
  const { data, width } = factorise(sparse(product), 2, 30, 1);
  product.forEach((row, i) =>
    row.forEach((value, j) => {
      let sum = 0;
      for (let c = 0; c < width; c++)
        sum += (data[i * width + c] ?? 0) * (data[j * width + c] ?? 0);
      expect(sum).toBeCloseTo(value, 3);
    }),
  );
});
