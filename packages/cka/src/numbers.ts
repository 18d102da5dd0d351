/** @file Statistics of lists of numbers on the host. */

/** The nearest number in [low, high]. */
export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

/** The q-quantile of ascending numbers, interpolated linearly. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const next = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return sorted[below]! + (at - below) * (next - sorted[below]!);
}

/** The median of numbers in any order. */
export function median(values: ArrayLike<number>): number {
  return quantile(Float64Array.from(values).sort(), 0.5);
}

/** Ranks from 0; equal numbers share the mean of theirs. */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i);
  order.sort((a, b) => values[a]! - values[b]!);
  const result = new Float64Array(values.length);
  for (let from = 0, to = 0; from < order.length; from = to) {
    const value = values[order[from]!]!;
    while (to < order.length && values[order[to]!] === value) to++;
    for (let at = from; at < to; at++) result[order[at]!] = (from + to - 1) / 2;
  }
  return result;
}

/** Pearson's correlation; undefined where a list has equal numbers only. */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number | undefined {
  const [p, q] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]! - p, b[i]! - q];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa > 0 && bb > 0 ? clamp(ab / Math.sqrt(aa * bb), -1, 1) : undefined;
}

/** Spearman's rank correlation; undefined for fewer than 3 numbers or a list of equal ones. */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number | undefined {
  return a.length < 3 ? undefined : pearson(ranks(a), ranks(b));
}

/** Jaccard overlap of two sets: shared over all; 1 of two empty ones. */
export function jaccard(a: readonly number[], b: readonly number[]): number {
  const [p, q] = [new Set(a), new Set(b)];
  const all = new Set([...p, ...q]).size;
  return all === 0 ? 1 : [...p].filter((value) => q.has(value)).length / all;
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}
