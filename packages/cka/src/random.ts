/** @file Seeded draws on the host. */
import { philox } from '@camada/tensor';
import type { RandomKey } from '@camada/tensor';

/** Numbers below `bound`, one after the other, the same for the same key. */
export function integers(key: RandomKey): (bound: number) => number {
  let counter = 0;
  return (bound) => Math.floor((philox([counter++, 0, 0, 2], key)[0] / 2 ** 32) * bound);
}

/** `count` distinct numbers below `size`, ascending (Floyd's sampling; Bentley & Floyd 1987). */
export function sampleWithout(size: number, count: number, below: (n: number) => number): number[] {
  const chosen = new Set<number>();
  for (let j = size - count; j < size; j++) {
    const candidate = below(j + 1);
    chosen.add(chosen.has(candidate) ? j : candidate);
  }
  return [...chosen].sort((a, b) => a - b);
}

/** `count` numbers below `size`, with repetition. */
export function sampleWith(size: number, count: number, below: (n: number) => number): number[] {
  return Array.from({ length: count }, () => below(size));
}
