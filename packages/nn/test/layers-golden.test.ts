/** @file Every layer's output and gradients against PyTorch's, written by `tools/oracle/layers.py`. */
import { grad } from '@camada/autograd';
import { tensor, type Shape, type Tensor } from '@camada/tensor';
import { describe, expect, test } from 'vitest';
import {
  attention,
  Conv1D,
  createContext,
  Dropout,
  Embedding,
  groupedAttention,
  LayerNorm,
  Linear,
  meanPool,
  RMSNorm,
  rotate,
  RotaryTables,
  setParameter,
  type Module,
} from '@camada/nn';
import { DEVICES, goldenJson, maxDifference, on } from './support.ts';

interface Golden {
  readonly shape: Shape;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly upstream: readonly number[];
  readonly output: readonly number[];
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

type Inputs = Readonly<Record<string, Tensor>>;

const GOLDENS = goldenJson<Record<string, Golden>>('layers.json');
const context = createContext({});
const none = new Dropout(0);
const HEADS = [2, 4, 5, 6];
const FEW = [2, 2, 5, 6];
const BIAS = [2, 1, 5, 5];
const X = [2, 5, 6];

/** A module with the golden's parameters in place. */
function filled<M extends Module>(module: M, { weight, bias }: Inputs): M {
  if (weight) setParameter(module, 'weight', weight);
  if (bias) setParameter(module, 'bias', bias);
  return module;
}

interface Case {
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly run: (inputs: Inputs) => Tensor;
}

const LAYERS: Readonly<Record<string, Case>> = {
  Linear: {
    shapes: { x: X, weight: [4, 6], bias: [4] },
    run: (p) => filled(new Linear(6, 4), p).call(p['x']!),
  },
  Conv1D: {
    shapes: { x: X, weight: [6, 4], bias: [4] },
    run: (p) => filled(new Conv1D(6, 4), p).call(p['x']!),
  },
  Embedding: {
    shapes: { weight: [4, 6] },
    run: (p) =>
      filled(new Embedding(4, 6), p).call(tensor(Int32Array.of(3, 0, 3, 1, 2, 3), [2, 3])),
  },
  LayerNorm: {
    shapes: { x: X, weight: [6], bias: [6] },
    run: (p) => filled(new LayerNorm(6, 1e-12), p).call(p['x']!),
  },
  RMSNorm: {
    shapes: { x: X, weight: [6] },
    run: (p) => filled(new RMSNorm(6, 1e-6), p).call(p['x']!),
  },
  attention: {
    shapes: { q: HEADS, k: HEADS, v: HEADS, bias: BIAS },
    run: ({ q, k, v, bias }) => attention(q!, k!, v!, bias!, none, context),
  },
  softCapped: {
    shapes: { q: HEADS, k: HEADS, v: HEADS, bias: BIAS },
    run: ({ q, k, v, bias }) => attention(q!, k!, v!, bias!, none, context, { softcap: 5 }),
  },
  groupedAttention: {
    shapes: { q: HEADS, k: FEW, v: FEW, bias: BIAS },
    run: ({ q, k, v, bias }) => groupedAttention(q!, k!, v!, bias!, none, context),
  },
  rotate: { shapes: { x: HEADS }, run: ({ x }) => rotate(x!, new RotaryTables(6).at(5)) },
  meanPool: {
    shapes: { x: X },
    run: ({ x }) => meanPool(x!, tensor(Int32Array.of(1, 1, 1, 0, 0, 1, 1, 1, 1, 1), [2, 5])),
  },
};

describe.each(DEVICES)('layers of PyTorch on %s', (device) => {
  test.each(Object.keys(LAYERS))('%s', async (name) => {
    await on(device);
    const golden = GOLDENS[name]!;
    const { shapes, run } = LAYERS[name]!;
    const inputs = Object.fromEntries(
      Object.entries(shapes).map(([key, shape]) => [key, tensor(golden.inputs[key]!, shape)]),
    );
    const output = run(inputs);
    expect(output.size).toBe(golden.output.length);
    const upstream = tensor(golden.upstream, output.shape);
    const names = Object.keys(golden.gradients);
    const gradients = grad(
      output.mul(upstream).sum(),
      names.map((key) => inputs[key]!),
    );
    expect(maxDifference(await output.data(), golden.output)).toBeLessThan(1e-5);
    for (const [i, key] of names.entries())
      expect(maxDifference(await gradients[i]!.data(), golden.gradients[key]!), key).toBeLessThan(
        5e-5,
      );
  });
});

test('every layer has a golden', () => {
  expect(Object.keys(GOLDENS).sort()).toEqual(Object.keys(LAYERS).sort());
});
