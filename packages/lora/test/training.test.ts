/** @file Training with adapters: only they get gradients, the backward pass stops at the lowest, runs repeat to the bit. */
import { grad, gradcheck } from '@camada/autograd';
import {
  addedNumbers,
  AdapterLayer,
  injectLora,
  LoraPart,
  type Adapter,
  type LoraOptions,
} from '@camada/lora';
import {
  AdamW,
  countParameters,
  createContext,
  getModule,
  Linear,
  namedParameters,
  type Batch,
  type HeadModel,
} from '@camada/nn';
import { realize, tensor, type Node, type Tensor } from '@camada/tensor';
import { beforeAll, describe, expect, test } from 'vitest';
import { batchOf, maxDifference, numbers, on, recorded, tiny } from './support.ts';

const OPTIONS: LoraOptions = {
  target_modules: ['query', 'value'],
  r: 4,
  lora_alpha: 8,
  modules_to_save: ['classifier'],
};

beforeAll(() => on('wasm'));

/** Matrix products that computing these tensors takes. */
function matmuls(wanted: readonly Tensor[]): number {
  const nodes = new Set<Node>(wanted.map(({ node }) => node));
  for (const node of nodes) for (const input of node.inputs) nodes.add(input);
  return [...nodes].filter(({ op }) => op === 'matmul').length;
}

interface Step {
  readonly loss: Tensor;
  readonly gradients: Tensor[];
}

function step(model: HeadModel, batch: Batch, wanted: readonly Tensor[], number = 0): Step {
  const context = createContext({ training: true, seed: 3, step: number });
  const loss = model.loss(model.call(batch, context), batch);
  return { loss, gradients: grad(loss, wanted) };
}

describe('the backward pass stops at the lowest adapted layer', () => {
  /** What a step takes with adapters in these layers; undefined trains the whole model. */
  async function cost(layers?: number[]): Promise<{ matmuls: number; kernels: number }> {
    const device = await on('wasm');
    const model = await tiny('bert-classifier');
    const batch = await batchOf(await recorded('bert'));
    const parameters = layers
      ? (await injectLora(model, { ...OPTIONS, layers_to_transform: layers })).trainable
      : namedParameters(model);
    const { loss, gradients } = step(model, batch, [...parameters.values()]);
    const found = matmuls([loss, ...gradients]);
    const { kernels } = device.counters;
    await realize([loss, ...gradients]);
    return { matmuls: found, kernels: device.counters.kernels - kernels };
  }

  test('counted in matrix products', async () => {
    // Forward: 6 linear layers and 2 products of attention in each of 3 blocks, pooler, classifier.
    const forward = 3 * 8 + 2;
    // Back to the top block: dW and dX of the classifier, dX of the pooler.
    const head = 3;
    // Lowest adapted block: dX of both feed-forward layers and the output, dP, dV, dQ; dA, dB and B's dX, twice.
    const lowest = 3 + 3 + 6;
    // A block above it: also dK, dX of query, key and value, and A's dX, twice.
    const above = lowest + 1 + 3 + 2;
    const lora = 4; // A·x and B·(A·x), twice
    expect((await cost([2])).matmuls).toBe(forward + lora + head + lowest);
    expect((await cost([1, 2])).matmuls).toBe(forward + 2 * lora + head + lowest + above);
    expect((await cost([0, 1, 2])).matmuls).toBe(forward + 3 * lora + head + lowest + 2 * above);
    expect((await cost([0])).matmuls).toBe(forward + lora + head + lowest + 2 * (above - 6 - 2));
    // Full: dX and dW of everything.
    expect((await cost()).matmuls).toBe(3 * forward);
  });

  test('counted in kernels', async () => {
    const full = (await cost()).kernels;
    const all = (await cost([0, 1, 2])).kernels;
    const upper = (await cost([1, 2])).kernels;
    const last = (await cost([2])).kernels;
    expect(all).toBeLessThan(full);
    expect(upper).toBeLessThan(0.85 * all);
    expect(last).toBeLessThan(0.75 * upper);
  });

  test('what trains is all of the adapter and nothing else', async () => {
    const model = await tiny('bert-classifier');
    const batch = await batchOf(await recorded('bert'));
    const adapter = await injectLora(model, { ...OPTIONS, layers_to_transform: [1] });
    const { gradients } = step(model, batch, [...adapter.trainable.values()]);
    await realize(gradients);
    for (const [i, name] of [...adapter.trainable.keys()].entries()) {
      const largest = Math.max(...(await gradients[i]!.data()).map(Math.abs));
      // B is zero at first, so A's gradient is too.
      if (name.endsWith('lora_A.weight')) expect(largest, name).toBe(0);
      else expect(largest, name).toBeGreaterThan(1e-4);
    }
    // 32,422 and 1,123 are PEFT's totals for two layers, with its copy of the head.
    expect(countParameters(model) + addedNumbers(adapter)).toBe(32_422 - 1_123 + 2 * 2 * 4 * 32);
    const trained = [...adapter.trainable.values()].reduce((sum, { size }) => sum + size, 0);
    expect(trained).toBe(2 * 2 * 4 * 32 + 3 * 32 + 3);
  });
});

describe('a run', () => {
  const STEPS = 30;

  interface Run {
    readonly model: HeadModel;
    readonly adapter: Adapter;
    readonly losses: number[];
  }

  async function start(): Promise<Run & { readonly next: () => Promise<void> }> {
    const model = await tiny('bert-classifier');
    const batch = await batchOf(await recorded('bert'));
    const adapter = await injectLora(model, { ...OPTIONS, lora_dropout: 0.1 }, 5);
    const optimizer = new AdamW(adapter.trainable);
    const wanted = [...adapter.trainable.values()];
    const losses: number[] = [];
    const next = async (): Promise<void> => {
      const { loss, gradients } = step(model, batch, wanted, losses.length);
      optimizer.step(gradients, 1e-2);
      await realize([loss]);
      losses.push(await loss.item());
    };
    return { model, adapter, losses, next };
  }

  async function run(): Promise<Run> {
    const begun = await start();
    for (let i = 0; i < STEPS; i++) await begun.next();
    return begun;
  }

  async function values(tensors: Iterable<Tensor>): Promise<number[][]> {
    const result: number[][] = [];
    for (const x of tensors) result.push([...(await x.data())]);
    return result;
  }

  test('lowers the loss, repeats to the bit, and leaves the base alone', async () => {
    const base = await tiny('bert-classifier');
    const first = await run();
    const { losses, adapter, model } = first;
    const mean = (part: number[]): number => part.reduce((sum, x) => sum + x, 0) / part.length;
    expect(mean(losses.slice(-5))).toBeLessThan(0.5 * mean(losses.slice(0, 5)));
    const second = await run();
    expect(second.losses).toEqual(losses);
    expect(await values(second.adapter.trainable.values())).toEqual(
      await values(adapter.trainable.values()),
    );
    for (const [name, parameter] of namedParameters(base)) {
      const path = name.slice(0, name.lastIndexOf('.'));
      const now = adapter.layers.has(path)
        ? (getModule(model, `${path}.base_layer`) as Linear)[
            name.endsWith('bias') ? 'bias' : 'weight'
          ]!
        : (adapter.saved.get(name)?.base ?? namedParameters(model).get(name)!);
      expect(await now.data(), name).toEqual(await parameter.data());
    }
  });

  test('is one program a step, compiled once, and holds no more memory', async () => {
    const device = await on('wasm');
    const { next } = await start();
    for (let i = 0; i < 3; i++) await next();
    globalThis.gc!();
    await new Promise((done) => setTimeout(done, 10));
    const { compiled, submits } = device.counters;
    const { live } = device.memory();
    for (let i = 0; i < 20; i++) await next();
    expect(device.counters.compiled).toBe(compiled);
    expect(device.counters.submits - submits).toBe(20);
    globalThis.gc!();
    await new Promise((done) => setTimeout(done, 10));
    // A few losses may wait for the collector; a copy of the trained parameters would be 8 kB a step.
    expect(device.memory().live - live).toBeLessThan(4096);
  });
});

describe('one layer', () => {
  interface Wrapped {
    readonly base: Linear;
    readonly part: LoraPart;
    readonly layer: AdapterLayer;
  }

  function wrapped(dropout: number, inputs: readonly Tensor[] = []): Wrapped {
    const base = new Linear(5, 4);
    const fill = (shape: number[], seed: number): Tensor =>
      tensor(
        numbers(
          shape.reduce((n, size) => n * size, 1),
          seed,
        ),
        shape,
      );
    (base as { weight: Tensor }).weight = inputs[3] ?? fill([4, 5], 3);
    (base as { bias?: Tensor }).bias = fill([4], 4);
    const [, a = fill([2, 5], 1), b = fill([4, 2], 2)] = inputs;
    const part = new LoraPart(a, b, { scale: 1.5, dropout });
    const layer = new AdapterLayer(base);
    layer.add('default', part);
    return { base, part, layer };
  }

  const point = (): Tensor[] => [
    tensor(numbers(15, 10), [3, 5]),
    tensor(numbers(10, 11), [2, 5]),
    tensor(numbers(8, 12), [4, 2]),
    tensor(numbers(20, 13), [4, 5]),
  ];

  test.each([0, 0.4])('has the gradients of differences, dropout %d', async (dropout) => {
    const f = (inputs: Tensor[]): Tensor =>
      wrapped(dropout, inputs).layer.call(inputs[0]!, createContext({ training: true, seed: 8 }));
    const { maxError } = await gradcheck(f, point(), { name: 'LoRA' });
    expect(maxError).toBeLessThan(1e-6);
  });

  test('computes W·x + b + s·B·A·x over any leading axes', async () => {
    const { base, part, layer } = wrapped(0);
    const x = numbers(2 * 3 * 5, 20);
    const y = layer.call(tensor(x, [2, 3, 5]), createContext());
    expect(y.shape).toEqual([2, 3, 4]);
    const [w, bias, a, b] = await Promise.all(
      [base.weight, base.bias!, part.A, part.B].map((parameter) => parameter.data()),
    );
    const dot = (p: (i: number) => number, q: (i: number) => number, n: number): number =>
      Array.from({ length: n }, (_, i) => p(i) * q(i)).reduce((sum, term) => sum + term, 0);
    const expected: number[] = [];
    for (let row = 0; row < 6; row++) {
      const at = (i: number): number => x[5 * row + i]!;
      const low = [0, 1].map((r) => dot((i) => a![5 * r + i]!, at, 5));
      for (let out = 0; out < 4; out++)
        expected.push(
          dot((i) => w![5 * out + i]!, at, 5) +
            bias![out]! +
            1.5 *
              dot(
                (r) => b![2 * out + r]!,
                (r) => low[r]!,
                2,
              ),
        );
    }
    expect(maxDifference(await y.data(), expected)).toBeLessThan(1e-5);
  });

  test('drops inputs of the adapter, not of the base, and only while training', async () => {
    const { base: plainLayer, layer: subject } = wrapped(0.5);
    const x = tensor(numbers(200 * 5, 21), [200, 5]);
    const data = async (y: Tensor): Promise<number[]> => [...(await y.data())];
    const plain = await data(wrapped(0).layer.call(x, createContext({ training: true })));
    expect(await data(subject.call(x, createContext()))).toEqual(plain);
    const seed = (step: number): Promise<number[]> =>
      data(subject.call(x, createContext({ training: true, step })));
    const dropped = await seed(0);
    expect(dropped).not.toEqual(plain);
    expect(await seed(0)).toEqual(dropped);
    expect(await seed(1)).not.toEqual(dropped);
    const base = await data(plainLayer.call(x));
    subject.enable('default', false);
    expect(await seed(0)).toEqual(base);
    // Rows of which all inputs are dropped keep the base's output: 1 in 32.
    const kept = Array.from({ length: 200 }, (_, row) => row).filter((row) =>
      [0, 1, 2, 3].every((out) => dropped[4 * row + out] === base[4 * row + out]),
    ).length;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(30);
  });
});
