/**
 * @file A weight [out, in] that stays packed on the device. Whatever packed it, it lies as planes of 32-bit words whose
 * columns are outputs: neighbours in memory are neighbouring outputs, which is what four lanes, or the
 * invocations of a workgroup, read together. The inputs are cut into blocks of 32; in a block of codes of 4 (8)
 * bits, word j of J = 4 (8) holds the inputs j, J + j, 2·J + j, …, lowest bits first.
 */
import { ShapeError, arange, showShape, type Tensor } from '@camada/tensor';
import { literal, type Lanes, type Plane, type Scales } from './scales.ts';

/** Inputs of a block. */
export const BLOCK = 32;

/** The codes of a weight. */
export interface Codes {
  /** Bits of a code: 4, or 4 and high bits in a plane of their own, or a signed byte. */
  readonly bits: 4 | 5 | 6 | 8;
  /** i32 words of the low 4 bits or of the bytes. */
  readonly low: Tensor;
  /** i32 words of the fifth bits (one for each block) or of the fifth and sixth bits (two). */
  readonly high?: Tensor;
  /** What a code stands for: itself plus a whole number, or a number of a book, f32 [2^bits]. */
  readonly meaning: number | Tensor;
}

/** Everything that a packed weight is made of. */
export interface WeightParts {
  /** What packed it, for people: `Q4_1`, `nf4`, `int8`. */
  readonly format: string;
  /** [out, in]; `in` is a multiple of 32. */
  readonly shape: readonly [number, number];
  readonly codes: Codes;
  /** Inputs that share a scale: 16, 32, a multiple of 32. */
  readonly group: number;
  readonly scales: Scales;
  /** Added after scaling; absent where it would be 0. */
  readonly minima?: Scales;
}

/** w = scale · code + minimum, with a scale and a minimum for each `group` inputs of an output. */
export class QuantizedWeight {
  readonly parts: WeightParts;
  readonly #low: Plane;
  readonly #high: Plane | undefined;
  /** Words of a block, and codes of a word. */
  readonly #words: number;
  readonly #perWord: number;
  readonly #all: Lanes;

  /** Throws ShapeError when the inputs are not a multiple of 32 or the planes do not fit. */
  constructor(parts: WeightParts) {
    this.parts = parts;
    const { codes, shape } = parts;
    if (shape[1] % BLOCK !== 0)
      throw new ShapeError(
        `a packed weight has a multiple of ${BLOCK} inputs, not ${showShape(shape)}: keep this one as f32`,
      );
    this.#words = codes.bits === 8 ? 8 : 4;
    this.#perWord = BLOCK / this.#words;
    const blocks = shape[1] / BLOCK;
    this.#low = { data: codes.low, rows: blocks * this.#words };
    this.#high = codes.high && { data: codes.high, rows: blocks * (codes.bits - 4) };
    for (const { data, rows } of this.#codePlanes)
      if (data.size !== rows * shape[0])
        throw new ShapeError(
          `a plane of ${data.size} words does not fit a weight ${showShape(shape)}`,
        );
    this.#all = {
      index: arange(shape[0]),
      read: ({ data, rows }) => data.reshape([rows, shape[0]]),
    };
  }

  /** [out, in]. */
  get shape(): readonly [number, number] {
    return this.parts.shape;
  }

  get #codePlanes(): Plane[] {
    return this.#high ? [this.#low, this.#high] : [this.#low];
  }

  /** Everything that lies on the device. */
  get tensors(): readonly Tensor[] {
    const { scales, minima } = this.parts;
    const planes = [...this.#codePlanes, ...scales.planes, ...(minima?.planes ?? [])];
    const { meaning } = this.parts.codes;
    const book = typeof meaning === 'number' ? [] : [meaning];
    return [...planes.map(({ data }) => data), ...book];
  }

  /** f32 [in, out]: the transposed weight, as x·Wᵀ reads it; of the outputs from `first` to before `end` only. */
  transposed(first = 0, end: number = this.shape[0]): Tensor {
    return this.#dense({
      index: this.#all.index.slice(0, first, end),
      read: (plane) => this.#all.read(plane).slice(1, first, end),
    });
  }

  /** f32 rows of the weight, [...n, in], for i32 indices [...n]. Only the words of these rows are read. */
  rows(index: Tensor): Tensor {
    const flat = index.reshape([-1]);
    const [outputs, inputs] = this.shape;
    const chosen = {
      index: flat,
      read: ({ data, rows }: Plane): Tensor =>
        data.gather(arange(rows).mul(literal(outputs)).unsqueeze(1).add(flat)), // [rows, N]
    };
    return this.#dense(chosen)
      .transpose()
      .reshape([...index.shape, inputs]);
  }

  #dense(lanes: Lanes): Tensor {
    const { scales, minima, group } = this.parts;
    const [, inputs] = this.shape;
    const n = arange(this.#perWord).reshape([-1, 1, 1]);
    const codes = this.#values(lanes, n); // [B, n, J, L]
    const width = codes.shape[3]!;
    const groups = inputs / group;
    const grouped = codes.reshape([groups, group, width]);
    const scaled = grouped.mul(scales.decode(lanes).unsqueeze(1));
    const w = minima ? scaled.add(minima.decode(lanes).unsqueeze(1)) : scaled;
    return w.reshape([inputs, width]);
  }

  /** What code `n` of each word stands for, f32 [B, n, J, L]; `n` is [] or [n, 1, 1]. */
  #values(lanes: Lanes, n: Tensor): Tensor {
    const { bits, meaning } = this.parts.codes;
    const low = this.#blocks(this.#low, lanes); // [B, 1, J, L]
    if (bits === 8) {
      const left = literal(24).sub(n.mul(literal(8)));
      return low.bitwiseLeftShift(left).bitwiseRightShift(literal(24)).cast('f32');
    }
    const four = low.bitwiseRightShift(n.mul(literal(4))).and(literal(15));
    const code = this.#high ? four.add(this.#highBits(this.#high, lanes, n)) : four;
    if (typeof meaning !== 'number') return meaning.gather(code);
    return (meaning === 0 ? code : code.add(literal(meaning))).cast('f32');
  }

  /** A plane as [B, 1, words, L]. */
  #blocks(plane: Plane, lanes: Lanes): Tensor {
    const read = lanes.read(plane); // [rows, L]
    const blocks = this.shape[1] / BLOCK;
    return read.reshape([blocks, 1, plane.rows / blocks, read.shape[1]!]);
  }

  /** The bits above the fourth of code `n` of each word, in their place: i32 [B, n, J, L]. */
  #highBits(plane: Plane, lanes: Lanes, n: Tensor): Tensor {
    const bits = this.parts.codes.bits - 4;
    const words = this.#blocks(plane, lanes); // [B, 1, bits, L]
    const [blocks, , , width] = words.shape as [number, number, number, number];
    const each = this.#words / bits; // words of low bits for one of high bits
    const inner = arange(each)
      .reshape([each, 1])
      .mul(literal(8 * bits)); // [each, 1]
    const own = n.mul(literal(bits));
    const shift = inner.add(n.rank === 0 ? own : own.unsqueeze(3)); // [(n, 1,) each, 1]
    const code = words
      .reshape([blocks, 1, bits, 1, width])
      .bitwiseRightShift(shift)
      .and(literal(2 ** bits - 1))
      .bitwiseLeftShift(literal(4)); // [B, n, bits, each, L]
    return code.reshape([blocks, code.shape[1]!, this.#words, width]);
  }

  /**
   * x·Wᵀ for few rows: [M, in] to [M, out], as sums over the words, each of which is read once a row and unpacked
   * where it is used. Nothing but packed words comes from memory.
   */
  dot(x: Tensor): Tensor {
    const { scales, minima, group } = this.parts;
    const [, inputs] = this.shape;
    const blocks = inputs / BLOCK;
    const parts = Math.max(1, BLOCK / group); // groups of a block
    const xs = x.reshape([x.shape[0]!, blocks, this.#perWord, this.#words, 1]);
    const scale = this.#perBlock(scales); // [B, parts, 1, L]
    const minimum = minima && this.#perBlock(minima);
    const terms: Tensor[] = [];
    for (let part = 0; part < parts; part++) {
      const mine = range(part, this.#perWord / parts).map((n) => xs.slice(2, n, n + 1)); // [M, B, 1, J, 1]
      const products = mine.map((own, i) =>
        own.mul(this.#values(this.#all, literal((part * this.#perWord) / parts + i))),
      );
      terms.push(sum(products).mul(scale.slice(1, part, part + 1)));
      if (minimum) terms.push(sum(mine).mul(minimum.slice(1, part, part + 1)));
    }
    return sum(terms).sum([1, 2, 3]); // [M, L]
  }

  /** Scales of each block, [B, parts, 1, L]. */
  #perBlock(scales: Scales): Tensor {
    const [outputs, inputs] = this.shape;
    const { group } = this.parts;
    const blocks = inputs / BLOCK;
    const decoded = scales.decode(this.#all); // [groups, L]
    if (group <= BLOCK) return decoded.reshape([blocks, BLOCK / group, 1, outputs]);
    const repeated = decoded.unsqueeze(1).expand([inputs / group, group / BLOCK, outputs]);
    return repeated.reshape([blocks, 1, 1, outputs]);
  }
}

function range(part: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => part * count + i);
}

function sum(terms: readonly Tensor[]): Tensor {
  return terms.slice(1).reduce((total, term) => total.add(term), terms[0]!);
}
