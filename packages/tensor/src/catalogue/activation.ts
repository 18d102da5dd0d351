/** @file Records of the activation functions. */
import type { ActivationMethods } from '../methods/activation.ts';
import type { ElementwiseMethods } from '../methods/elementwise.ts';
import type { Tensor } from '../tensor.ts';
import { elementwiseRecord } from './elementwise.ts';
import type { OpRecord, Records } from './record.ts';

function activation(
  name: keyof ActivationMethods<Tensor>,
  f: (x: number, ...numbers: number[]) => number,
  settings: readonly (readonly number[])[] = [[]],
): OpRecord {
  return elementwiseRecord(name, { f, domains: ['nonzero'], tolerance: 1e-5, settings });
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Φ by Simpson's rule from 0, to about 1e-9: slow and obviously right. */
function normalCdf(x: number): number {
  const steps = 200;
  const h = x / steps;
  const f = (i: number): number => Math.exp(-((i * h) ** 2) / 2);
  let sum = f(0) + f(steps);
  for (let i = 1; i < steps; i++) sum += f(i) * (i % 2 === 1 ? 4 : 2);
  return 0.5 + (sum * h) / 3 / Math.sqrt(2 * Math.PI);
}

const softplus = (x: number): number => Math.log(1 + Math.exp(x));
const elu = (x: number, alpha = 1): number => (x > 0 ? x : alpha * (Math.exp(x) - 1));
const between = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));
const hardsigmoid = (x: number): number => between(x + 3, 0, 6) / 6;

/** Records of the activation functions. */
export const ACTIVATION_OPS: Records<ActivationMethods<Tensor>, ElementwiseMethods<Tensor>> = {
  sigmoid: activation('sigmoid', sigmoid),
  relu: activation('relu', (x) => (x > 0 ? x : 0)),
  gelu: activation('gelu', (x) => x * normalCdf(x)),
  geluTanh: activation(
    'geluTanh',
    (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  ),
  silu: activation('silu', (x) => x * sigmoid(x)),
  logSigmoid: activation('logSigmoid', (x) => Math.log(sigmoid(x))),
  softplus: activation(
    'softplus',
    (x, beta = 1, threshold = 20) => (x * beta > threshold ? x : softplus(x * beta) / beta),
    [[], [2], [0.5, 1.7]],
  ),
  mish: activation('mish', (x) => x * Math.tanh(softplus(x))),
  relu6: activation('relu6', (x) => between(x, 0, 6)),
  hardtanh: activation('hardtanh', (x, low = -1, high = 1) => between(x, low, high), [
    [],
    [-2, 0.7],
  ]),
  hardsigmoid: activation('hardsigmoid', hardsigmoid),
  hardswish: activation('hardswish', (x) => x * hardsigmoid(x)),
  leakyRelu: activation('leakyRelu', (x, slope = 0.01) => (x > 0 ? x : x * slope), [[], [0.3]]),
  elu: activation('elu', elu, [[], [1.4]]),
  celu: activation('celu', (x, alpha = 1) => (x > 0 ? x : elu(x / alpha, alpha)), [[], [2.5]]),
  selu: activation('selu', (x) => 1.0507009873554805 * elu(x, 1.6732632423543772)),
  softsign: activation('softsign', (x) => x / (1 + Math.abs(x))),
};
