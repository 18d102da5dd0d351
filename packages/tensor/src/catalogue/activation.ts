/** @file Records of the activation functions. */
import type { ActivationMethods } from '../methods/activation.ts';
import type { ElementwiseMethods } from '../methods/elementwise.ts';
import type { Tensor } from '../tensor.ts';
import { elementwiseRecord } from './elementwise.ts';
import type { OpRecord, Records } from './record.ts';

function activation(name: keyof ActivationMethods<Tensor>, f: (x: number) => number): OpRecord {
  return elementwiseRecord(name, { f, domains: ['nonzero'], tolerance: 1e-5 });
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
};
