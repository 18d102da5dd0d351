import { tensor, type Tensor } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { layerImportance, linearCka, pool, rankLayers, selectLayers } from '../src/index.ts';
import { batches, fakeModel, gaussian, tables } from './helpers.ts';

const N = 48;
const base = gaussian(N, 6, 1);
/** Levels of which the second step changes most, the third nothing. */
const levels: Tensor[] = [
  base,
  base.add(gaussian(N, 6, 2).mul(0.3)),
  base.add(gaussian(N, 6, 2).mul(0.3)).add(gaussian(N, 6, 3).mul(2)),
  base
    .add(gaussian(N, 6, 2).mul(0.3))
    .add(gaussian(N, 6, 3).mul(2))
    .mul(5),
];
const model = fakeModel(3, tables(levels));
const constant = tensor(new Float64Array(N * 6).fill(0.7), [N, 6]);

describe('layer importance', () => {
  it('is 1 − CKA of neighbouring levels, with intervals around it and a heat map', async () => {
    const report = await layerImportance(model, batches(N, 7));
    for (const layer of report.layers) {
      const expected = 1 - (await linearCka(levels[layer.index]!, levels[layer.index + 1]!));
      expect(layer.importance).toBeCloseTo(Math.max(0, expected), 9);
      expect(layer.low).toBeLessThanOrEqual(layer.importance);
      expect(layer.high).toBeGreaterThanOrEqual(layer.importance);
      expect(layer.excluded).toBeUndefined();
    }
    expect(report.layers.map((layer) => layer.name)).toEqual(['layer.0', 'layer.1', 'layer.2']);
    expect(rankLayers(report)).toEqual([1, 0, 2]);
    expect(report.layers[1]!.low).toBeLessThan(report.layers[1]!.high);
    expect(report.stability).toBeGreaterThan(0.8);
    expect(report.examples).toBe(N);
    expect(report.matrix).toHaveLength(4);
    expect(report.matrix[0]![0]).toBe(1);
    expect(report.matrix[3]![0]).toBeCloseTo(await linearCka(levels[0]!, levels[3]!), 9);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it.each(['debiased', 'biased'] as const)('%s is the same streamed', async (estimator) => {
    const kept = await layerImportance(model, batches(N, 7), { estimator });
    const streamed = await layerImportance(model, batches(N, 7), { estimator, streaming: 'exact' });
    for (const [i, layer] of streamed.layers.entries()) {
      expect(layer.importance).toBeCloseTo(kept.layers[i]!.importance, 8);
      expect(layer.low).toBeLessThanOrEqual(layer.importance);
      expect(layer.high).toBeGreaterThanOrEqual(layer.importance);
    }
    streamed.matrix
      .flat()
      .forEach((value, i) => expect(value).toBeCloseTo(kept.matrix.flat()[i]!, 8));
  });

  it('is the same for the same seed, with other intervals for another', async () => {
    const run = async (seed: number): Promise<unknown> =>
      (await layerImportance(model, batches(N, 16), { seed })).layers;
    expect(await run(1)).toEqual(await run(1));
    expect(await run(1)).not.toEqual(await run(2));
  });

  it.each([undefined, 'exact', 'minibatch'] as const)(
    'leaves out a layer whose input is constant, in words (streaming: %s)',
    async (streaming) => {
      const fixed = fakeModel(3, tables([constant, ...levels.slice(1)]));
      const report = await layerImportance(fixed, batches(N, 8), {
        pooling: 'cls',
        ...(streaming && { streaming }),
      });
      expect(report.layers[0]!.excluded).toMatch(
        /input, the output of the embeddings, is the same for all 48/,
      );
      expect(report.layers[0]!.importance).toBe(0);
      expect(report.notes.join(' ')).toMatch(/Layer 0 is left out of the ranking/);
      expect(rankLayers(report)).toEqual([1, 2, 0]);
      expect(selectLayers(report, { count: 2 })).toEqual([1, 2]);
      expect(selectLayers(report, { keep: 1 })).toEqual([0, 1, 2]);
      expect(JSON.stringify(report)).not.toMatch(/NaN/);
      expect(report.matrix[0]).toEqual([null, null, null, null]);
    },
  );

  it('says what to do when no layer can be measured', async () => {
    const same = fakeModel(3, () =>
      Array.from({ length: 4 }, () => tensor(new Float64Array(40).fill(2), [4, 1, 10])),
    );
    const report = await layerImportance(same, batches(8, 4));
    expect(report.layers.every((layer) => layer.excluded !== undefined)).toBe(true);
    expect(() => selectLayers(report)).toThrow(
      /no layer could be measured.*use examples that differ/,
    );
  });

  it('refuses too few examples and warns of few', async () => {
    await expect(layerImportance(model, batches(1, 1))).rejects.toThrow(
      /^layer importance: 1 example is too few/,
    );
    await expect(layerImportance(model, [])).rejects.toThrow(/0 examples are too few/);
    const report = await layerImportance(model, batches(6, 6));
    expect(report.notes.join(' ')).toMatch(/Only 6 examples/);
    expect(report.layers[0]).toMatchObject({ low: 0, high: 1 });
    expect(report.stability).toBeNull();
  });

  it.each([undefined, 'exact', 'minibatch'] as const)(
    'explains NaN with the layer and the example (streaming: %s)',
    async (streaming) => {
      const data = Float64Array.from(await levels[2]!.data());
      data[6 * 20 + 3] = NaN;
      const broken = fakeModel(
        3,
        tables([levels[0]!, levels[1]!, tensor(data, [N, 6]), levels[3]!]),
      );
      await expect(
        layerImportance(broken, batches(N, 8), { ...(streaming && { streaming }) }),
      ).rejects.toThrow(/layer 1 \(level 2\) gives NaN for example 20/);
    },
  );

  it('uses no more examples than asked for', async () => {
    const report = await layerImportance(model, batches(N, 16), { maxExamples: 20 });
    expect(report.examples).toBe(20);
    expect(report.notes.join(' ')).toMatch(/first 20 examples/);
    const first = levels.map((level) => level.slice(0, 0, 20));
    expect(report.layers[0]!.importance).toBeCloseTo(
      1 - (await linearCka(first[0]!, first[1]!)),
      9,
    );
  });

  it('refuses settings that mean nothing', async () => {
    await expect(layerImportance(model, batches(N, 8), { confidence: 2 })).rejects.toThrow(
      /confidence 2/,
    );
    await expect(layerImportance(model, batches(N, 8), { maxExamples: 0 })).rejects.toThrow(
      /maxExamples 0/,
    );
  });
});

describe('the published protocol', () => {
  it('of an encoder is biased CKA of the first token and drops the first of the ranking', async () => {
    const six = [0, 1, 2, 3, 4, 5, 6].map((i) => base.add(gaussian(N, 6, 10 + i).mul(0.2 * i)));
    six[0] = constant;
    const report = await layerImportance(fakeModel(6, tables(six)), batches(N, 16), {
      paper: true,
    });
    expect(report).toMatchObject({
      protocol: 'paper-encoder',
      estimator: 'biased',
      pooling: 'cls',
    });
    expect(report.layers[0]!.importance).toBe(1); // 0/0 is clamped to a CKA of 0
    expect(report.notes.join(' ')).toMatch(/Layer 0 ranks first, as in the published code/);
    const order = rankLayers(report);
    expect(order[0]).toBe(0);
    expect(selectLayers(report, { keep: 0.5 })).toEqual(order.slice(1, 4).sort((a, b) => a - b));
    for (const layer of report.layers.slice(1)) {
      const cka = await linearCka(six[layer.index]!, six[layer.index + 1]!, {
        estimator: 'biased',
      });
      expect(layer.importance).toBeCloseTo(1 - cka, 9);
    }
  });

  it('of a decoder takes the last token, the final norm, and the first of the ranking', async () => {
    const normed = levels[3]!.add(gaussian(N, 6, 9));
    const decoder = fakeModel(3, tables([...levels, normed]), 'llama');
    const report = await layerImportance(decoder, batches(N, 16), { paper: true });
    expect(report).toMatchObject({
      protocol: 'paper-decoder',
      pooling: 'last',
      lastHidden: 'normalized',
    });
    const cka = await linearCka(levels[2]!, normed, { estimator: 'biased' });
    expect(report.layers[2]!.importance).toBeCloseTo(1 - cka, 9);
    expect(selectLayers(report, { keep: 0.5 })).toEqual([rankLayers(report)[0]]);
    const ours = await layerImportance(decoder, batches(N, 16));
    expect(ours.layers[2]!.importance).toBeCloseTo(0, 9); // before the norm the last layer only scales
  });
});

describe('pooling', () => {
  const hidden = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [2, 3, 2]);
  const mask = tensor(Int32Array.of(1, 1, 0, 0, 1, 1), [2, 3]); // padded on the right, then on the left
  it.each([
    ['mean', [2, 3, 10, 11]],
    ['cls', [1, 2, 7, 8]],
    ['last', [3, 4, 11, 12]],
  ] as const)('%s looks at real tokens', async (pooling, expected) => {
    expect([...(await pool(hidden, mask, pooling).data())]).toEqual(expected);
  });
});
