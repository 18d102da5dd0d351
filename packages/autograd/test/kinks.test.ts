/**
 * @file Gradients where a derivative jumps, is infinite, or where a formula overflows on its way: the numbers are
 * PyTorch 2.9's (`torch.autograd.grad` of the sum).
 */
import { tensor } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { expect, test } from 'vitest';
import { DEVICES, on } from '../../tensor/test/laws/devices.ts';
import { grad } from '../src/index.ts';

type Row = readonly [
  name: string,
  inputs: readonly (readonly number[])[],
  gradients: readonly (readonly number[])[],
];

/** Two operands, or their gradients. */
const pair = (x: readonly number[], y: readonly number[]): Row[1] => [x, y];

const ROWS: readonly Row[] = [
  ['abs', [[0, -2, 3]], [[0, -1, 1]]],
  ['relu', [[0, NaN, 1]], [[0, 1, 1]]],
  ['relu6', [[0, 6, 3, NaN]], [[0, 0, 1, 1]]],
  ['hardtanh', [[-1, 1, 0.5, NaN]], [[0, 0, 1, 1]]],
  ['hardswish', [[-3, 3, 0]], [[0, 1, 0.5]]],
  ['hardsigmoid', [[-3, 3, 0]], [[0, 0, 1 / 6]]],
  ['leakyRelu', [[0, -1, 1]], [[0.01, 0.01, 1]]],
  ['elu', [[0, -100, 100]], [[1, 0, 1]]],
  ['celu', [[0, -100, 100]], [[1, 0, 1]]],
  ['selu', [[0, -100, 100]], [[1.7580993, 0, 1.050701]]],
  ['softplus', [[0, -100, 100, 20]], [[0.5, 0, 1, 1]]],
  ['logSigmoid', [[0, -100, 100]], [[0.5, 1, 0]]],
  ['mish', [[0, -100, 100]], [[0.6, 0, 1]]],
  ['sigmoid', [[0, -100, 100]], [[0.25, 0, 0]]],
  ['silu', [[0, -100, 100]], [[0.5, 0, 1]]],
  ['gelu', [[0, -100, 100]], [[0.5, 0, 1]]],
  ['geluTanh', [[0, -100, 100]], [[0.5, 0, 1]]],
  ['sqrt', [[0, 4]], [[Infinity, 0.25]]],
  ['log', [[0, 1]], [[Infinity, 1]]],
  ['log1p', [[-1, 0]], [[Infinity, 1]]],
  ['expm1', [[0, -100]], [[1, 0]]],
  ['asin', [[1, -1, 0]], [[Infinity, Infinity, 1]]],
  ['acos', [[1, -1, 0]], [[-Infinity, -Infinity, -1]]],
  ['acosh', [[1, 2]], [[Infinity, 0.5773503]]],
  ['atanh', [[1, 0]], [[Infinity, 1]]],
  ['asinh', [[0, 1e20]], [[1, 0]]],
  ['sinh', [[0, 100]], [[1, Infinity]]],
  ['cosh', [[0, -100]], [[0, -Infinity]]],
  ['sign', [[0, 2]], [[0, 0]]],
  ['round', [[0.5]], [[0]]],
  ['frac', [[1, 0.5]], [[1, 1]]],
  ['softsign', [[0, -1]], [[1, 0.25]]],
  ['maximum', pair([1, 2, NaN], [1, 3, 0]), pair([0.5, 0, 1], [0.5, 1, 1])],
  ['minimum', pair([1, 2, NaN], [1, 3, 0]), pair([0.5, 1, 1], [0.5, 0, 1])],
  ['atan2', pair([0, 0, 1], [1, -1, 0]), pair([1, -1, 0], [0, 0, -1])],
  ['hypot', pair([0, 3], [2, 4]), pair([0, 0.6], [1, 0.8])],
  ['copysign', pair([0, -2], [1, 1]), pair([0, -1], [0, 0])],
  ['fmod', pair([7, -7], [3, 2]), pair([1, 1], [-2, 3])],
  ['remainder', pair([7, -7], [3, 2]), pair([1, 1], [-2, 4])],
  ['pow', pair([-2, 0, 0], [3, 2, 0]), pair([12, 0, 0], [NaN, 0, 0])],
  ['div', pair([1, 0], [0, 0]), pair([Infinity, Infinity], [-Infinity, NaN])],
];

const close = (x: number): unknown => (Number.isFinite(x) ? expect.closeTo(x, 5) : x);

test.each(DEVICES)('gradients at kinks and ends are those of PyTorch, on %s', async (device) => {
  await on(device);
  for (const [name, inputs, gradients] of ROWS) {
    const [x, ...rest] = inputs.map((values) => tensor(values)) as [Tensor, ...Tensor[]];
    const y = (x[name as 'maximum'] as (...rest: Tensor[]) => Tensor)(...rest);
    const found = grad(y.sum(), [x, ...rest]);
    for (const [i, g] of found.entries())
      expect([...(await g.data())], `${name}, operand ${i}`).toEqual(gradients[i]!.map(close));
  }
});

test('bounds of clamp pass the gradient', async () => {
  await on('wasm');
  const x = tensor([-1, 1, 2]);
  const [g] = grad(x.clamp(-1, 1).sum(), [x]);
  expect([...(await g!.data())]).toEqual([1, 1, 0]);
});
