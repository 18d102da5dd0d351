/**
 * @file What the codes of a quantised weight are multiplied by: one number for each `group` inputs of an output, plain
 * or itself packed. All are read along *lanes*: the outputs of a layer, or the chosen rows of a table.
 */
import { arange, full, type Tensor } from '@camada/tensor';

/** Rows of numbers in memory, one column an output: [rows · outputs], flat. */
export interface Plane {
  readonly data: Tensor;
  readonly rows: number;
}

/** Which columns of the planes are read. */
export interface Lanes {
  /** i32 [L], the outputs. */
  readonly index: Tensor;
  /** [rows, L]. */
  read(plane: Plane): Tensor;
}

/** One number for each group of inputs and each output. */
export interface Scales {
  readonly planes: readonly Plane[];
  /** Whether decoding costs much more than loading: then it is done once a group. */
  readonly dear: boolean;
  /** f32 [groups, L]. */
  decode(lanes: Lanes): Tensor;
}

/** A whole number of a format's definition, which is text of the program. */
export function literal(value: number): Tensor {
  return full([], value, 'i32');
}

/** Numbers stored as they are: f16 or f32. */
export function plainScales(data: Tensor, groups: number): Scales {
  const plane = { data, rows: groups };
  return { planes: [plane], dear: false, decode: (lanes) => lanes.read(plane).cast('f32') };
}

/**
 * 8-bit whole numbers, four in a word along the groups, times one f16 number for each `per` groups: the scales of
 * ggml's K-quants. `groups` is a multiple of `per`, and `per` of 4.
 */
export function nestedScales(
  codes: Tensor,
  outer: Tensor,
  options: { readonly groups: number; readonly per: number; readonly signed: boolean },
): Scales {
  const { groups, per, signed } = options;
  const planes = [
    { data: codes, rows: groups / 4 },
    { data: outer, rows: groups / per },
  ] as const;
  const decode = (lanes: Lanes): Tensor => {
    const code = bytesOf(lanes.read(planes[0]), signed).cast('f32'); // [groups, L]
    const width = code.shape[1]!;
    const outside = lanes.read(planes[1]).cast('f32').unsqueeze(1); // [groups/per, 1, L]
    return code
      .reshape([groups / per, per, width])
      .mul(outside)
      .reshape([groups, width]);
  };
  return { planes, dear: false, decode };
}

/** The four bytes of each word [rows, L], lowest first: i32 [4 · rows, L]. */
function bytesOf(words: Tensor, signed: boolean): Tensor {
  const [rows, lanes] = words.shape as [number, number];
  const eight = arange(4).mul(literal(8)).reshape([1, 4, 1]);
  const word = words.unsqueeze(1); // [rows, 1, L]
  const byte = signed
    ? word.bitwiseLeftShift(literal(24).sub(eight)).bitwiseRightShift(literal(24))
    : word.bitwiseRightShift(eight).and(literal(255));
  return byte.reshape([4 * rows, lanes]);
}

/** Numbers of one block of double quantisation. */
export const NESTED_BLOCK = 256;

/**
 * bitsandbytes' double quantisation (Dettmers et al. 2023, https://arxiv.org/abs/2305.14314, section 3): the numbers of
 * all outputs in a row, less their mean, as 8-bit codes of the dynamic map, with one f32 for each 256. Codes lie four in a
 * word along the groups; `ratio` neighbouring groups share one number.
 */
export function doubleScales(
  { codes, map, nested, offset }: DoubleParts,
  { groups, ratio }: { readonly groups: number; readonly ratio: number },
): Scales {
  const plane = { data: codes, rows: Math.ceil(groups / 4) };
  const decode = (lanes: Lanes): Tensor => {
    const code = bytesOf(lanes.read(plane), false).slice(0, 0, groups); // [groups, L]
    const place = lanes.index.mul(literal(groups)).add(arange(groups).unsqueeze(1)); // ratio times that of the number
    const block = place.bitwiseRightShift(literal(Math.log2(NESTED_BLOCK * ratio)));
    return map.gather(code).mul(nested.gather(block)).add(offset);
  };
  const shared = [map, nested, offset].map((data) => ({ data, rows: 1 }));
  return { planes: [plane, ...shared], dear: true, decode };
}

/** Double-quantised numbers. */
export interface DoubleParts {
  /** i32 words, [⌈groups/4⌉ · outputs]. */
  readonly codes: Tensor;
  /** What a code stands for, f32 [256]. */
  readonly map: Tensor;
  /** f32, one for each 256 numbers. */
  readonly nested: Tensor;
  /** f32 []: the mean. */
  readonly offset: Tensor;
}
