/** @file Special numbers, and how a device's results are compared with exact ones: relative to their size. */
import { expect } from 'vitest';
import { tensor } from '@camada/tensor';
import type { DType, Tensor } from '@camada/tensor';

/** The largest f32. */
export const MAX = 3.4028234663852886e38;
/** What is not finite. */
export const INFINITY = [Infinity, -Infinity, NaN];
/** Zeros, ends of the range, and what is not finite. */
export const SPECIAL = [0, -0, ...INFINITY, 1, -1, MAX, -MAX, 2 ** -126, -(2 ** -126), 2, 0.5];

/** ±2ᵏ·m over the whole range, and a fine grid around 0 and 1. */
export const EVERYWHERE: readonly number[] = [
  ...Array.from({ length: 680 }, (_, i) => 2 ** (-126 + 0.37 * i)).flatMap((x) => [x, -x]),
  ...Array.from({ length: 400 }, (_, i) => (i - 200) / 17),
  ...Array.from({ length: 400 }, (_, i) => 0.8 + i / 1000),
].map(Math.fround);

/** Below this a device may give 0, or see 0. */
export const FLUSHED = 2 ** -118;
const ULP = 2 ** -23;

type Methods = Record<string, (...args: (Tensor | number)[]) => Tensor>;

/** Elements of a method's result; the columns are its tensor and its arguments. */
export async function apply(
  name: string,
  columns: readonly (readonly number[])[],
  dtype: DType = 'f32',
): Promise<number[]> {
  const [x, ...rest] = columns.map((column) => tensor(column, [column.length], dtype));
  return [...(await (x as unknown as Methods)[name]!(...rest).data())];
}

/** Undefined where `got` may stand for `expected`; else what is wrong. */
function wrong(expected: number, got: number, ulps: number): string | undefined {
  const rounded = Math.fround(expected);
  const text = `${got} for ${expected}`;
  if (Number.isNaN(expected)) return Number.isNaN(got) ? undefined : text;
  // At the end of the range a device may overflow an ulp early.
  if (Math.abs(expected) > MAX * (1 - ulps * ULP) && got === Math.sign(expected) * Infinity) return;
  if (!Number.isFinite(rounded)) return got === rounded ? undefined : text;
  const bound = ulps * ULP * Math.abs(expected) + (Math.abs(expected) < FLUSHED ? FLUSHED : 0);
  return Math.abs(got - rounded) <= Math.max(bound, Math.abs(rounded - expected))
    ? undefined
    : text;
}

/** Checks `got` element by element and reports the first arguments that fail. */
export function expectAll(
  columns: readonly (readonly number[])[],
  got: readonly number[],
  f: (...x: number[]) => number,
  ulps: (...x: number[]) => number = () => 0,
): void {
  const failures = got.flatMap((value, i) => {
    const x = columns.map((column) => column[i]!);
    const text = wrong(f(...x), value, ulps(...x));
    return text === undefined
      ? []
      : [`(${x.map((v) => (Object.is(v, -0) ? '-0' : v)).join(', ')}) gives ${text}`];
  });
  expect(failures.slice(0, 5)).toEqual([]);
}

/** Every pair of the values, as two columns. */
export function pairs(values: readonly number[]): [number[], number[]] {
  return [values.flatMap((x) => values.map(() => x)), values.flatMap(() => values)];
}

/** Too small to be told from 0 on every device. */
export const tiny = (x: number): boolean => x !== 0 && Math.abs(x) < FLUSHED;
