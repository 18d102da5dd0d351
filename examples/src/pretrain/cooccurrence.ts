/**
 * @file Which pieces keep company: the positive pointwise mutual information of pieces within a window of the corpus.
 * Levy, Goldberg and Dagan, "Improving Distributional Similarity with Lessons Learned from Word Embeddings", TACL 2015.
 */

/** A square sparse matrix by rows: row `i` holds the entries `starts[i]` up to `starts[i + 1]`. */
export interface SparseMatrix {
  readonly size: number;
  readonly starts: Int32Array;
  readonly columns: Int32Array;
  readonly values: Float32Array;
}

/** How to count. */
export interface CooccurrenceOptions {
  /** Pieces in the vocabulary. */
  readonly size: number;
  /** Neighbours on each side; a neighbour at distance d counts 1/d (as in GloVe, Pennington et al. 2014). */
  readonly window: number;
  /** Context counts are raised to this power, so that rare contexts do not win (Levy et al., section 3.1: 0.75). */
  readonly smoothing: number;
}

/** max(0, log(p(w, c) / (p(w) p(c)))) of every pair that occurs; symmetric up to the smoothing. */
export function positiveMutualInformation(
  ids: Int32Array,
  options: CooccurrenceOptions,
): SparseMatrix {
  const counts = countNeighbours(ids, options.size, options.window);
  const rows = sums(counts);
  const total = rows.reduce((sum, n) => sum + n, 0);
  const smooth = rows.map((n) => n ** options.smoothing);
  const smoothTotal = smooth.reduce((sum, n) => sum + n, 0);
  return mapPositive(counts, (i, j, n) =>
    Math.log(n / total / (((rows[i] ?? 0) / total) * ((smooth[j] ?? 0) / smoothTotal)) || 0),
  );
}

/** One hash map a row: the vocabulary is small, and a row rarely meets more than a few thousand others. */
function countNeighbours(ids: Int32Array, size: number, window: number): Map<number, number>[] {
  const rows = Array.from({ length: size }, () => new Map<number, number>());
  for (let i = 0; i < ids.length; i++) {
    const a = ids[i] ?? 0;
    for (let d = 1; d <= window && i + d < ids.length; d++) {
      const b = ids[i + d] ?? 0;
      bump(rows[a] as Map<number, number>, b, 1 / d);
      bump(rows[b] as Map<number, number>, a, 1 / d);
    }
  }
  return rows;
}

function bump(row: Map<number, number>, column: number, by: number): void {
  row.set(column, (row.get(column) ?? 0) + by);
}

function sums(rows: readonly ReadonlyMap<number, number>[]): number[] {
  return rows.map((row) => [...row.values()].reduce((sum, n) => sum + n, 0));
}

function mapPositive(
  rows: readonly ReadonlyMap<number, number>[],
  value: (row: number, column: number, count: number) => number,
): SparseMatrix {
  const columns: number[] = [];
  const values: number[] = [];
  const starts = [0];
  rows.forEach((row, i) => {
    for (const [j, n] of row) {
      const v = value(i, j, n);
      if (v > 0) {
        columns.push(j);
        values.push(v);
      }
    }
    starts.push(columns.length);
  });
  return {
    size: rows.length,
    starts: Int32Array.from(starts),
    columns: Int32Array.from(columns),
    values: Float32Array.from(values),
  };
}
