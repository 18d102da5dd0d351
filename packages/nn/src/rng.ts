/**
 * @file Sequential random numbers on the host from a Philox key (`philox` of @camada/tensor), for initial
 * values and sampling.
 */
import { philox, type RandomKey } from '@camada/tensor';

/** Sequential numbers from one key: block n is Philox4x32-10 at counter (n, 0, 0, 2). */
export class Random {
  readonly #key: RandomKey;
  #words: readonly number[] = [];
  #block = 0;
  #used = 0;
  #spare: number | undefined;

  /** A generator at the start of the sequence of `key`. */
  constructor(key: RandomKey) {
    this.#key = key;
  }

  /** Next uniform integer in [0, 2³²). */
  uint32(): number {
    // The last counter word keeps these apart from `foldKey`'s (1) and the device's draws (0).
    if (this.#used === this.#words.length) {
      this.#words = philox([this.#block++ >>> 0, 0, 0, 2], this.#key);
      this.#used = 0;
    }
    return this.#words[this.#used++]!;
  }

  /** Next uniform number in [0, 1), a multiple of 2⁻³². */
  uniform(): number {
    return this.uint32() * 2 ** -32;
  }

  /** Next standard normal number, by Box and Muller (1958): two from two words. */
  normal(): number {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined) return spare;
    const radius = Math.sqrt(-2 * Math.log((this.uint32() + 0.5) * 2 ** -32)); // never log 0
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}
