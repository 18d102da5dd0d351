/** @file The accuracy table of docs/numerics.md: relative errors over the whole range of f32, and pairs of special numbers. */
import { describe, expect, test } from 'vitest';
import { erf, erfc } from '../../src/ops/special.ts';
import { DEVICES, on } from './devices.ts';
import { EVERYWHERE, INFINITY, SPECIAL, apply, expectAll, pairs, tiny } from './special.ts';

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
