/** @file Squared distances between examples, from Gram matrices. */
import type { Gram } from '../gram.ts';

/** ‖xᵢ − xⱼ‖² = gᵢᵢ + gⱼⱼ − 2gᵢⱼ, row-major n × n; rounding below 0 becomes 0. */
export function squaredDistances({ n, data }: Gram): Float64Array {
  const result = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      const square = data[i * n + i]! + data[j * n + j]! - 2 * data[i * n + j]!;
      result[i * n + j] = i === j ? 0 : Math.max(0, square);
    }
  return result;
}

/** The elements above the diagonal of a row-major n × n matrix, row by row. */
export function upperTriangle(data: Float64Array, n: number): Float64Array {
  const result = new Float64Array((n * (n - 1)) / 2);
  let at = 0;
  for (let i = 0; i < n; i++) {
    result.set(data.subarray(i * n + i + 1, (i + 1) * n), at);
    at += n - 1 - i;
  }
  return result;
}
