/** @file Medians and what lies around them. */

/** The value below which the share `q` of the list lies. */
export function quantile(list, q) {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

/** The middle value. */
export function median(list) {
  return quantile(list, 0.5);
}

/** Median, quartiles and least of times in ms. */
export function summary(times) {
  return {
    median: median(times),
    low: quantile(times, 0.25),
    high: quantile(times, 0.75),
    least: Math.min(...times),
    runs: times.length,
  };
}
