/**
 * @file Logistic regression on the host in f64, to convergence: the head of feature-based fine-tuning. It minimises
 * C·Σ −log p(y|x) + ½‖W‖² (the bias is not penalised), scikit-learn's objective, by L-BFGS (Liu and Nocedal 1989) with a
 * Wolfe line search. Two classes have one logit, more have a softmax.
 */
import { InputError } from '@camada/tensor';

/** Examples: N rows of D features. */
export interface Features {
  /** [N, D], row by row. */
  readonly values: ArrayLike<number>;
  /** D. */
  readonly width: number;
  /** Class of each row, from 0. */
  readonly labels: readonly number[];
  /** K. */
  readonly classes: number;
}

/** A solution. */
export interface LogisticFit {
  /** [K, D]; with two classes −w/2 and w/2. */
  readonly weight: Float64Array;
  /** [K]. */
  readonly bias: Float64Array;
  /** Mean −log p over the rows. */
  readonly loss: number;
  readonly iterations: number;
  /** Largest absolute entry of the gradient, divided by C·N. */
  readonly gradient: number;
}

/** How it is solved. */
export interface LogisticOptions {
  /** C, inverse strength of the penalty; 1. */
  readonly C?: number;
  /** Ends when `LogisticFit.gradient` is at most this; 1e-8. */
  readonly tolerance?: number;
  /** 5000. */
  readonly maxIterations?: number;
}

/** Fits the rows. Throws InputError on labels or features that cannot be, and when it does not converge. */
export function fitLogistic(features: Features, options: LogisticOptions = {}): LogisticFit {
  const { C = 1, tolerance = 1e-8, maxIterations = 5000 } = options;
  checkFeatures(features, C);
  const logits = features.classes === 2 ? 1 : features.classes;
  const objective = objectiveOf(features, logits, C);
  const scale = C * features.labels.length;
  const { width } = features;
  const start = new Float64Array(logits * (width + 1));
  const found = minimise(objective, start, tolerance * scale, maxIterations);
  if (!(found.gradient <= tolerance * scale))
    throw new InputError(
      `logistic regression did not converge in ${maxIterations} iterations (gradient ${found.gradient / scale}); ` +
        'use a smaller C',
    );
  const fit = unpacked(found.point, logits, width);
  const loss = meanLoss(features, fit);
  return { ...fit, loss, iterations: found.iterations, gradient: found.gradient / scale };
}

function checkFeatures({ values, width, labels, classes }: Features, C: number): void {
  if (values.length !== labels.length * width || labels.length === 0 || classes < 2)
    throw new InputError(
      `logistic regression: ${values.length} features for ${labels.length} rows of ${width}, ${classes} classes`,
    );
  const bad = labels.find((label) => !(Number.isInteger(label) && label >= 0 && label < classes));
  if (bad !== undefined)
    throw new InputError(`logistic regression: label ${bad} is not in 0 to ${classes - 1}`);
  if (!(Number.isFinite(C) && C > 0))
    throw new InputError(`logistic regression: C ${C} must be above 0`);
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i]))
      throw new InputError('logistic regression: a feature is NaN or infinite');
}

/** A function with its gradient, which is written into the second argument. */
type Objective = (point: Float64Array, gradient: Float64Array) => number;

/** Points are [logits, D + 1]: weights, then the bias. */
function objectiveOf({ values, width, labels }: Features, logits: number, C: number): Objective {
  const scores = new Float64Array(logits);
  return (point, gradient) => {
    gradient.fill(0);
    let total = 0;
    for (const [row, label] of labels.entries()) {
      scoresOf(values, row * width, width, point, scores);
      total += C * lossAndSlopes(scores, label);
      for (let k = 0; k < logits; k++) {
        const slope = C * scores[k]!;
        const at = k * (width + 1);
        for (let j = 0; j < width; j++) gradient[at + j]! += slope * values[row * width + j]!;
        gradient[at + width]! += slope;
      }
    }
    return total + penalty(point, gradient, width);
  };
}

function scoresOf(
  values: ArrayLike<number>,
  from: number,
  width: number,
  point: Float64Array,
  scores: Float64Array,
): void {
  for (let k = 0; k < scores.length; k++) {
    const at = k * (width + 1);
    let sum = point[at + width]!;
    for (let j = 0; j < width; j++) sum += point[at + j]! * values[from + j]!;
    scores[k] = sum;
  }
}

/** −log p of a label; the scores become the slopes of it. */
function lossAndSlopes(scores: Float64Array, label: number): number {
  if (scores.length === 1) {
    const margin = label === 1 ? scores[0]! : -scores[0]!;
    const loss =
      margin > 0 ? Math.log1p(Math.exp(-margin)) : -margin + Math.log1p(Math.exp(margin));
    const wrong =
      margin > 0 ? Math.exp(-margin) / (1 + Math.exp(-margin)) : 1 / (1 + Math.exp(margin));
    scores[0] = label === 1 ? -wrong : wrong;
    return loss;
  }
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = scores.reduce((a, b) => a + Math.exp(b - most), 0);
  const loss = most + Math.log(sum) - scores[label]!;
  for (let k = 0; k < scores.length; k++) scores[k] = Math.exp(scores[k]! - most) / sum;
  scores[label]! -= 1;
  return loss;
}

function penalty(point: Float64Array, gradient: Float64Array, width: number): number {
  let sum = 0;
  for (let i = 0; i < point.length; i++) {
    if (i % (width + 1) === width) continue;
    sum += point[i]! ** 2;
    gradient[i]! += point[i]!;
  }
  return sum / 2;
}

interface Minimum {
  readonly point: Float64Array;
  readonly iterations: number;
  /** Largest absolute entry. */
  readonly gradient: number;
}

/** Pairs of steps and changes of the gradient that L-BFGS keeps. */
const MEMORY = 10;

function minimise(f: Objective, start: Float64Array, tolerance: number, most: number): Minimum {
  let point = start;
  let gradient: Float64Array = new Float64Array(start.length);
  let value = f(point, gradient);
  const pairs: Pair[] = [];
  for (let iterations = 0; ; iterations++) {
    const size = gradient.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    if (size <= tolerance || iterations === most) return { point, iterations, gradient: size };
    const next = search(f, point, value, gradient, direction(gradient, pairs));
    if (!next) return { point, iterations, gradient: size };
    pairs.push(pairOf(point, gradient, next));
    if (pairs.length > MEMORY) pairs.shift();
    ({ point, gradient, value } = next);
  }
}

interface Pair {
  readonly step: Float64Array;
  readonly change: Float64Array;
  /** 1 / (step·change). */
  readonly inverse: number;
}

function pairOf(point: Float64Array, gradient: Float64Array, next: Searched): Pair {
  const step = next.point.map((x, i) => x - point[i]!);
  const change = next.gradient.map((x, i) => x - gradient[i]!);
  return { step, change, inverse: 1 / dot(step, change) };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** −H·g by the two loops of L-BFGS. */
function direction(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const q = gradient.map((x) => -x);
  const weights: number[] = [];
  for (const { step, change, inverse } of [...pairs].reverse()) {
    const weight = inverse * dot(step, q);
    weights.push(weight);
    for (let i = 0; i < q.length; i++) q[i]! -= weight * change[i]!;
  }
  const last = pairs.at(-1);
  const scale = last
    ? 1 / (last.inverse * dot(last.change, last.change))
    : 1 / Math.max(1, norm(q));
  for (let i = 0; i < q.length; i++) q[i]! *= scale;
  for (const { step, change, inverse } of pairs) {
    const weight = weights.pop()! - inverse * dot(change, q);
    for (let i = 0; i < q.length; i++) q[i]! += weight * step[i]!;
  }
  return q;
}

function norm(x: Float64Array): number {
  return Math.sqrt(dot(x, x));
}

interface Searched {
  readonly point: Float64Array;
  readonly gradient: Float64Array;
  readonly value: number;
}

/** A step along a direction that meets Wolfe's conditions, by bisection; undefined where none is found, at the end of f64. */
function search(
  f: Objective,
  point: Float64Array,
  value: number,
  gradient: Float64Array,
  along: Float64Array,
): Searched | undefined {
  const slope = dot(gradient, along);
  let [low, high, length] = [0, Infinity, 1];
  for (let trial = 0; trial < 60; trial++) {
    const tried = point.map((x, i) => x + length * along[i]!);
    const slopes = new Float64Array(point.length);
    const reached = f(tried, slopes);
    // Rounding of the value hides progress near the minimum; the slopes still show it.
    const lower = reached <= value + 1e-4 * length * slope + 1e-13 * Math.abs(value);
    if (!lower) high = length;
    else if (dot(slopes, along) < 0.9 * slope) low = length;
    else return { point: tried, gradient: slopes, value: reached };
    length = Number.isFinite(high) ? (low + high) / 2 : 2 * low;
  }
  return undefined;
}

function unpacked(
  point: Float64Array,
  logits: number,
  width: number,
): Pick<LogisticFit, 'weight' | 'bias'> {
  const row = (k: number): Float64Array => point.subarray(k * (width + 1), k * (width + 1) + width);
  if (logits > 1) {
    const weight = new Float64Array(logits * width);
    for (let k = 0; k < logits; k++) weight.set(row(k), k * width);
    return {
      weight,
      bias: Float64Array.from({ length: logits }, (_, k) => point[k * (width + 1) + width]!),
    };
  }
  const weight = Float64Array.from({ length: 2 * width }, (_, i) => {
    return i < width ? -row(0)[i]! / 2 : row(0)[i - width]! / 2;
  });
  return { weight, bias: Float64Array.of(-point[width]! / 2, point[width]! / 2) };
}

/** Mean −log p of rows by a fit. */
export function meanLoss(
  { values, width, labels, classes }: Features,
  { weight, bias }: Pick<LogisticFit, 'weight' | 'bias'>,
): number {
  const point = new Float64Array(classes * (width + 1));
  for (let k = 0; k < classes; k++) {
    point.set(weight.subarray(k * width, (k + 1) * width), k * (width + 1));
    point[k * (width + 1) + width] = bias[k]!;
  }
  const scores = new Float64Array(classes);
  const sum = labels.reduce((total, label, row) => {
    scoresOf(values, row * width, width, point, scores);
    return total + lossAndSlopes(scores, label);
  }, 0);
  return sum / labels.length;
}

/** C by cross-validation. */
export interface CrossValidated {
  /** The C with the least mean loss on held-out rows. */
  readonly C: number;
  /** Mean held-out loss of each C. */
  readonly losses: ReadonlyMap<number, number>;
}

/** What C is chosen from where the user says nothing. */
export const USUAL_C: readonly number[] = [0.01, 0.1, 1, 10, 100];

/**
 * The C of a grid that predicts held-out rows best, over folds with about the same share of each class. Throws InputError
 * when there are fewer rows than folds.
 */
export function crossValidate(
  features: Features,
  grid: readonly number[] = USUAL_C,
  folds = 5,
): CrossValidated {
  if (features.labels.length < 2 * folds)
    throw new InputError(`${features.labels.length} rows are too few for ${folds} folds`);
  const fold = foldsOf(features, folds);
  const losses = new Map<number, number>();
  for (const C of grid) {
    let sum = 0;
    for (let held = 0; held < folds; held++) {
      const fit = fitLogistic(
        rowsOf(features, (row) => fold[row] !== held),
        { C, tolerance: 1e-6 },
      );
      sum += meanLoss(
        rowsOf(features, (row) => fold[row] === held),
        fit,
      );
    }
    losses.set(C, sum / folds);
  }
  const [best] = [...losses].sort((a, b) => a[1] - b[1]);
  return { C: best![0], losses };
}

/** The fold of each row: the rows of a class are dealt out in turn. */
function foldsOf({ labels, classes }: Features, folds: number): number[] {
  const dealt = new Array<number>(classes).fill(0);
  return labels.map((label) => dealt[label]!++ % folds);
}

function rowsOf(features: Features, keep: (row: number) => boolean): Features {
  const { values, width, labels } = features;
  const rows = labels.map((_, row) => row).filter(keep);
  const kept = new Float64Array(rows.length * width);
  rows.forEach((row, i) => {
    for (let j = 0; j < width; j++) kept[i * width + j] = values[row * width + j]!;
  });
  return { ...features, values: kept, labels: rows.map((row) => labels[row]!) };
}
