/**
 * @file Numbers as 8-bit codes on the device: each 256 neighbours share their largest magnitude, and a code names the
 * nearest of 256 numbers of a dynamic type (Dettmers et al. 2021, https://arxiv.org/abs/2110.02861, section 2).
 */
import { arange, full, sizeOf, tensor, where, type Shape, type Tensor } from '@camada/tensor';
import { dynamicMap } from '../quantized/dynamic-map.ts';
import type { SlotShapes } from './slots.ts';

/** Numbers that share a scale. */
const BLOCK = 256;

/** Codes of one parameter's state. */
export interface BlockCodes {
  /** Four codes in a word, i32 [64 · blocks]. */
  readonly codes: Tensor;
  /** f32 [blocks]. */
  readonly absmax: Tensor;
}

/** A code book on the device. */
export class BlockBook {
  readonly #numbers: Tensor;
  /** At c, where numbers begin that are nearer to number c than to the one before it. */
  readonly #borders: Tensor;

  /** With signs, a negative number never becomes 0: moments keep their direction, as in bitsandbytes. */
  constructor(signed: boolean) {
    const book = dynamicMap(signed);
    const borders = book.map((x, c) => (c === 0 ? -Infinity : (x + book[c - 1]!) / 2));
    if (signed) borders[book.indexOf(0)] = 0;
    this.#numbers = tensor(book);
    this.#borders = tensor(borders);
  }

  /** The numbers that codes stand for, f32 of a shape. */
  decode({ codes, absmax }: BlockCodes, shape: Shape): Tensor {
    const bytes = codes.unsqueeze(1).bitwiseRightShift(shifts()).and(literal(255)); // [words, 4]
    const blocks = absmax.shape[0]!;
    const numbers = this.#numbers.gather(bytes).reshape([blocks, BLOCK]).mul(absmax.unsqueeze(1));
    return numbers.reshape([-1]).slice(0, 0, sizeOf(shape)).reshape(shape);
  }

  /** Codes of numbers. */
  encode(x: Tensor): BlockCodes {
    const blocks = Math.ceil(x.size / BLOCK);
    const padded = x
      .reshape([-1])
      .pad([0], [blocks * BLOCK - x.size])
      .reshape([blocks, BLOCK]);
    const absmax = padded.abs().max(1); // [blocks]
    const scale = where(absmax.eq(literal(0)), literal(1), absmax).unsqueeze(1);
    const code = this.#search(padded.div(scale)); // [blocks, 256]
    const bytes = code.reshape([-1, 4]).bitwiseLeftShift(shifts());
    return { codes: bytes.sum(1), absmax };
  }

  /** Index of the nearest number by bisection, i32. */
  #search(x: Tensor): Tensor {
    let index = full(x.shape, 0, 'i32');
    for (let step = BLOCK / 2; step >= 1; step /= 2) {
      const higher = index.add(literal(step));
      index = where(this.#borders.gather(higher).le(x), higher, index);
    }
    return index;
  }
}

/** Words of codes for a parameter. */
export const codeWords: SlotShapes = Object.assign(
  (shape: Shape): Shape => [Math.ceil(sizeOf(shape) / BLOCK) * (BLOCK / 4)],
  { words: true } as const,
);

/** Scales for a parameter. */
export function codeScales(shape: Shape): Shape {
  return [Math.ceil(sizeOf(shape) / BLOCK)];
}

/** A whole number of the definition, which is text of the program. */
function literal(value: number): Tensor {
  return full([], value, 'i32');
}

/** Bits below each byte of a word, i32 [4]. */
function shifts(): Tensor {
  return arange(4).mul(literal(8));
}
