/** @file Laws of the layers, over random sizes. */
import { InputError, ShapeError, tensor, type Tensor } from '@camada/tensor';
import {
  Dropout,
  Embedding,
  LayerNorm,
  Linear,
  RMSNorm,
  Random,
  RotaryTables,
  activation,
  attention,
  causalBias,
  createContext,
  groupedAttention,
  initializeParameters,
  kaimingUniform,
  meanPool,
  modelFromConfig,
  namedParameters,
  normal,
  paddingBias,
  rotate,
  seedKey,
} from '@camada/nn';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEVICES, goldenJson, maxDifference, on } from './support.ts';

const still = createContext();
const none = new Dropout(0);

function noise(shape: readonly number[], seed: number, scale = 1): Tensor {
  return normal(shape, scale, seedKey(seed));
}

const sizes = fc.record({
  rows: fc.integer({ min: 1, max: 5 }),
  width: fc.integer({ min: 2, max: 40 }),
  seed: fc.nat(1000),
});

describe.each(DEVICES)('on %s', (device) => {
  beforeAll(() => on(device));

  it('LayerNorm gives rows of mean 0 and variance 1, wherever they were', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, async ({ rows, width, seed }) => {
        const y = new LayerNorm(width, 1e-12).call(noise([rows, width], seed, 3).add(5));
        const [mean, variance] = [await y.mean(-1).data(), await y.variance(-1).data()];
        for (let i = 0; i < rows; i++) {
          expect(Math.abs(mean[i]!)).toBeLessThan(1e-5);
          expect(variance[i]!).toBeCloseTo(1, 3);
        }
      }),
      { numRuns: 8 },
    );
  });

  it('RMSNorm gives rows of mean square 1 and does not see their scale', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, async ({ rows, width, seed }) => {
        const norm = new RMSNorm(width, 1e-12);
        const x = noise([rows, width], seed);
        const y = await norm.call(x).data();
        for (const value of await norm.call(x).square().mean(-1).data())
          expect(value).toBeCloseTo(1, 4);
        expect(maxDifference(await norm.call(x.mul(7)).data(), y)).toBeLessThan(1e-5);
      }),
      { numRuns: 8 },
    );
  });

  it.each([0.1, 0.5, 0.9])(
    'dropout with p = %d keeps 1 − p of the elements, scaled by 1/(1 − p)',
    async (p) => {
      const context = createContext({ training: true, seed: 4 });
      const y = await new Dropout(p).call(tensor(new Float32Array(20000).fill(1)), context).data();
      const kept = [...y].filter((value) => value !== 0);
      expect(Math.abs(kept.length / 20000 - (1 - p))).toBeLessThan(0.015);
      for (const value of kept) expect(value).toBeCloseTo(1 / (1 - p), 4);
    },
  );

  it('dropout draws the same masks for the same seed and step, others for another', async () => {
    const x = tensor(new Float32Array(64).fill(1));
    const draw = async (seed: number, step: number): Promise<number[][]> => {
      const context = createContext({ training: true, seed, step });
      const layer = new Dropout(0.5);
      return [
        [...(await layer.call(x, context).data())],
        [...(await layer.call(x, context).data())],
      ];
    };
    const [first, second] = await draw(1, 2);
    expect(first).not.toEqual(second);
    expect(await draw(1, 2)).toEqual([first, second]);
    expect((await draw(1, 3))[0]).not.toEqual(first);
    expect((await draw(2, 2))[0]).not.toEqual(first);
  });

  it('linear folds leading axes and agrees with its rows', async () => {
    const layer = new Linear(3, 2);
    initializeParameters({ call: () => 0, layer } as never, 1, 1);
    const x = noise([2, 4, 3], 1);
    const y = layer.call(x);
    expect(y.shape).toEqual([2, 4, 2]);
    expect(maxDifference(await y.data(), await layer.call(x.reshape([8, 3])).data())).toBe(0);
    expect(Math.abs(await y.abs().sum().item())).toBeGreaterThan(0.1);
  });

  it('attention with one allowed key gives its value; with none it is uniform, not NaN', async () => {
    const [q, k, v] = [noise([2, 1, 3, 4], 1), noise([2, 1, 3, 4], 2), noise([2, 1, 3, 4], 3)];
    const mask = tensor(Int32Array.of(0, 1, 0, 0, 0, 0), [2, 3]);
    const y = attention(q, k, v, paddingBias(mask), none, still); // [2, 1, 3, 4]
    const [out, value] = [await y.data(), await v.data()];
    for (let t = 0; t < 3; t++)
      expect(maxDifference(out.slice(4 * t, 4 * t + 4), value.slice(4, 8))).toBeLessThan(1e-6);
    const mean = await v.slice(0, 1, 2).mean(2).data();
    expect(maxDifference(out.slice(12, 16), mean)).toBeLessThan(1e-6);
  });

  it('causal attention does not see the future', async () => {
    const [q, k, v] = [noise([1, 2, 4, 6], 1), noise([1, 2, 4, 6], 2), noise([1, 2, 4, 6], 3)];
    const bias = causalBias(tensor(new Int32Array(4).fill(1), [1, 4]));
    const before = await attention(q, k, v, bias, none, still).slice(2, 0, 3).data();
    const change = tensor(
      Float32Array.from({ length: 48 }, (_, i) => (i % 24 >= 18 ? 9 : 0)),
      [1, 2, 4, 6],
    );
    const after = await attention(q, k.add(change), v.add(change), bias, none, still)
      .slice(2, 0, 3)
      .data();
    expect(maxDifference(after, before)).toBe(0);
  });

  it('grouped attention equals attention with repeated keys', async () => {
    const [q, k, v] = [noise([2, 4, 3, 6], 1), noise([2, 2, 3, 6], 2), noise([2, 2, 3, 6], 3)];
    const bias = causalBias(tensor(Int32Array.of(1, 1, 1, 1, 1, 0), [2, 3]));
    const repeat = (x: Tensor): Tensor =>
      x.unsqueeze(2).expand([2, 2, 2, 3, 6]).reshape([2, 4, 3, 6]);
    const grouped = await groupedAttention(q, k, v, bias, none, still).data();
    const repeated = await attention(q, repeat(k), repeat(v), bias, none, still).data();
    expect(maxDifference(grouped, repeated)).toBeLessThan(1e-6);
  });

  it('rotation keeps norms, and scores depend on distance alone', async () => {
    const tables = new RotaryTables(8, 10000);
    const row = noise([1, 8], 1).expand([6, 8]);
    const other = noise([1, 8], 2).expand([6, 8]);
    const rotated = rotate(row, tables.at(6)); // [6, 8]
    const norms = await rotated.square().sum(-1).data();
    for (const norm of norms) expect(norm).toBeCloseTo(norms[0]!, 4);
    const scores = await rotated.matmul(rotate(other, tables.at(6)).transpose()).data(); // [6, 6]
    for (let i = 1; i < 6; i++)
      for (let j = 1; j < 6; j++)
        expect(scores[6 * i + j]!).toBeCloseTo(scores[6 * (i - 1) + j - 1]!, 4);
  });

  it('meanPool averages real tokens only, and is 0 without any', async () => {
    const hidden = tensor([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]);
    const mask = tensor(Int32Array.of(1, 0, 0, 0), [2, 2]);
    expect([...(await meanPool(hidden, mask).data())]).toEqual([1, 2, 0, 0]);
  });

  it('an embedding gives the rows of its table', async () => {
    const table = new Embedding(3, 2);
    initializeParameters({ call: () => 0, table } as never, 1, 1);
    const rows = await table.call(tensor(Int32Array.of(2, 0, 2), [1, 3])).data();
    const all = await table.weight.data();
    expect([...rows]).toEqual([...all.slice(4), ...all.slice(0, 2), ...all.slice(4)]);
  });
});

describe('layers', () => {
  beforeAll(() => on('reference'));

  it('dropout is the identity in evaluation and for p = 0, and refuses p outside [0, 1)', () => {
    const x = tensor([1]);
    expect(new Dropout(0.5).call(x, still)).toBe(x);
    expect(new Dropout(0).call(x, createContext({ training: true }))).toBe(x);
    expect(() => new Dropout(1)).toThrow(InputError);
    expect(() => createContext({ seed: -1 })).toThrow(InputError);
  });

  it('linear names the shapes that do not fit', () => {
    expect(() => new Linear(3, 2).call(tensor([1, 2], [1, 2]))).toThrow(ShapeError);
    expect(() => new Linear(3, 2).call(tensor([1, 2], [1, 2]))).toThrow(/must end in 3/);
  });

  it.each([
    ['gelu', 0.8413447],
    ['gelu_new', 0.841192],
    ['silu', 0.7310586],
    ['relu', 1],
    ['tanh', 0.7615942],
  ])('%s(1) = %d', async (name, value) => {
    expect(await activation(name)(tensor([1])).item()).toBeCloseTo(value, 5);
  });
});

describe('initial values', () => {
  it('depend on seed and name alone', async () => {
    const config = goldenJson('bert-classifier/config.json');
    const name = 'bert.encoder.layer.1.intermediate.dense.weight';
    const values = async (
      seed: number,
      task: 'classification' | 'masked-lm',
    ): Promise<number[]> => [
      ...(await namedParameters(modelFromConfig(config, task, { seed }))
        .get(name)!
        .data()),
    ];
    await on('reference');
    const first = await values(1, 'classification');
    expect(await values(1, 'masked-lm')).toEqual(first);
    expect(await values(2, 'classification')).not.toEqual(first);
    expect(Math.sqrt(first.reduce((sum, x) => sum + x * x, 0) / first.length)).toBeCloseTo(0.02, 2);
  });

  it('have the moments of their distribution', async () => {
    await on('reference');
    const random = new Random(seedKey(3));
    const draws = Array.from({ length: 20000 }, () => random.normal());
    const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length;
    const variance = draws.reduce((sum, x) => sum + x * x, 0) / draws.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.04);
    const kaiming = await kaimingUniform([8, 100], Math.sqrt(5), seedKey(1)).data();
    expect(Math.max(...kaiming)).toBeLessThanOrEqual(0.1);
    expect(Math.max(...kaiming)).toBeGreaterThan(0.095);
    expect(Math.min(...kaiming)).toBeLessThan(-0.095);
  });
});
