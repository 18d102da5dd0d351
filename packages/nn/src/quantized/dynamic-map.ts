/**
 * @file The code books of bitsandbytes: NF4 (Dettmers et al. 2023, https://arxiv.org/abs/2305.14314, appendix E) and the
 * dynamic 8-bit types (Dettmers 2015, https://arxiv.org/abs/1511.04561; Dettmers et al. 2021,
 * https://arxiv.org/abs/2110.02861, section 2.1).
 */

/** The sixteen quantiles of a normal distribution that 4-bit NormalFloat codes stand for, ascending in [−1, 1]. */
export const NF4_BOOK: Float32Array = Float32Array.of(
  -1,
  -0.6961928009986877,
  -0.5250730514526367,
  -0.39491748809814453,
  -0.28444138169288635,
  -0.18477343022823334,
  -0.09105003625154495,
  0,
  0.07958029955625534,
  0.16093020141124725,
  0.24611230194568634,
  0.33791524171829224,
  0.44070982933044434,
  0.5626170039176941,
  0.7229568362236023,
  1,
);

/** Exponents of the dynamic types. */
const EXPONENTS = 7;

/**
 * `create_dynamic_map`: for each of seven decimal exponents the means of neighbours in an even grid of [0.1, 1], finer
 * where the exponent is larger; with signs, 0 and 1; ascending, 256 numbers.
 */
export function dynamicMap(signed: boolean): Float32Array {
  const numbers = [0, 1];
  for (let i = 0; i < EXPONENTS; i++) {
    const count = (signed ? 2 ** i : 2 ** (i + 1)) + 1;
    const grid = evenGrid(count);
    for (let k = 0; k + 1 < count; k++) {
      const mean = Math.fround(Math.fround(grid[k]! + grid[k + 1]!) / 2);
      const number = Math.fround(Math.fround(10 ** (i - EXPONENTS + 1)) * mean);
      numbers.push(number, ...(signed ? [-number] : []));
    }
  }
  return Float32Array.from(numbers).sort();
}

/** `torch.linspace(0.1, 1, count)`: the second half is counted from the end. */
function evenGrid(count: number): Float32Array {
  const [first, last] = [Math.fround(0.1), 1];
  const step = Math.fround(Math.fround(last - first) / (count - 1));
  return Float32Array.from({ length: count }, (_, k) =>
    2 * k < count ? first + step * k : last - step * (count - 1 - k),
  );
}

/** The signed dynamic type. */
export const DYNAMIC_MAP: Float32Array = dynamicMap(true);

/** Index of the number of an ascending book that is nearest to `value`; the lower of two equally near ones. */
export function nearest(book: Float32Array, value: number): number {
  let [low, high] = [0, book.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (book[middle]! <= value) low = middle;
    else high = middle;
  }
  return value - book[low]! <= book[high]! - value ? low : high;
}
