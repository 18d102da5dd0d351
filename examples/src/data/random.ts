/**
 * @file Small seeded random numbers for the host: shuffles, splits and masks that are the same on every machine.
 * (Numbers on the device come from Philox in `@camada/tensor`; these never leave the host.)
 */

/** A stream of uniform numbers in [0, 1). */
export type Random = () => number;

/**
 * A seeded stream of uniform numbers with 32 bits of state.
 *
 * A Weyl sequence (the golden ratio times 2^32) through the finaliser of MurmurHash3: the construction of
 * Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, at 32 bits.
 */
export function seededRandom(...seeds: readonly number[]): Random {
  let state = seeds.reduce((sum, seed) => mix(sum + Math.imul(seed + 1, 0x9e3779b9)), 0);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return (mix(state) >>> 0) / 2 ** 32;
  };
}

/** A uniform integer in [0, n). */
export function randomInteger(random: Random, n: number): number {
  return Math.floor(random() * n);
}

/** A shuffled copy (Fisher and Yates; Knuth, TAOCP vol. 2, 3.4.2, algorithm P). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = randomInteger(random, i + 1);
    const kept = result[i] as T;
    result[i] = result[j] as T;
    result[j] = kept;
  }
  return result;
}

function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
