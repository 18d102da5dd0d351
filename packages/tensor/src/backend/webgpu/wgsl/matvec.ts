/**
 * @file A matmul with few results and a long sum, rewritten as a row kernel: one row for each result, its
 * elements the products. Tiles would leave most of the device idle there.
 */
import type { Affine, MatmulKernel, Operand, RowKernel, Value } from '../../../schedule/kernel.ts';
import { withAffine } from './collapse.ts';

/** The same computation as a row kernel over [...batch, M, N, K]. K must not be 0. */
export function asRows(kernel: MatmulKernel): RowKernel {
  const first = kernel.values.length;
  const widen = (at: Affine): Affine => ({ offset: at.offset, strides: [...at.strides, 0] });
  const values = kernel.values.map((value) => withAffine(toAccumulator(value), widen));
  const { a, b } = kernel;
  return {
    kind: 'row',
    label: kernel.label,
    buffers: kernel.buffers,
    loop: [...kernel.loop, kernel.inner],
    rowAxes: 1,
    values: [
      ...values,
      load(a, [...a.batch, a.row, 0, a.column]),
      load(b, [...b.batch, 0, b.column, b.row]),
      { kind: 'op', op: 'mul', dtype: 'f32', args: [first, first + 1] },
    ],
    stages: [{ accumulators: [{ reduce: 'sum', dtype: 'f32', value: first + 2 }] }],
    stores: kernel.stores.map((store) => ({ ...store, at: widen(store.at) })),
  };
}

function toAccumulator(value: Value): Value {
  if (value.kind !== 'product') return value;
  return { kind: 'accumulator', dtype: 'f32', stage: 0, slot: 0 };
}

function load(operand: Operand, strides: readonly number[]): Value {
  return {
    kind: 'load',
    dtype: 'f32',
    from: operand.from,
    at: { offset: operand.offset, strides },
  };
}
