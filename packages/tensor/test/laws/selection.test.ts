/** @file Selections that read a mask, padding modes by hand, and what movement and indexing refuse. */
import { describe, expect, test } from 'vitest';
import { IndexError, ShapeError, concat, maskedSelect, nonzero, tensor } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { DEVICES, on } from './devices.ts';

const numbers = (...shape: number[]): Tensor => {
  const size = shape.reduce((product, n) => product * n, 1);
  return tensor(
    Float32Array.from({ length: size }, (_, i) => i),
    shape,
  );
};

const list = async (x: Tensor): Promise<number[]> => [...(await x.data())];

describe.each([...DEVICES, 'reference'] as const)('selection on %s', (device) => {
  test('nonzero gives indices in order', async () => {
    await on(device);
    const found = await nonzero(tensor([0, 3, 0, 0, -1, NaN], [2, 3]));
    expect(found.shape).toEqual([3, 2]);
    expect(await list(found)).toEqual([0, 1, 1, 1, 1, 2]);
    expect((await nonzero(tensor([0, 0]))).shape).toEqual([0, 1]);
  });

  test('maskedSelect keeps what the mask holds', async () => {
    await on(device);
    const x = numbers(2, 3);
    expect(await list(await maskedSelect(x, x.gt(1.5)))).toEqual([2, 3, 4, 5]);
    const columns = tensor(Uint32Array.of(1, 0, 1), [3], 'bool');
    expect(await list(await maskedSelect(x, columns))).toEqual([0, 2, 3, 5]);
    await expect(maskedSelect(x, x)).rejects.toThrow(/mask must be bool/);
  });

  test("padding with an axis's own elements", async () => {
    await on(device);
    const x = numbers(4);
    expect(await list(x.pad([2], [3], 'reflect'))).toEqual([2, 1, 0, 1, 2, 3, 2, 1, 0]);
    expect(await list(x.pad([2], [1], 'replicate'))).toEqual([0, 0, 0, 1, 2, 3, 3]);
    expect(await list(x.pad([2], [4], 'circular'))).toEqual([2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    const corner = numbers(2, 2).pad([1, 1], [0, 0], 'reflect');
    expect(await list(corner)).toEqual([3, 2, 3, 1, 0, 1, 3, 2, 3]);
  });

  test('padding is an element of the type', async () => {
    await on(device);
    const x = tensor(Int32Array.of(-7, -9), [1, 1, 2]);
    expect(await list(x.pad([0, 0, 1], [0, 0, 1], 0.7))).toEqual([0, -7, -9, 0]);
    expect(await list(x.maxPool1d(2, { padding: 1 }))).toEqual([-7, -9]);
    const flags = tensor(Uint32Array.of(0, 1), [2], 'bool');
    expect(await list(flags.pad([1], [0], 5))).toEqual([1, 0, 1]);
  });

  test('of several updates of one place the last stays', async () => {
    await on(device);
    const index = tensor(Int32Array.of(1, 1, 0, 1), [4]);
    const source = tensor([10, 20, 30, 40]);
    expect(await list(numbers(3).scatter(0, index, source))).toEqual([30, 40, 2]);
    expect(await list(numbers(3).scatter(0, index, 7))).toEqual([7, 7, 2]);
  });

  test('an index computed on the device is ignored where it writes', async () => {
    await on(device);
    const index = tensor(Int32Array.of(-1, 1, 9)).add(0);
    const source = tensor([1, 2, 4]);
    expect(await list(numbers(3).scatterAdd(0, index, source))).toEqual([0, 3, 2]);
    expect(await list(numbers(3).scatter(0, index, source))).toEqual([0, 2, 2]);
    expect(await list(numbers(3).indexAdd(0, index, source))).toEqual([0, 3, 2]);
  });

  test('twenty parts joined are the parts', async () => {
    await on(device);
    const parts = Array.from({ length: 20 }, (_, i) => numbers(2, i % 3).add(10 * i));
    const joined = concat(parts, 1);
    let start = 0;
    for (const part of parts) {
      const own = joined.narrow(1, start, part.shape[1]!);
      expect(await list(own)).toEqual(await list(part));
      start += part.shape[1]!;
    }
  });
});

const index = (...values: number[]): Tensor => tensor(Int32Array.from(values));

describe('what is refused', () => {
  const x = numbers(3, 4);
  test.each([
    ['a step of 0', () => x.slice(0, 0, 2, 0), /step must be a whole number other than 0/],
    ['a slice past the end', () => x.slice(1, 0, 9), /leaves axis 1 of \[3, 4\]/],
    ['a backwards slice from outside', () => x.slice(1, 4, undefined, -1), /leaves axis 1/],
    ['a narrow past the end', () => x.narrow(0, 2, 2), /do not lie on axis 0/],
    ['sizes that do not fill', () => x.split([1, 1], 0), /do not add up/],
    ['a window too large', () => x.unfold(0, 4, 1), /do not fit axis 0/],
    ['a mirror too short', () => x.pad([3, 0], [0, 0], 'reflect'), /reflect cannot take 3/],
    ['negative padding', () => x.pad([-1, 0], [0, 0]), /none negative/],
    ['a skew too long', () => x.shear(0, 1, 2), /cannot be skewed/],
    ['a doubled axis', () => x.movedim([0, 0], [0, 1]), /each once/],
    ['a triangle of a vector', () => numbers(3).tril(), /wants a matrix/],
    ['other axes in concat', () => concat([x, numbers(3)], 0), /does not join/],
    ['an index of another rank', () => x.takeAlongAxis(index(0), 0), /as many axes/],
    [
      'a source too small',
      () => x.scatter(0, index(0, 1).reshape([1, 2]), numbers(1, 1)),
      /smaller/,
    ],
    ['an index matrix', () => x.indexSelect(0, index(0, 1).reshape([1, 2])), /must be a vector/],
  ])('%s', (_, run, message) => {
    expect(run).toThrow(ShapeError);
    expect(run).toThrow(message);
  });

  test.each([
    ['gather', () => x.gather(index(0, 3))],
    ['indexSelect', () => x.indexSelect(1, index(4))],
    ['takeAlongAxis', () => x.takeAlongAxis(index(0, -1).reshape([1, 2]), 0)],
    ['scatterAdd', () => x.scatterAdd(0, index(3).reshape([1, 1]), 1)],
    ['scatter', () => x.scatter(0, index(-1).reshape([1, 1]), 1)],
    ['indexAdd', () => x.indexAdd(0, index(5), numbers(1, 4))],
  ])('a host index outside in %s', (_, run) => {
    expect(run).toThrow(IndexError);
    expect(run).toThrow(/outside an axis/);
  });
});
