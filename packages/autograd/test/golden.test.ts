import { readFileSync } from 'node:fs';
import { tensor } from '@camada/tensor';
import type { Shape, Tensor } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { grad } from '../src/index.ts';
import './helpers.ts';

/** PyTorch's values and gradients for Σ upstream·op(inputs); written by tools/oracle. */
interface Golden {
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly upstream: readonly number[];
  readonly output: readonly number[];
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

const GOLDEN = JSON.parse(
  readFileSync(new URL('./golden/ops.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Golden>>;

const EPSILON = { layerNorm: 1e-5, rmsNorm: 1e-5 };

const OPS: Readonly<Record<string, (x: Readonly<Record<string, Tensor>>) => Tensor>> = {
  gelu: ({ x }) => x!.gelu(),
  geluTanh: ({ x }) => x!.geluTanh(),
  silu: ({ x }) => x!.silu(),
  sigmoid: ({ x }) => x!.sigmoid(),
  tanh: ({ x }) => x!.tanh(),
  erf: ({ x }) => x!.erf(),
  softmax: ({ x }) => x!.softmax(),
  logSoftmax: ({ x }) => x!.logSoftmax(),
  logSumExp: ({ x }) => x!.logSumExp(),
  layerNorm: ({ x, weight, bias }) => {
    const centred = x!.sub(x!.mean(-1, true));
    const scale = x!.variance(-1, true).add(EPSILON.layerNorm).rsqrt();
    return centred.mul(scale).mul(weight!).add(bias!);
  },
  rmsNorm: ({ x, weight }) => {
    const scale = x!.square().mean(-1, true).add(EPSILON.rmsNorm).rsqrt();
    return x!.mul(scale).mul(weight!);
  },
};

const ROWS = [7, 9];

function toTensors(golden: Golden): Record<string, Tensor> {
  const shapeOf = (data: readonly number[]): Shape => (data.length === 63 ? ROWS : [data.length]);
  const entries = Object.entries(golden.inputs);
  return Object.fromEntries(entries.map(([name, data]) => [name, tensor(data, shapeOf(data))]));
}

/** Largest |got − expected| / (1 + |expected|); NaN counts as infinite. */
function distance(got: ArrayLike<number>, expected: readonly number[]): number {
  const errors = expected.map((e, i) => Math.abs(got[i]! - e) / (1 + Math.abs(e)));
  return errors.reduce((worst, e) => Math.max(worst, Number.isNaN(e) ? Infinity : e), 0);
}

describe('values and gradients of PyTorch', () => {
  it.each(Object.keys(OPS))('%s', async (name) => {
    const golden = GOLDEN[name]!;
    const inputs = toTensors(golden);
    const result = OPS[name]!(inputs);
    const loss = result.mul(tensor(golden.upstream, result.shape)).sum();
    const names = Object.keys(golden.gradients);
    const gradients = grad(
      loss,
      names.map((n) => inputs[n]!),
    );
    expect(distance(await result.data(), golden.output)).toBeLessThan(1e-5);
    for (const [i, n] of names.entries())
      expect(distance(await gradients[i]!.data(), golden.gradients[n]!), n).toBeLessThan(2e-5);
  });
});
