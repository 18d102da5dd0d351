import { readFileSync } from 'node:fs';
import { createBatch, modelFromConfig, type Batch, type Model } from '@camada/nn';
import { describe, expect, it } from 'vitest';
import { layerImportance, rankLayers, selectLayers } from '../src/index.ts';
import './helpers.ts';

/** A small random model of the folder's architecture. */
function model(folder: string): Model {
  const path = new URL(`../../nn/test/golden/${folder}/config.json`, import.meta.url);
  return modelFromConfig(JSON.parse(readFileSync(path, 'utf8')), 'features', { seed: 3 });
}

/** Rows of 3 to 7 tokens between a first and a last one that never change. */
function batches(of: Model, count: number, size: number): Batch[] {
  const rows = Array.from({ length: count }, (_, i) => {
    const middle = Array.from({ length: 1 + (i % 5) }, (_, t) => 10 + ((7 * i + 13 * t * t) % 80));
    return [2, ...middle, 3];
  });
  const starts = Array.from({ length: Math.ceil(count / size) }, (_, i) => i * size);
  return starts.map((start) =>
    createBatch({ inputIds: rows.slice(start, start + size) }, of.limits, 8),
  );
}

describe('importance of real architectures', () => {
  it('measures every layer of BERT, and finds its CLS embedding constant', async () => {
    const bert = model('bert-classifier');
    const mean = await layerImportance(bert, batches(bert, 40, 8));
    expect(mean.layers.map((layer) => layer.name)).toEqual(
      [0, 1, 2].map((i) => `encoder.layer.${i}`),
    );
    expect(mean.layers.every((layer) => layer.importance > 0 && !layer.excluded)).toBe(true);
    const cls = await layerImportance(bert, batches(bert, 40, 8), { pooling: 'cls' });
    expect(cls.layers[0]!.excluded).toMatch(/output of the embeddings, is the same for all 40/);
    expect(rankLayers(cls)[2]).toBe(0);
    const paper = await layerImportance(bert, batches(bert, 40, 8), { paper: true });
    expect(rankLayers(paper)[0]).toBe(0);
    expect(selectLayers(paper, { count: 2 })).toEqual([1, 2]);
  });

  it('measures Llama before and after its final norm', async () => {
    const llama = model('llama-tied');
    const raw = await layerImportance(llama, batches(llama, 40, 8));
    const normalized = await layerImportance(llama, batches(llama, 40, 8), {
      lastHidden: 'normalized',
    });
    expect(normalized.layers.slice(0, 2)).toEqual(raw.layers.slice(0, 2));
    expect(normalized.layers[2]!.importance).not.toBeCloseTo(raw.layers[2]!.importance, 4);
    const last = await layerImportance(llama, batches(llama, 40, 8), { paper: true });
    expect(last.layers[0]!.excluded).toMatch(/pooling 'last'/); // the last token is always the same
  });
});
