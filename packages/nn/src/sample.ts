/** @file Choice of the next token from logits, on the host. */
import { CamadaError, type TypedArray } from '@camada/tensor';
import type { Random } from './rng.ts';

/** How to choose. */
export interface SampleOptions {
  /** 0 takes the likeliest token; above, logits are divided by it. */
  readonly temperature: number;
  /** Only the k likeliest tokens are in the draw; all when left out. */
  readonly topK?: number;
}

/** Index of the first largest logit. */
export function argmax(logits: TypedArray): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

/**
 * One token from logits [V]: the likeliest at temperature 0, else a draw from the softmax. Throws CamadaError when
 * a logit is not finite: any choice would hide that the model is broken.
 */
export function sampleToken(logits: TypedArray, options: SampleOptions, random: Random): number {
  if (!logits.every((logit) => Number.isFinite(logit)))
    throw new CamadaError(
      'sampleToken: the logits are not finite; are the weights damaged or the adapter diverged?',
    );
  if (options.temperature === 0) return argmax(logits);
  const candidates = likeliest(logits, options.topK ?? logits.length);
  const top = logits[candidates[0]!]!;
  const weights = candidates.map((id) => Math.exp((logits[id]! - top) / options.temperature));
  let rest = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [i, weight] of weights.entries()) {
    rest -= weight;
    if (rest < 0) return candidates[i]!;
  }
  return candidates[0]!; // rounding left nothing to spend
}

/** Ids of the k largest logits, largest first; ties by id. */
function likeliest(logits: TypedArray, k: number): number[] {
  const ids = Array.from({ length: logits.length }, (_, id) => id);
  return ids.sort((a, b) => logits[b]! - logits[a]! || a - b).slice(0, k);
}
