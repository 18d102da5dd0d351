/** @file Products by subscripts: how many kernels they take, sizes that broadcast, and what is refused. */
import { describe, expect, test } from 'vitest';
import { ShapeError, einsum, realize, tensor } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { DEVICES, on } from './devices.ts';
import { values } from './generate.ts';

const input = (...shape: number[]): Tensor => tensor(values(shape, shape.length).data, shape);

describe.each(DEVICES)('einsum on %s', (device) => {
  test.each([
    ['a product of transposed matrices', 1, () => einsum('ji,kj->ik', input(4, 5), input(6, 4))],
    [
      'attention scores over heads in place',
      1,
      () => einsum('bqhd,bkhd->bhqk', input(2, 5, 3, 4), input(2, 6, 3, 4)),
    ],
    ['a trace', 1, () => einsum('ii', input(7, 7))],
    [
      'a chain, from its small end',
      2,
      () => einsum('a,ab,bc->c', input(9), input(9, 50), input(50, 8)),
    ],
  ])('%s: %i kernels', async (_, kernels, run) => {
    const engine = await on(device);
    const before = engine.counters.kernels;
    await realize([run()]);
    expect(engine.counters.kernels - before).toBe(kernels);
  });

  test('axes of size 1 broadcast', async () => {
    await on(device);
    const [x, y] = [input(3, 1), input(1, 4)];
    const product = einsum('ij,ij->ij', x, y);
    expect(product.shape).toEqual([3, 4]);
    expect([...(await product.data())]).toEqual([...(await x.mul(y).data())]);
  });
});

describe('what is refused', () => {
  const m = input(3, 4);
  test.each([
    ['a term too many', () => einsum('ij,jk->ik', m), /2 terms for 1 operands/],
    ['a rank', () => einsum('ijk->i', m), /does not name the 2 axes/],
    ['sizes', () => einsum('ij,ji->i', m, m), /axis '[ij]' is/],
    ['a diagonal', () => einsum('ii', m), /differ: 3 and 4/],
    ['an unknown letter', () => einsum('ij->k', m), /'k' of the result is in no operand/],
    ['a doubled letter', () => einsum('ij->ii', m), /names an axis twice/],
    ['other signs', () => einsum('i1->i', m), /must be letters/],
    ['two arrows', () => einsum('ij->i->j', m), /more than one ->/],
    ['inner sizes', () => m.matmul(m), /inner sizes differ/],
    ['a scalar', () => m.matmul(tensor([1], [])), /use mul with scalars/],
    ['a dot of matrices', () => m.dot(m), /two vectors/],
    ['an outer product of matrices', () => m.outer(m), /two vectors/],
    ['axes of tensordot', () => m.tensordot(m, 1), /do not fit/],
  ])('%s', (_, run, message) => {
    expect(run).toThrow(ShapeError);
    expect(run).toThrow(message);
  });
});
