/** @file Choosing layers by every selector on tiny models, and whether what is predicted comes true. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { device, openDevice, useDevice } from '@camada/tensor';
import { SELECTORS, type SelectorName } from '@camada/cka';
import {
  finetune,
  loadModel,
  select,
  type FinetuneOptions,
  type LoadedModel,
  type RunEvent,
} from '../src/index.ts';
import { predictionText, truthText } from '../src/select/told.ts';
import { sentences, table, temporaryFolder, tinyBert, tinyLlama } from './tiny.ts';

let root = '';
let bert: LoadedModel;
let llama: LoadedModel;

beforeAll(async () => {
  useDevice(await openDevice('wasm', { threads: 1 }));
  root = temporaryFolder();
  bert = await loadModel(await tinyBert(join(root, 'bert')));
  llama = await loadModel(await tinyLlama(join(root, 'llama')));
});

afterAll(async () => {
  (await device()).dispose();
  rmSync(root, { recursive: true, force: true });
});

const train = table(sentences(64, 11), 'train');
const held = table(sentences(16, 12), 'held');
const data = { train, test: held, text: 'text', label: 'label' };
const NAMES = Object.keys(SELECTORS) as SelectorName[];

describe('select', () => {
  test.each(NAMES)('%s ranks an encoder with labels', async (name) => {
    const layers = name === 'all' ? 'all' : `${name}:2`;
    const options = { data: train, text: 'text', label: 'label', samples: 16, layers };
    const selection = await select(bert, options);
    expect(selection.selector).toBe(name);
    expect(selection.selected.length).toBe(name === 'all' ? 3 : 2);
    const { importance } = selection;
    expect(importance.layers.every((layer) => Number.isFinite(layer.importance))).toBe(true);
    const fresh = importance.notes.some((note) => note.includes('head is untrained'));
    expect(fresh).toBe(SELECTORS[name].needs === 'labels');
  });

  test('ranks a decoder by its own next tokens, without labels', async () => {
    const options = {
      data: train,
      text: 'text',
      samples: 8,
      layers: 'gradient-norm:parameters=0.5',
    };
    const { selected, importance, prediction } = await select(llama, options);
    expect(selected.length).toBe(1);
    expect(importance.notes.join(' ')).not.toMatch(/untrained/);
    expect(prediction.chosen.parameters * 2).toBe(prediction.all.parameters);
  });

  test('labels that are missing, and lists of numbers, are refused in words', async () => {
    const start = { data: train, text: 'text' };
    await expect(select(bert, { ...start, layers: 'fisher:2' })).rejects.toThrow(
      /fisher needs labels: name their column/,
    );
    await expect(select(bert, { ...start, layers: '0,1' })).rejects.toThrow(/not numbers/);
    await expect(select(bert, { ...start, layers: 'cka:9' })).rejects.toThrow(/has 3 layers/);
  });

  test('gives ranks by importance at the same number of parameters', async () => {
    const options = { data: train, text: 'text', layers: 'cka:2', r: 6, byImportance: true };
    const { ranks, selected } = await select(bert, options);
    expect(Object.keys(ranks!).map(Number)).toEqual(selected);
    expect(Object.values(ranks!).reduce((sum, rank) => sum + rank, 0)).toBe(12);
  });

  test.each(['mean', 'cls', 'last', 'max', 'tokens'] as const)('pools by %s', async (pooling) => {
    const options = { data: train, text: 'text', samples: 48, pooling };
    const { importance } = await select(bert, options);
    expect(importance).toMatchObject({ pooling });
    expect(importance.layers[2]!.excluded).toBeUndefined();
    expect(importance.layers[0]!.excluded === undefined).toBe(pooling !== 'cls');
  });
});

async function costOf(
  model: LoadedModel,
  options: Omit<FinetuneOptions, 'data' | 'onEvent'>,
): Promise<Extract<RunEvent, { type: 'cost' }>> {
  const events: RunEvent[] = [];
  await finetune(model, {
    data,
    maxSteps: 4,
    samples: 0,
    ...options,
    onEvent: (event) => events.push(event),
  });
  const cost = events.find((event) => event.type === 'cost')!;
  expect(events.some((event) => event.type === 'prediction')).toBe(true);
  return cost;
}

describe('prediction', () => {
  test.each([
    ['lora', 'last:1', 2],
    ['lora', '0,2', 0],
    ['dora', 'last:2', 1],
    ['pissa', 'last:1', 2],
    ['vera', 'last:2', 1],
    ['adalora', 'last:1', 2],
    ['full', 'last:1', 2],
    ['full', 'all', 0],
    ['head', 'all', 3],
  ] as const)('of %s in %s: what trains, and how deep', async (type, layers, lowest) => {
    const { prediction, truth } = await costOf(bert, { method: { type }, layers });
    const { chosen, all } = prediction;
    expect(chosen.parameters + chosen.headParameters).toBe(truth.trainableParameters);
    expect(chosen.lowestLayer).toBe(lowest);
    expect(chosen.flops).toBeLessThanOrEqual(all.flops);
    expect(chosen.peakBytes).toBeLessThanOrEqual(all.peakBytes);
    expect(chosen.cachedFlops < chosen.flops).toBe(lowest > 0);
    expect(chosen.seconds).toBeGreaterThan(0);
    expect(predictionText(prediction)).not.toMatch(/NaN|undefined|Infinity/);
    expect(truthText(prediction, truth)).toMatch(
      /^In fact: [\d,]+ numbers trained \([\d,]+ expected\)/,
    );
  });

  test('memory comes true on a fresh device', async () => {
    const before = await device();
    for (const layers of ['all', 'last:1']) {
      const fresh = await openDevice('wasm', { threads: 1 });
      useDevice(fresh);
      // Full fine-tuning, so that weights, gradients and moments are large beside what a tiny run holds otherwise.
      const options = { method: { type: 'full' }, layers, batchSize: 32 } as const;
      const { prediction, truth } = await costOf(bert, { ...options, prefixCache: false });
      const ratio = truth.peakBytes / prediction.chosen.peakBytes;
      expect(ratio, layers).toBeGreaterThan(0.6);
      expect(ratio, layers).toBeLessThan(1.6);
      fresh.dispose();
    }
    useDevice(before);
  });

  test('ranks by importance train as many numbers, and PEFT reads them', async () => {
    const options = { data, layers: 'cka:2', samples: 32, maxSteps: 1 } as const;
    const even = await finetune(bert, options);
    const method = { type: 'lora', r: 8 } as const;
    const ranked = await finetune(bert, { ...options, method, rankByImportance: true });
    expect(ranked.trainableParameters).toBe(even.trainableParameters);
    const pattern = ranked.summary.lora!.rank_pattern;
    const keys = ranked.layers.map((layer) => `encoder\\.layer\\.${layer}\\..*`);
    expect(Object.keys(pattern).sort()).toEqual(keys.sort());
    expect(Object.values(pattern).reduce((sum, rank) => sum + rank, 0)).toBe(16);
    expect(new Set(Object.values(pattern)).size).toBe(2);
    await expect(
      finetune(bert, { ...options, method: { type: 'full' }, rankByImportance: true }),
    ).rejects.toThrow(/not with full/);
  });

  test('budgets are kept', async () => {
    const events: RunEvent[] = [];
    const run = await finetune(bert, {
      data,
      layers: 'last-token-cosine:memory=0.9',
      samples: 16,
      maxSteps: 1,
      onEvent: (event) => events.push(event),
    });
    const { chosen, all } = events.find((event) => event.type === 'prediction')!.prediction;
    expect(run.layers).toEqual(chosen.layers);
    expect(chosen.peakBytes).toBeLessThanOrEqual(0.9 * all.peakBytes);
    expect(events.some((event) => event.type === 'ranking')).toBe(true);
  });
});
