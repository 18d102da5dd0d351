/** @file Numbers to packed weights: NF4 with double quantisation as bitsandbytes has it, and int8 with a scale an output. */
import { InputError, tensor, type Tensor } from '@camada/tensor';
import { packBytes } from './blocks.ts';
import { DYNAMIC_MAP, NF4_BOOK, nearest } from './dynamic-map.ts';
import { packCodes } from './pack.ts';
import { NESTED_BLOCK, doubleScales, plainScales } from './scales.ts';
import { BLOCK, QuantizedWeight } from './weight.ts';

/** How a model is quantised when it is loaded. */
export const QUANTIZATIONS = ['nf4', 'int8'] as const;

/** One of `QUANTIZATIONS`. */
export type Quantization = (typeof QUANTIZATIONS)[number];

/** Elements of an NF4 block. */
const NF4_BLOCK = 64;

/** The code books of NF4 on the device; the weights of a model share them. */
export interface Books {
  /** f32 [16]. */
  readonly nf4: Tensor;
  /** f32 [256]. */
  readonly dynamic: Tensor;
}

/** Code books for the weights of one model. */
export function createBooks(): Books {
  return { nf4: tensor(NF4_BOOK), dynamic: tensor(DYNAMIC_MAP) };
}

/** A weight [out, in] as codes. Throws InputError when it holds NaN or infinity, or `in` is no multiple of 32. */
export function quantize(
  how: Quantization,
  data: Float32Array,
  shape: readonly [number, number],
  books: Books = createBooks(),
): QuantizedWeight {
  if (shape[1] % BLOCK !== 0)
    throw new InputError(
      `a weight of ${shape[1]} inputs cannot be quantised: they must be a multiple of ${BLOCK}`,
    );
  return how === 'nf4' ? nf4(data, shape, books) : int8(data, shape);
}

/**
 * NormalFloat (Dettmers et al. 2023, https://arxiv.org/abs/2305.14314): each 64 neighbours in the order of memory are
 * divided by their largest magnitude and take the nearest of sixteen numbers; the largest magnitudes are quantised too.
 */
function nf4(data: Float32Array, shape: readonly [number, number], books: Books): QuantizedWeight {
  const [rows, inputs] = shape;
  const absmax = largest(data, NF4_BLOCK);
  const codes = packCodes(4, books.nf4, shape, (row, block, out) => {
    const first = row * inputs + block * BLOCK;
    const most = absmax[Math.floor(first / NF4_BLOCK)]!; // 32 neighbours lie in one block of 64
    const factor = most === 0 ? 0 : Math.fround(1 / most);
    for (let i = 0; i < BLOCK; i++) out[i] = nf4Code(Math.fround(data[first + i]! * factor));
  });
  const group = inputs % NF4_BLOCK === 0 ? NF4_BLOCK : BLOCK;
  const shared = (row: number, g: number): number =>
    Math.floor((row * inputs + g * group) / NF4_BLOCK);
  const codes8 = doubleQuantized(absmax);
  const words = packBytes(inputs / group, rows, (row, g) => codes8.codes[shared(row, g)]!);
  const scales = doubleScales(
    { ...codes8, codes: words, map: books.dynamic },
    { groups: inputs / group, ratio: NF4_BLOCK / group },
  );
  return new QuantizedWeight({ format: 'nf4', shape, codes, group, scales });
}

/** Between each number of the book and the next. */
const NF4_BORDERS = Float64Array.from(
  { length: 15 },
  (_, i) => (NF4_BOOK[i]! + NF4_BOOK[i + 1]!) / 2,
);

/** The code nearest to a number in [−1, 1]; the lower of two equally near ones. */
function nf4Code(x: number): number {
  let code = x > NF4_BORDERS[7]! ? 8 : 0;
  if (x > NF4_BORDERS[code + 3]!) code += 4;
  if (x > NF4_BORDERS[code + 1]!) code += 2;
  return x > NF4_BORDERS[code]! ? code + 1 : code;
}

/** Largest magnitude of each `size` neighbours. Throws InputError where one is NaN or infinite. */
function largest(data: Float32Array, size: number): Float32Array {
  const out = new Float32Array(Math.ceil(data.length / size));
  for (let block = 0; block < out.length; block++) {
    const end = Math.min(data.length, (block + 1) * size);
    let most = 0;
    for (let i = block * size; i < end; i++) most = Math.max(most, Math.abs(data[i]!));
    out[block] = most;
  }
  if (!out.every(Number.isFinite))
    throw new InputError('a weight to quantise holds NaN or infinity: is the checkpoint damaged?');
  return out;
}

/** Codes of the dynamic map for numbers less their mean, with a factor for each 256. */
function doubleQuantized(numbers: Float32Array): {
  readonly codes: Uint8Array;
  readonly nested: Tensor;
  readonly offset: Tensor;
} {
  const offset = Math.fround(numbers.reduce((sum, x) => sum + x, 0) / numbers.length);
  const rest = numbers.map((x) => x - offset);
  const nested = largest(rest, NESTED_BLOCK);
  const codes = Uint8Array.from(rest, (x, i) => {
    const most = nested[Math.floor(i / NESTED_BLOCK)]!;
    return nearest(DYNAMIC_MAP, most === 0 ? 0 : Math.fround(x / most));
  });
  return { codes, nested: tensor(nested), offset: tensor([offset], []) };
}

/** w = s·q with q in −127 … 127 and s the largest magnitude of an output over 127, as LLM.int8() stores weights. */
function int8(data: Float32Array, shape: readonly [number, number]): QuantizedWeight {
  const [, inputs] = shape;
  const most = largest(data, inputs);
  const codes = packCodes(8, 0, shape, (row, block, out) => {
    const first = row * inputs + block * BLOCK;
    const factor = most[row] === 0 ? 0 : Math.fround(127 / most[row]!);
    for (let i = 0; i < BLOCK; i++)
      out[i] = (Math.fround(data[first + i]! * factor) + ROUNDING - ROUNDING) & 255;
  });
  const scales = plainScales(tensor(most.map((x) => x / 127)), 1);
  return new QuantizedWeight({ format: 'int8', shape, codes, group: inputs, scales });
}

/** Added to a number below 2⁵¹ and taken away again, it rounds to the nearest whole number, the even one of two. */
const ROUNDING = 1.5 * 2 ** 52;
