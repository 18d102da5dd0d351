import { readFileSync } from 'node:fs';
import { tensor } from '@camada/tensor';
import { createBatch, modelFromConfig, type Batch, type HeadModel } from '@camada/nn';
import { describe, expect, it } from 'vitest';
import { SELECTORS, layerImportance, rankLayers, type SelectorName } from '../src/index.ts';
import { batches, fakeModel, gaussian, tables } from './helpers.ts';

const MEASURED = (Object.keys(SELECTORS) as SelectorName[]).filter(
  (name) => SELECTORS[name].needs !== 'nothing',
);
const N = 60;

function tiny(folder: string): HeadModel {
  const path = new URL(`../../nn/test/golden/${folder}/config.json`, import.meta.url);
  const task = folder.startsWith('llama') ? 'causal-lm' : 'classification';
  return modelFromConfig(JSON.parse(readFileSync(path, 'utf8')), task, { seed: 3 });
}

/** One batch of rows, with labels that follow from the first tokens. */
function batch(model: HeadModel, rows: readonly (readonly number[])[]): Batch {
  const labels = model.limits.labels.kind === 'token' ? rows : rows.map((ids) => ids.at(-1)! % 2);
  return createBatch({ inputIds: rows, labels: labels as number[] }, model.limits, 9);
}

describe('traps', () => {
  it.each(MEASURED)('%s: sequences of one token have finite numbers', async (name) => {
    const bert = tiny('bert-classifier');
    const rows = Array.from({ length: 12 }, (_, i) => [10 + 5 * i]);
    const { layers } = await SELECTORS[name].score(bert, [batch(bert, rows)], {});
    expect(layers.every(({ importance }) => Number.isFinite(importance))).toBe(true);
  });

  it.each(MEASURED)(
    '%s: identical examples are no NaN, and no layer wins by accident',
    async (name) => {
      const bert = tiny('bert-classifier');
      const rows = new Array<number[]>(8).fill([2, 10, 11, 3]);
      const { layers, notes } = await SELECTORS[name].score(bert, [batch(bert, rows)], {});
      expect(layers.every(({ importance }) => Number.isFinite(importance))).toBe(true);
      if (name !== 'cka') return;
      expect(layers.every(({ excluded }) => excluded?.includes('same for all 8 examples'))).toBe(
        true,
      );
      expect(notes.join(' ')).toMatch(/Layer 0 is left out/);
    },
  );

  it.each(MEASURED)('%s: one example is explained or has finite numbers', async (name) => {
    const bert = tiny('bert-classifier');
    const run = SELECTORS[name].score(bert, [batch(bert, [[2, 10, 3]])], {});
    if (name === 'cka') return expect(run).rejects.toThrow(/1 example is too few/);
    const { layers, notes } = await run;
    expect(layers.every(({ importance }) => Number.isFinite(importance))).toBe(true);
    expect(notes.join(' ')).toMatch(/Only 1 examples/);
  });

  it('a pad token that is the end token leaves a constant last token, which is said', async () => {
    const llama = tiny('llama-tied');
    const rows = Array.from({ length: 24 }, (_, i) => [
      1,
      ...Array.from({ length: 2 + (i % 3) }, (__, t) => 10 + ((7 * i + 3 * t) % 50)),
      5, // the newline before an end token that is masked as padding
    ]);
    const one = batch(llama, rows);
    const last = await layerImportance(llama, [one], { pooling: 'last' });
    expect(last.layers[0]!.excluded).toMatch(/output of the embeddings, is the same for all 24/);
    expect(rankLayers(last)[2]).toBe(0);
    const cosine = await SELECTORS['last-token-cosine'].score(llama, [one], {});
    expect(cosine.notes[0]).toMatch(/last token of all texts is the same \(id 5\)/);
    const mean = await layerImportance(llama, [one]);
    expect(mean.layers.every(({ excluded }) => excluded === undefined)).toBe(true);
  });

  it('an outlier that makes the ranking is named', async () => {
    const levels = [gaussian(N, 8, 1)];
    for (const [i, size] of [0.1, 0.4, 0.9].entries())
      levels.push(levels[i]!.add(gaussian(N, 8, 2 + i).mul(size)));
    const shift = new Float64Array(N * 8);
    shift[8 * 37] = 400; // one example, far away from level 2 on: it hides what the last layer does
    const moved = levels.map((level, i) => (i < 2 ? level : level.add(tensor(shift, [N, 8]))));
    const clean = await layerImportance(fakeModel(3, tables(levels)), batches(N, 20));
    const dirty = await layerImportance(fakeModel(3, tables(moved)), batches(N, 20));
    expect(rankLayers(clean)).toEqual([2, 1, 0]);
    expect(clean.notes).toEqual([]);
    expect(rankLayers(dirty)).not.toEqual([2, 1, 0]);
    expect(dirty.outliers!.examples).toEqual([37]);
    expect(dirty.outliers!.share).toBeGreaterThan(0.9);
    dirty.outliers!.importances.forEach((value, i) =>
      expect(value).toBeCloseTo(clean.layers[i]!.importance, 1),
    );
    expect(dirty.notes.join(' ')).toMatch(/hangs on few examples: without 1 of them \(37;.*Davari/);
    expect(dirty.notes.join(' ')).toMatch(/One dimension holds up to 100 % .* level 2, 3/);
  });
});
