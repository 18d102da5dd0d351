/**
 * @file The rules of docs/numerics.md, on every device: NaN, infinities, zeros, the largest and smallest
 * numbers, integer overflow and division by zero, and the relative accuracy of every function over
 * the whole range of f32.
 */
import { describe, expect, test } from 'vitest';
import { full, scalar, tensor, where } from '@camada/tensor';
import type { DType, Tensor } from '@camada/tensor';
import { erf, erfc } from '../../src/ops/special.ts';
import { DEVICES, on } from './devices.ts';

const MAX = 3.4028234663852886e38;
const INFINITY = [Infinity, -Infinity, NaN];
const SPECIAL = [0, -0, ...INFINITY, 1, -1, MAX, -MAX, 2 ** -126, -(2 ** -126), 2, 0.5];

/** ±2ᵏ·m over the whole range, and a fine grid around 0 and 1. */
const EVERYWHERE: readonly number[] = [
  ...Array.from({ length: 680 }, (_, i) => 2 ** (-126 + 0.37 * i)).flatMap((x) => [x, -x]),
  ...Array.from({ length: 400 }, (_, i) => (i - 200) / 17),
  ...Array.from({ length: 400 }, (_, i) => 0.8 + i / 1000),
].map(Math.fround);

/** Below this a device may give 0, or see 0. */
const FLUSHED = 2 ** -118;
const ULP = 2 ** -23;

const same = (x: number): number => x;
const log1pExp = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

interface Function1 {
  readonly f: (x: number) => number;
  /** Bound of the relative error in units of 2⁻²³. */
  readonly ulps: number;
  /** Argument of an exponential inside: WGSL's may be off by (3 + 2|argument|) ulp. */
  readonly exponent?: (x: number) => number;
  /** Largest argument for which the bound is promised. */
  readonly largest?: number;
}

const FUNCTIONS: Readonly<Record<string, Function1>> = {
  neg: { f: (x) => -x, ulps: 0 },
  abs: { f: Math.abs, ulps: 0 },
  floor: { f: Math.floor, ulps: 0 },
  ceil: { f: Math.ceil, ulps: 0 },
  trunc: { f: Math.trunc, ulps: 0 },
  square: { f: (x) => x * x, ulps: 1 },
  sqrt: { f: Math.sqrt, ulps: 1 },
  rsqrt: { f: (x) => 1 / Math.sqrt(x), ulps: 2 },
  reciprocal: { f: (x) => 1 / x, ulps: 2 },
  exp: { f: Math.exp, ulps: 2, exponent: same },
  exp2: { f: (x) => 2 ** x, ulps: 2, exponent: same },
  expm1: { f: Math.expm1, ulps: 3, exponent: same },
  log: { f: Math.log, ulps: 2 },
  log2: { f: Math.log2, ulps: 2 },
  log10: { f: Math.log10, ulps: 2 },
  log1p: { f: Math.log1p, ulps: 3 },
  sin: { f: Math.sin, ulps: 3, largest: 100 },
  cos: { f: Math.cos, ulps: 3, largest: 100 },
  tan: { f: Math.tan, ulps: 4, largest: 100 },
  asin: { f: Math.asin, ulps: 3 },
  acos: { f: Math.acos, ulps: 3 },
  atan: { f: Math.atan, ulps: 3 },
  sinh: { f: Math.sinh, ulps: 4, exponent: same },
  cosh: { f: Math.cosh, ulps: 4, exponent: same },
  tanh: { f: Math.tanh, ulps: 4 },
  asinh: { f: Math.asinh, ulps: 3 },
  acosh: { f: Math.acosh, ulps: 4 },
  atanh: { f: Math.atanh, ulps: 4 },
  erf: { f: erf, ulps: 4 },
  erfc: { f: erfc, ulps: 8, exponent: (x) => x * x },
  sigmoid: { f: (x) => 1 / (1 + Math.exp(-x)), ulps: 4, exponent: same },
  logSigmoid: { f: (x) => -log1pExp(-x), ulps: 4, exponent: same },
  softplus: { f: log1pExp, ulps: 4, exponent: same },
  relu: { f: (x) => (x > 0 || Number.isNaN(x) ? x : 0), ulps: 0 },
  elu: { f: (x) => (x > 0 ? x : Math.expm1(x)), ulps: 4, exponent: same },
  softsign: { f: (x) => x / (1 + Math.abs(x)), ulps: 3 },
  relu6: { f: (x) => Math.min(6, Math.max(0, x)), ulps: 0 },
  sign: { f: (x) => (Number.isNaN(x) ? 0 : Math.sign(x)), ulps: 0 },
};

type Methods = Record<string, (...args: (Tensor | number)[]) => Tensor>;

async function apply(
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
function expectAll(
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
function pairs(values: readonly number[]): [number[], number[]] {
  return [values.flatMap((x) => values.map(() => x)), values.flatMap(() => values)];
}

const cPow = (x: number, y: number): number =>
  x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y;

const floorMod = (x: number, y: number): number => {
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
};

/** As CPython's float_floor_div. */
const floorDivide = (x: number, y: number): number => {
  if (y === 0) return x / y;
  const rest = x % y;
  const quotient = Math.round((x - rest) / y);
  return rest !== 0 && rest < 0 !== y < 0 ? quotient - 1 : quotient;
};

interface Function2 {
  readonly f: (x: number, y: number) => number;
  readonly ulps?: (x: number, y: number) => number;
  /** Pairs for which nothing is promised. */
  readonly except?: (x: number, y: number) => boolean;
}

const huge = (x: number): boolean => Math.abs(x) > 2 ** 126 && Number.isFinite(x);
const tiny = (x: number): boolean => x !== 0 && Math.abs(x) < FLUSHED;

const FUNCTIONS2: Readonly<Record<string, Function2>> = {
  add: { f: (x, y) => x + y, ulps: () => 1 },
  sub: { f: (x, y) => x - y, ulps: () => 1 },
  mul: { f: (x, y) => x * y, ulps: () => 1 },
  // WGSL promises quotients by divisors up to 2¹²⁶ only.
  div: { f: (x, y) => x / y, ulps: () => 3, except: (_, y) => huge(y) || tiny(y) },
  fmod: { f: (x, y) => x % y },
  remainder: { f: floorMod, ulps: () => 1 },
  floorDivide: { f: floorDivide, ulps: () => 3, except: (_, y) => huge(y) || tiny(y) },
  maximum: { f: Math.max },
  minimum: { f: Math.min },
  atan2: { f: Math.atan2, ulps: () => 4, except: (x, y) => huge(x) || huge(y) },
  copysign: { f: (x, y) => (y < 0 || Object.is(y, -0) ? -Math.abs(x) : Math.abs(x)) },
  pow: {
    f: cPow,
    ulps: (x, y) => 4 + 4 * Math.min(200, Math.abs(y * Math.log2(Math.abs(x)) || 0)),
    // Logarithms of numbers next to 1 times a huge exponent, and subnormals.
    except: (x, y) => tiny(cPow(x, y)),
  },
};

const ORDINARY = [3, -3, -2, -0.5, 2.5, -2.5, 7.25, 1e10, Math.fround(-1e-10)];
const NUMBERS = [...SPECIAL.filter((x) => !tiny(x)), ...ORDINARY];

const INTEGERS: Readonly<Record<'i32' | 'u32', readonly number[]>> = {
  i32: [0, 1, -1, 2, -2, 3, -7, 31, 32, 65_537, 123_456_789, -987_654_321, 2 ** 31 - 1, -(2 ** 31)],
  u32: [0, 1, 2, 3, 7, 31, 32, 65_537, 123_456_789, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1],
};

const big = (f: (x: bigint, y: bigint) => bigint) => (x: number, y: number) =>
  f(BigInt(x), BigInt(y));
const orZero = (f: (x: bigint, y: bigint) => bigint) => big((x, y) => (y === 0n ? 0n : f(x, y)));
const floorQuotient = (x: bigint, y: bigint): bigint =>
  x % y !== 0n && x < 0n !== y < 0n ? x / y - 1n : x / y;
const count = (y: bigint): bigint => BigInt.asUintN(5, y);

/** Exact in unbounded integers; the result is taken modulo 2³². */
const ON_INTEGERS: Readonly<Record<string, (x: number, y: number) => bigint>> = {
  add: big((x, y) => x + y),
  sub: big((x, y) => x - y),
  mul: big((x, y) => x * y),
  fmod: orZero((x, y) => x % y),
  remainder: orZero((x, y) => x - y * floorQuotient(x, y)),
  floorDivide: orZero(floorQuotient),
  maximum: big((x, y) => (x > y ? x : y)),
  minimum: big((x, y) => (x < y ? x : y)),
  and: big((x, y) => x & y),
  or: big((x, y) => x | y),
  xor: big((x, y) => x ^ y),
  bitwiseLeftShift: big((x, y) => x << count(y)),
  bitwiseRightShift: big((x, y) => x >> count(y)),
  neg: big((x) => -x),
  abs: big((x) => (x < 0n ? -x : x)),
  not: big((x) => ~x),
  sign: big((x) => (x > 0n ? 1n : x < 0n ? -1n : 0n)),
};

const UNARY = ['neg', 'abs', 'not', 'sign'];
const wrapTo = {
  i32: (x: bigint) => BigInt.asIntN(32, x),
  u32: (x: bigint) => BigInt.asUintN(32, x),
} as const;

describe.each(DEVICES)('functions on %s', (device) => {
  test.each(Object.entries(FUNCTIONS))('%s over the whole range', async (name, op) => {
    await on(device);
    const { largest = Infinity, ulps, exponent } = op;
    const xs = [...EVERYWHERE, ...SPECIAL].filter((x) => !(Math.abs(x) > largest));
    const bound = (x: number): number =>
      ulps + (exponent && device === 'webgpu' ? 3 + 2 * Math.min(Math.abs(exponent(x)), 100) : 0);
    expectAll([xs], await apply(name, [xs]), op.f, bound);
  });

  test('infinite angles have no sine', async () => {
    await on(device);
    for (const name of ['sin', 'cos', 'tan'])
      expect(await apply(name, [INFINITY])).toEqual([NaN, NaN, NaN]);
  });

  test.each(['sin', 'cos'] as const)('%s of huge angles', async (name) => {
    await on(device);
    const xs = EVERYWHERE.filter((x) => Math.abs(x) > 100);
    const got = await apply(name, [xs]);
    const errors = got.map((y, i) => Math.abs(y - Math[name](xs[i]!)));
    expect(Math.max(...errors)).toBeLessThan(6e-7);
  });

  test.each(Object.entries(FUNCTIONS2))('%s of special pairs', async (name, op) => {
    await on(device);
    const [x, y] = pairs(NUMBERS);
    const kept = x.map((_, i) => !op.except?.(x[i]!, y[i]!));
    const columns = [x.filter((_, i) => kept[i]), y.filter((_, i) => kept[i])];
    expectAll(
      columns,
      await apply(name, columns),
      op.f as typeof Math.max,
      op.ulps as typeof Math.max,
    );
  });
});

describe.each([...DEVICES, 'reference'] as const)('numerics on %s', (device) => {
  test('comparisons with NaN are false, but for ≠', async () => {
    await on(device);
    const [x, y] = pairs([NaN, 0, -0, 1, -1, Infinity, -Infinity]);
    const compare: Record<string, (x: number, y: number) => boolean> = {
      lt: (a, b) => a < b,
      le: (a, b) => a <= b,
      gt: (a, b) => a > b,
      ge: (a, b) => a >= b,
      eq: (a, b) => a === b,
      ne: (a, b) => a !== b,
    };
    for (const [name, f] of Object.entries(compare))
      expectAll([x, y], await apply(name, [x, y]), (a, b) => Number(f(a!, b!)));
  });

  test('isNaN, isFinite, isInf', async () => {
    await on(device);
    expectAll([SPECIAL], await apply('isNaN', [SPECIAL]), (x) => Number(Number.isNaN(x)));
    expectAll([SPECIAL], await apply('isFinite', [SPECIAL]), (x) => Number(Number.isFinite(x)));
    expectAll([SPECIAL], await apply('isInf', [SPECIAL]), (x) => Number(Math.abs(x!) === Infinity));
  });

  test('rounding is to even, and 1/−0 is −∞', async () => {
    await on(device);
    const halves = [0.5, 1.5, 2.5, -0.5, -1.5, 8388609, 4194303.5, 0.49999997];
    expect(await apply('round', [halves]).then((r) => r.map((x) => x + 0))).toEqual([
      0, 2, 2, 0, -2, 8388609, 4194304, 0,
    ]);
    expect(await apply('reciprocal', [[-0, 0]])).toEqual([-Infinity, Infinity]);
  });

  test('remainders of huge quotients are exact', async () => {
    await on(device);
    const x = [1e30, 3e38, -1e20, 123456792, 1e10, 5e-40].map(Math.fround);
    const y = [3, 1e-30, 7.5, 0.1, -3e-5, 1].map(Math.fround);
    expectAll([x, y], await apply('fmod', [x, y]), (a, b) => a! % b!);
  });

  test.each(['i32', 'u32'] as const)(
    '%s wraps modulo 2³² and divides by zero to 0',
    async (dtype) => {
      await on(device);
      const [x, y] = pairs(INTEGERS[dtype]);
      for (const [name, f] of Object.entries(ON_INTEGERS)) {
        const columns = UNARY.includes(name) ? [x] : [x, y];
        const got = await apply(name, columns, dtype);
        expectAll([x, y], got, (a, b) => Number(wrapTo[dtype](f(a!, b!))));
      }
    },
  );

  test('floats saturate as integers, NaN is 0, all but 0 are true', async () => {
    await on(device);
    const xs = [0.9, -0.9, 2.5, -2.5, 3e9, -3e9, 5e9, 2147483520, 4294967040, ...SPECIAL];
    const to = async (dtype: DType): Promise<number[]> => [
      ...(await tensor(xs).cast(dtype).data()),
    ];
    const saturate = (low: number, high: number) => (x?: number) =>
      Number.isNaN(x) ? 0 : Math.min(high, Math.max(low, Math.trunc(x!)));
    expectAll([xs], await to('i32'), saturate(-(2 ** 31), 2 ** 31 - 1));
    expectAll([xs], await to('u32'), saturate(0, 2 ** 32 - 1));
    expectAll([xs], await to('bool'), (x) => Number(x !== 0));
  });

  test('integers convert to the nearest float, and to each other modulo 2³²', async () => {
    await on(device);
    const signed = [16777217, 16777219, -16777217, ...INTEGERS.i32];
    const unsigned = [16777217, 4294967167, 4294967168, ...INTEGERS.u32];
    const cast = async (x: number[], from: DType, to: DType): Promise<number[]> => [
      ...(await tensor(x, [x.length], from).cast(to).data()),
    ];
    expect((await cast(signed, 'i32', 'f32')).map(Math.fround)).toEqual(signed.map(Math.fround));
    expect((await cast(unsigned, 'u32', 'f32')).map(Math.fround)).toEqual(
      unsigned.map(Math.fround),
    );
    expect(await cast(signed, 'i32', 'u32')).toEqual(signed.map((x) => x >>> 0));
    expect(await cast(unsigned, 'u32', 'i32')).toEqual(unsigned.map((x) => x | 0));
    expect(await cast(signed, 'i32', 'bool')).toEqual(signed.map((x) => Number(x !== 0)));
  });

  test('16-bit floats round to even, overflow to infinity and keep subnormals', async () => {
    await on(device);
    const half = [
      65504,
      65519,
      65520,
      -1e6,
      2 ** -24,
      2 ** -25,
      3 * 2 ** -25,
      1 + 2 ** -11,
      NaN,
      Infinity,
    ];
    const f16 = [65504, 65504, Infinity, -Infinity, 2 ** -24, 0, 2 ** -23, 1, NaN, Infinity];
    expect([...(await tensor(half).cast('f16').data())]).toEqual(f16);
    const brain = [1 + 2 ** -8, 1 + 3 * 2 ** -8, MAX, -MAX, NaN, 3.3895e38];
    const bf16 = [1, 1 + 2 ** -6, Infinity, -Infinity, NaN, 3.3895313892515355e38];
    expect([...(await tensor(brain).cast('bf16').data())]).toEqual(bf16);
  });

  test('literals and host numbers may be special', async () => {
    await on(device);
    const read = async (x: Tensor): Promise<number[]> => [...(await x.data())];
    const one = tensor([1]);
    for (const value of [...INFINITY, 2 ** -126, MAX]) {
      expect(await read(full([2], value))).toEqual([value, value]);
      expect(await read(scalar(value))).toEqual([value]);
      expect(await read(one.mul(value))).toEqual([value]);
      expect(await read(one.mul(full([1], value)))).toEqual([value]);
      expect(await read(where(one.gt(0), value, one))).toEqual([value]);
    }
    expect(await read(full([1], 3e9, 'i32'))).toEqual([2 ** 31 - 1]);
    expect(await read(full([1], NaN, 'u32').add(full([1], -5, 'u32')))).toEqual([0]);
    expect(await read(tensor([3e9, -3e9, NaN, 1.9], [4], 'i32').pad([1], [0], -Infinity))).toEqual([
      -(2 ** 31),
      2 ** 31 - 1,
      -(2 ** 31),
      0,
      1,
    ]);
    expect(await read(tensor([NaN, 0], [2], 'bool'))).toEqual([1, 0]);
    expect(await read(full([1], 0.1, 'f16').mul(1))).toEqual([0.0999755859375]);
    expect(await read(scalar(0.1, 'bf16').mul(1))).toEqual([0.10009765625]);
    expect(await read(full([1], 0).mul(tensor([NaN])))).toEqual([NaN]);
  });

  test('clamp keeps NaN; bounds that cross give the upper one', async () => {
    await on(device);
    const x = tensor([NaN, -5, 0.5, 5, Infinity]);
    expect([...(await x.clamp(-1, 1).data())]).toEqual([NaN, -1, 0.5, 1, 1]);
    expect([...(await x.clamp(2, -2).data())]).toEqual([NaN, -2, -2, -2, -2]);
  });

  test('powers by 2, 3, ½ and −1 are exact', async () => {
    await on(device);
    const x = tensor([3, -7, 1e4]);
    expect([...(await x.pow(2).data())]).toEqual([9, 49, 1e8]);
    expect([...(await x.pow(3).data())].map(Math.fround)).toEqual(
      [27, -343, 1e12].map(Math.fround),
    );
    expect([...(await tensor([49, 0.25]).pow(0.5).data())]).toEqual([7, 0.5]);
    expect([...(await tensor([4, -2]).pow(-1).data())]).toEqual([0.25, -0.5]);
  });
});
