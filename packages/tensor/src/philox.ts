/**
 * @file Philox4x32-10 on the host: the same numbers as the device's `random`. Salmon et al. 2011,
 * "Parallel random numbers: as easy as 1, 2, 3", section 3.
 */

/** Two u32 words that name a stream of random numbers. */
export type RandomKey = readonly [number, number];

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High and low words of a 32×32-bit product. */
function multiply(a: number, b: number): [high: number, low: number] {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const low = a0 * b0;
  const middle = a1 * b0 + (low >>> 16);
  const carry = a0 * b1 + (middle % 65536);
  const high = a1 * b1 + Math.floor(middle / 65536) + Math.floor(carry / 65536);
  return [high >>> 0, Math.imul(a, b) >>> 0];
}

/** The four output words for a counter and a key. */
export function philox(
  counter: readonly [number, number, number, number],
  key: RandomKey,
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [h0, l0] = multiply(M0, c0);
    const [h1, l1] = multiply(M1, c2);
    [c0, c1, c2, c3] = [(h1 ^ c1 ^ k0) >>> 0, l1, (h0 ^ c3 ^ k1) >>> 0, l0];
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** The 32 random bits that the device gives element `index` under `key`. */
export function bitsAt(index: number, key: RandomKey): number {
  return philox([index >>> 0, 0, 0, 0], key)[0];
}

/** The uniform number in [0, 1) that the device gives element `index` under `key`. */
export function uniformAt(index: number, key: RandomKey): number {
  return (bitsAt(index, key) >>> 8) * 2 ** -24;
}

/** A key for stream `n` under `key`; different n give unrelated streams. */
export function foldKey(key: RandomKey, n: number): RandomKey {
  const [a, b] = philox([n >>> 0, 0, 0, 1], key);
  return [a, b];
}
