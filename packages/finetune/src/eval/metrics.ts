/** @file Measures of predictions, on the host in double precision. */

/** Results on a file. Which measures there are depends on the task. */
export interface Metrics {
  /** Examples; for language models, predicted tokens. */
  readonly n: number;
  /** Mean cross-entropy in nats, or mean squared error. */
  readonly loss: number;
  /** Share of right classes. */
  readonly accuracy?: number;
  /** Mean F1 of the classes that occur in the labels or the predictions. */
  readonly macroF1?: number;
  /** Linear correlation with the values; null where one side is constant. */
  readonly pearson?: number | null;
  /** Rank correlation with the values; null where one side is constant. */
  readonly spearman?: number | null;
  /** exp(loss) of a language model. */
  readonly perplexity?: number;
}

/**
 * Measures of classification.
 * @param logits [n, classes], row-major.
 * @param labels n class numbers.
 */
export function classificationMetrics(
  logits: ArrayLike<number>,
  labels: readonly number[],
  classes: number,
): Metrics {
  const predicted: number[] = [];
  let loss = 0;
  labels.forEach((label, i) => {
    const row = Array.from({ length: classes }, (_, c) => logits[i * classes + c] ?? NaN);
    loss += logSumExp(row) - (row[label] ?? NaN);
    predicted.push(row.indexOf(Math.max(...row)));
  });
  const right = labels.filter((label, i) => label === predicted[i]).length;
  return {
    n: labels.length,
    loss: loss / labels.length,
    accuracy: right / labels.length,
    macroF1: macroF1(predicted, labels, classes),
  };
}

/** Measures of regression: mean squared error and correlations. */
export function regressionMetrics(
  predictions: readonly number[],
  values: readonly number[],
): Metrics {
  const squares = predictions.map((prediction, i) => (prediction - values[i]!) ** 2);
  return {
    n: values.length,
    loss: squares.reduce((sum, x) => sum + x, 0) / values.length,
    pearson: pearson(predictions, values),
    spearman: pearson(ranks(predictions), ranks(values)),
  };
}

/** Measures of a language model from the summed cross-entropy of its tokens. */
export function languageMetrics(sum: number, tokens: number): Metrics {
  const loss = sum / tokens;
  return { n: tokens, loss, perplexity: Math.exp(loss) };
}

function logSumExp(row: readonly number[]): number {
  const largest = Math.max(...row);
  return largest + Math.log(row.reduce((sum, x) => sum + Math.exp(x - largest), 0));
}

/** F1 averaged over the classes that occur, as scikit-learn's `f1_score(average='macro')`. */
function macroF1(predicted: readonly number[], labels: readonly number[], classes: number): number {
  const scores: number[] = [];
  for (let c = 0; c < classes; c++) {
    const both = labels.filter((label, i) => label === c && predicted[i] === c).length;
    const total = count(labels, c) + count(predicted, c);
    if (total > 0) scores.push((2 * both) / total);
  }
  return scores.reduce((sum, x) => sum + x, 0) / scores.length;
}

function count(items: readonly number[], wanted: number): number {
  return items.filter((item) => item === wanted).length;
}

/** Pearson's correlation; null where a side is constant. */
export function pearson(x: readonly number[], y: readonly number[]): number | null {
  const meanX = x.reduce((sum, v) => sum + v, 0) / x.length;
  const meanY = y.reduce((sum, v) => sum + v, 0) / y.length;
  let [xy, xx, yy] = [0, 0, 0];
  x.forEach((v, i) => {
    const [a, b] = [v - meanX, y[i]! - meanY];
    xy += a * b;
    xx += a * a;
    yy += b * b;
  });
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : null;
}

/** Ranks from 0, equal values sharing the mean of theirs (Spearman's correlation is Pearson's of these). */
export function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const result = new Array<number>(values.length);
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let i = start; i < end; i++) result[order[i]!] = (start + end - 1) / 2;
    start = end;
  }
  return result;
}
