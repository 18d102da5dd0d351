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
  if (!data.every(Number.isFinite))
    throw new InputError('a weight to quantise holds NaN or infinity: is the checkpoint damaged?');
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
    for (let i = 0; i < BLOCK; i++)
      out[i] = nf4Code(data[first + i]!, absmax[Math.floor((first + i) / NF4_BLOCK)]!);
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

function nf4Code(value: number, absmax: number): number {
  return absmax === 0 ? 7 : nearest(NF4_BOOK, Math.fround(value * Math.fround(1 / absmax)));
}

/** Largest magnitude of each `size` neighbours. */
export function largest(data: Float32Array, size: number): Float32Array {
  const out = new Float32Array(Math.ceil(data.length / size));
  data.forEach((x, i) => {
    const block = Math.floor(i / size);
    out[block] = Math.max(out[block]!, Math.abs(x));
  });
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
      out[i] = roundEven(Math.fround(data[first + i]! * factor)) & 255;
  });
  const scales = plainScales(tensor(most.map((x) => x / 127)), 1);
  return new QuantizedWeight({ format: 'int8', shape, codes, group: inputs, scales });
}

/** The nearest whole number, the even one of two. */
function roundEven(x: number): number {
  const down = Math.floor(x);
  if (x - down === 0.5) return down + (down & 1);
  return Math.round(x);
}
