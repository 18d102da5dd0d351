/** @file Codes into the planes of a weight. */
import { tensor } from '@camada/tensor';
import { BLOCK, type Codes } from './weight.ts';

/** Writes the codes of inputs 32·block … of a row. */
export type ReadBlock = (row: number, block: number, out: Uint8Array) => void;

/** The planes of a weight [out, in] whose codes are read block by block. */
export function packCodes(
  bits: Codes['bits'],
  meaning: Codes['meaning'],
  [rows, inputs]: readonly [number, number],
  read: ReadBlock,
): Codes {
  const blocks = inputs / BLOCK;
  const words = bits === 8 ? 8 : 4;
  const extra = bits === 8 ? 0 : bits - 4;
  const low = new Int32Array(blocks * words * rows);
  const high = new Int32Array(blocks * extra * rows);
  const codes = new Uint8Array(BLOCK);
  for (let block = 0; block < blocks; block++)
    for (let row = 0; row < rows; row++) {
      read(row, block, codes);
      packLow(codes, words, low, block * words * rows + row, rows);
      if (extra > 0) packHigh(codes, extra, high, block * extra * rows + row, rows);
    }
  return {
    bits,
    meaning,
    low: tensor(low),
    ...(extra > 0 && { high: tensor(high) }),
  };
}

/** Code n·J + j goes to word j, at bit n · 32/(32/J). */
function packLow(
  codes: Uint8Array,
  words: number,
  out: Int32Array,
  at: number,
  step: number,
): void {
  const [width, mask] = words === 8 ? [8, 255] : [4, 15];
  for (let j = 0; j < words; j++) {
    let word = 0;
    for (let n = 0; n < BLOCK / words; n++) word |= (codes[n * words + j]! & mask) << (width * n);
    out[at + j * step] = word;
  }
}

/** The bits above the fourth of code n·4 + j go to word ⌊j·extra/4⌋, at bit 8·extra·(j mod 4/extra) + extra·n. */
function packHigh(
  codes: Uint8Array,
  extra: number,
  out: Int32Array,
  at: number,
  step: number,
): void {
  const each = 4 / extra;
  for (let j = 0; j < 4; j++)
    for (let n = 0; n < 8; n++)
      out[at + Math.floor(j / each) * step]! |=
        (codes[4 * n + j]! >> 4) << (8 * extra * (j % each) + extra * n);
}
