/** @file Composite ops and their meaning in plain JavaScript, independent of the engine's own definition. */
import type { Tensor } from '@camada/tensor';

/** One elementwise composite. */
export interface Composite {
  readonly apply: (x: Tensor) => Tensor;
  readonly meaning: (x: number) => number;
}

/** Φ by 4,000 trapezoids from 0, to about 1e-9: slow and obviously right. */
function normalCdf(x: number): number {
  const steps = 4000;
  const h = x / steps;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const t = i * h;
    sum += Math.exp((-t * t) / 2) * (i === 0 || i === steps ? 0.5 : 1);
  }
  return 0.5 + (sum * h) / Math.sqrt(2 * Math.PI);
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The elementwise composites. */
export const COMPOSITES: Record<string, Composite> = {
  square: { apply: (x) => x.square(), meaning: (x) => x * x },
  sigmoid: { apply: (x) => x.sigmoid(), meaning: sigmoid },
  relu: { apply: (x) => x.relu(), meaning: (x) => (x > 0 ? x : 0) },
  silu: { apply: (x) => x.silu(), meaning: (x) => x * sigmoid(x) },
  gelu: { apply: (x) => x.gelu(), meaning: (x) => x * normalCdf(x) },
  geluTanh: {
    apply: (x) => x.geluTanh(),
    meaning: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  },
  'gt 0.5': { apply: (x) => x.gt(0.5).cast('f32'), meaning: (x) => Number(x > 0.5) },
  'ge 0': { apply: (x) => x.ge(0).cast('f32'), meaning: (x) => Number(x >= 0) },
};
