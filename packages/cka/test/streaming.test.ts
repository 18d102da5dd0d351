import { tensor, type Tensor } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { batchHsic, layerImportance, linearCka, pool, sampledTokens } from '../src/index.ts';
import { Strata } from '../src/strata.ts';
import { batches, fakeModel, gaussian, tables } from './helpers.ts';

const N = 256;
const levels: Tensor[] = [gaussian(N, 12, 1)];
for (const [i, size] of [0.3, 2, 0.1].entries())
  levels.push(levels[i]!.add(gaussian(N, 12, 2 + i).mul(size)));
const model = fakeModel(3, tables(levels));

describe('mini-batch HSIC', () => {
  it('of one batch is the debiased estimate of it, for all pairs', async () => {
    const rows = levels.map((level) => level.slice(0, 0, 32));
    const { hsic, constant } = await batchHsic(rows);
    const value = (i: number, j: number): number => hsic[4 * i + j]!;
    for (const [i, j] of [
      [0, 1],
      [1, 3],
      [2, 3],
    ] as const)
      expect(value(i, j) / Math.sqrt(value(i, i) * value(j, j))).toBeCloseTo(
        await linearCka(rows[i]!, rows[j]!),
        9,
      );
    expect(constant).toEqual([false, false, false, false]);
  });

  it('ranks as all examples at once do, whatever the size of the batches', async () => {
    const kept = await layerImportance(model, batches(N, 32));
    for (const size of [16, 32, 64]) {
      const streamed = await layerImportance(model, batches(N, size), { streaming: 'minibatch' });
      expect(streamed.examples).toBe(N);
      for (const [i, { importance, low, high }] of streamed.layers.entries()) {
        expect(importance).toBeCloseTo(kept.layers[i]!.importance, 1);
        expect(low).toBeLessThanOrEqual(importance);
        expect(high).toBeGreaterThanOrEqual(importance);
      }
      expect(streamed.outliers).toBeNull();
    }
  });

  it('keeps 64 sums, however many batches there are', () => {
    const strata = new Strata();
    for (let i = 0; i < 4400; i++) strata.add([1, 2, 3, 4]);
    expect([...strata.total()]).toEqual([4400, 8800, 13200, 17600]);
    expect(strata.size).toBe(64);
  });

  it('names batches that are too small, and refuses the biased estimator', async () => {
    const report = await layerImportance(model, batches(66, 32), { streaming: 'minibatch' });
    expect(report.examples).toBe(64);
    expect(report.notes.join(' ')).toMatch(/2 examples in batches of fewer than 4/);
    await expect(
      layerImportance(model, batches(N, 32), { streaming: 'minibatch', estimator: 'biased' }),
    ).rejects.toThrow(/debiased estimator only/);
  });
});

describe('pooling over tokens', () => {
  const hidden = tensor(
    Float64Array.from({ length: 24 }, (_, i) => (i * 7) % 11),
    [2, 4, 3],
  );
  const mask = tensor(Int32Array.of(1, 1, 0, 0, 0, 1, 1, 1), [2, 4]);

  it('max looks at real tokens', async () => {
    const rows = [...(await hidden.data())];
    const at = (b: number, t: number, c: number): number => rows[12 * b + 3 * t + c]!;
    const expected = [0, 1].flatMap((b) =>
      [0, 1, 2].map((c) => Math.max(...(b ? [1, 2, 3] : [0, 1]).map((t) => at(b, t, c)))),
    );
    expect([...(await pool(hidden, mask, 'max').data())]).toEqual(expected);
  });

  it('tokens are drawn from the real ones, the same for the same key', async () => {
    const all = [...(await (await sampledTokens(mask, 4, [1, 2])).data())];
    expect(all).toEqual([0, 1, 5, 6, 7]);
    const some = await (await sampledTokens(mask, 1, [1, 2])).data();
    expect(some).toHaveLength(2);
    expect([...some].every((at) => all.includes(at))).toBe(true);
    expect(await (await sampledTokens(mask, 1, [1, 2])).data()).toEqual(some);
    const digests = new Set<string>();
    for (let seed = 0; seed < 8; seed++) {
      const drawn = await (await sampledTokens(mask, 1, [seed, 0])).data();
      digests.add(String(drawn));
    }
    expect(digests.size).toBeGreaterThan(1);
  });

  it('tokens give an importance of their own, with a word on independence', async () => {
    const report = await layerImportance(model, batches(N, 32), { pooling: 'tokens' });
    expect(report.examples).toBe(N); // one token an example here
    expect(report.layers[1]!.importance).toBeGreaterThan(report.layers[0]!.importance);
    expect(report.notes.join(' ')).toMatch(/not independent/);
  });
});
