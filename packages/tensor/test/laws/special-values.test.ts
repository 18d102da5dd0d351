/**
 * @file The rules of docs/numerics.md, on every device: NaN, infinities, zeros, the largest and smallest
 * numbers, integer overflow and division by zero.
 */
import { describe, expect, test } from 'vitest';
import { full, scalar, tensor, where } from '@camada/tensor';
import type { DType, Tensor } from '@camada/tensor';
import { DEVICES, on } from './devices.ts';
import { INFINITY, MAX, SPECIAL, apply, expectAll, pairs } from './special.ts';

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

  test('functions of integers are those of floats', async () => {
    await on(device);
    const names =
      'gelu geluTanh silu sigmoid mish softplus hardswish softsign elu selu exp tanh sinh asinh log10 atan';
    for (const name of names.split(' '))
      expect(await apply(name, [[-2, 0, 3]], 'i32'), name).toEqual(await apply(name, [[-2, 0, 3]]));
    const [a, b, w] = [3, -7, 1].map((x) => tensor([x], [1], 'i32'));
    expect([...(await a!.lerp(b!, w!).data())]).toEqual([-7]);
    expect([...(await a!.lerp(b!, 0.25).data())]).toEqual([0.5]);
    expect([...(await a!.hypot(b!.sub(-3)).data())]).toEqual([5]);
  });
});
