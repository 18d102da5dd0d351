/**
 * @file Relative positions of DeBERTa (He et al. 2021, https://arxiv.org/abs/2006.03654, section 3.1; buckets as
 * in its second version): near distances have an embedding each, far ones share one with others of their magnitude.
 */
import { tensor, type Tensor } from '@camada/tensor';

/** Numbers of the embeddings of distances, i32 [2T] each. */
export interface Distances {
  /** For the distances T − 1, T − 2, … −T. */
  readonly falling: Tensor;
  /** For the distances −(T − 1), … T. */
  readonly rising: Tensor;
}

/** The numbers of one configuration, kept by length. */
export class DistanceTables {
  readonly #buckets: number;
  readonly #furthest: number;
  readonly #tables = new Map<number, Distances>();

  /**
   * @param buckets `position_buckets`: embeddings for each direction; 0 for one a distance.
   * @param furthest `max_relative_positions`: distances from here on share the last embedding.
   */
  constructor(buckets: number, furthest: number) {
    this.#buckets = buckets;
    this.#furthest = furthest;
  }

  /** For rows of `length` tokens. */
  at(length: number): Distances {
    const known = this.#tables.get(length);
    if (known) return known;
    const numbers = (distance: (n: number) => number): Tensor =>
      tensor(Int32Array.from({ length: 2 * length }, (_, n) => this.numberOf(distance(n))));
    const made = {
      falling: numbers((n) => length - 1 - n),
      rising: numbers((n) => n - length + 1),
    };
    this.#tables.set(length, made);
    return made;
  }

  /** The embedding of a distance (query − key). */
  numberOf(distance: number): number {
    const span = this.#buckets > 0 ? this.#buckets : this.#furthest;
    const bucket =
      this.#buckets > 0 ? logBucket(distance, this.#buckets, this.#furthest) : distance;
    return Math.min(Math.max(bucket + span, 0), 2 * span - 1);
  }
}

/** Distances up to half of the buckets as they are; beyond, logarithmically. In f32 steps, as PyTorch rounds it. */
function logBucket(distance: number, buckets: number, furthest: number): number {
  const half = Math.floor(buckets / 2);
  const far = Math.abs(distance);
  if (far <= half) return distance;
  const { fround, log } = Math;
  const share = fround(
    fround(log(fround(far / half))) / fround(log(fround((furthest - 1) / half))),
  );
  return Math.sign(distance) * (Math.ceil(fround(share * (half - 1))) + half);
}

/**
 * From scores of distances to scores of pairs, [..., T, 2T] to [..., T, T]: element (i, j) is the one at
 * T − 1 − i + j. Reading row by row with rows one element shorter does it; nothing is copied.
 */
export function byDistance(scores: Tensor): Tensor {
  const outer = scores.shape.slice(0, -2);
  const length = scores.shape.at(-2)!;
  const short = 2 * length - 1;
  return scores
    .reshape([...outer, length * 2 * length])
    .slice(-1, length - 1, length - 1 + length * short)
    .reshape([...outer, length, short])
    .slice(-1, 0, length); // [..., T, T]
}
