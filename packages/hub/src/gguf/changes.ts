/** @file The changes that converters to GGUF make to weights, and their inverses. */

/** The head counts that reordering needs. */
export interface Heads {
  readonly query: number;
  readonly key: number;
}

/**
 * Reorders rows within each head from pairs (2i, 2i+1) to halves (i, i + D/2), as Transformers rotates; with `back` the
 * other way. Rows are runs of equal length of any array, packed blocks included. Copies.
 */
export function reorderRotary<T extends Uint8Array | Uint16Array | Float32Array>(
  rows: T,
  count: number,
  heads: number,
  back = false,
): T {
  const out = rows.slice() as T;
  const width = rows.length / count;
  const half = count / heads / 2;
  for (let row = 0; row < count; row++) {
    const inHead = row % (2 * half);
    const paired = inHead < half ? 2 * inHead : 2 * (inHead - half) + 1;
    const other = row - inHead + paired;
    const [from, to] = back ? [row, other] : [other, row];
    out.set(rows.subarray(from * width, (from + 1) * width), to * width);
  }
  return out;
}

/** A matrix of `rows` rows with its axes exchanged. Copies. */
export function transposed(matrix: Float32Array, rows: number): Float32Array {
  const columns = matrix.length / rows;
  const out = new Float32Array(matrix.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) out[j * rows + i] = matrix[i * columns + j]!;
  return out;
}
