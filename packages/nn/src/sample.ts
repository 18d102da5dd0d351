/**
 * @file Choice of the next token from logits, on the host. The filters and their order are those of Transformers:
 * repetition penalty, temperature, top-k, top-p, min-p.
 */
import { CamadaError, InputError, type TypedArray } from '@camada/tensor';
import type { Random } from './rng.ts';

/** How to choose. */
export interface SampleOptions {
  /** 0 (the default) takes the likeliest token; above, logits are divided by it and tokens are drawn. */
  readonly temperature?: number;
  /** Only the k likeliest tokens are in the draw, with all that tie for the last place; all when left out. */
  readonly topK?: number;
  /**
   * Only the likeliest tokens whose probabilities before them sum to less than p, in (0, 1] (Holtzman et al. 2020,
   * https://arxiv.org/abs/1904.09751); all when left out.
   */
  readonly topP?: number;
  /** Only tokens with at least this share, in [0, 1], of the likeliest one's probability; all when left out. */
  readonly minP?: number;
  /**
   * Positive logits of tokens that the text has are divided by it, others multiplied (Keskar et al. 2019,
   * https://arxiv.org/abs/1909.05858, section 4.1); 1, nothing, when left out.
   */
  readonly repetitionPenalty?: number;
}

/** Throws InputError on a setting that is out of its range. */
export function checkSampling(options: SampleOptions): void {
  const { temperature = 0, topK = 1, topP = 1, minP = 0, repetitionPenalty = 1 } = options;
  const check = (good: boolean, name: string, value: number, wanted: string): void => {
    if (!good) throw new InputError(`generate: ${name} ${value} is not ${wanted}`);
  };
  check(
    Number.isFinite(temperature) && temperature >= 0,
    'temperature',
    temperature,
    'a number of at least 0',
  );
  check(Number.isInteger(topK) && topK >= 1, 'topK', topK, 'a whole number of at least 1');
  check(topP > 0 && topP <= 1, 'topP', topP, 'above 0 and at most 1');
  check(minP >= 0 && minP <= 1, 'minP', minP, 'from 0 to 1');
  const penalty = Number.isFinite(repetitionPenalty) && repetitionPenalty > 0;
  check(penalty, 'repetitionPenalty', repetitionPenalty, 'a number above 0');
}

/** Index of the first largest logit. */
export function argmax(logits: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

/**
 * One token from logits [V]: the likeliest at temperature 0, else a draw from `probabilities`. Throws CamadaError when
 * a logit is not finite: any choice would hide that the model is broken.
 * @param seen ids that the text has, for the repetition penalty.
 */
export function sampleToken(
  logits: TypedArray,
  options: SampleOptions,
  random: Random,
  seen: Iterable<number> = [],
): number {
  if (!logits.every((logit) => Number.isFinite(logit)))
    throw new CamadaError(
      'sampleToken: the logits are not finite; are the weights damaged or the adapter diverged?',
    );
  if (!options.temperature) return argmax(penalized(logits, options, seen));
  const chances = probabilities(logits, options, seen);
  let rest = random.uniform();
  for (let id = 0; id < chances.length; id++) {
    rest -= chances[id]!;
    if (rest < 0) return id;
  }
  return argmax(chances); // rounding left nothing to spend
}

/** The probabilities [V] that tokens are drawn with at a temperature above 0; those left out have 0. */
export function probabilities(
  logits: ArrayLike<number>,
  options: SampleOptions,
  seen: Iterable<number> = [],
): Float64Array {
  const { temperature = 1, topK, topP, minP } = options;
  const scores = penalized(logits, options, seen).map((logit) => logit / temperature);
  if (topK !== undefined && topK < scores.length) keep(scores, scores.toSorted().at(-topK)!);
  if (topP !== undefined && topP < 1) keep(scores, nucleus(scores, topP));
  if (minP) keep(scores, largest(scores) + Math.log(minP));
  return softmax(scores);
}

/** The logits in f64, those of tokens that the text has pushed down. */
function penalized(
  logits: ArrayLike<number>,
  { repetitionPenalty: penalty = 1 }: SampleOptions,
  seen: Iterable<number>,
): Float64Array {
  const scores = Float64Array.from(logits);
  if (penalty === 1) return scores;
  for (const id of new Set(seen)) {
    const score = scores[id]!;
    scores[id] = score > 0 ? score / penalty : score * penalty;
  }
  return scores;
}

/** Leaves out all scores below a threshold. */
function keep(scores: Float64Array, threshold: number): void {
  for (let i = 0; i < scores.length; i++) if (scores[i]! < threshold) scores[i] = -Infinity;
}

/** The lowest score that is in the nucleus of probability p. */
function nucleus(scores: Float64Array, p: number): number {
  const falling = scores.toSorted().reverse();
  const chances = softmax(falling);
  let sum = 0;
  let last = 0;
  while (last < falling.length - 1 && (sum += chances[last]!) < p) last++;
  return falling[last]!;
}

function softmax(scores: Float64Array): Float64Array {
  const top = largest(scores);
  const weights = scores.map((score) => Math.exp(score - top));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

function largest(scores: Float64Array): number {
  return scores[argmax(scores)]!;
}
