/** @file Every encoder family through the whole of it: layers are ranked, LoRA trains, adapters and models come back. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { device, openDevice, useDevice } from '@camada/tensor';
import type { Table } from '@camada/hub';
import {
  embed,
  evaluate,
  finetune,
  loadModel,
  merge,
  saveFiles,
  type FinetuneOptions,
} from '../src/index.ts';
import { ENCODER_TYPES, sentences, temporaryFolder, tinyEncoder } from './tiny.ts';

let root = '';

beforeAll(async () => {
  useDevice(await openDevice('wasm', { threads: 1 }));
  root = temporaryFolder();
});

afterAll(async () => {
  (await device()).dispose();
  rmSync(root, { recursive: true, force: true });
});

const rows = sentences(48, 21);
const table: Table = {
  name: 'rows',
  columns: ['text', 'label'],
  rows,
  lines: rows.map((_, i) => i + 1),
};
const columns = { text: 'text', label: 'label' };

const options: FinetuneOptions = {
  data: { train: table, test: table, ...columns },
  layers: { select: 'cka', keep: 2 },
  learningRate: 5e-3,
  warmupRatio: 0,
  batchSize: 48,
  maxSteps: 2,
  samples: 48,
};

test.each(ENCODER_TYPES)(
  '%s: CKA ranks the layers, two steps of LoRA lower the loss, the adapter is read back',
  async (type) => {
    const folder = await tinyEncoder(join(root, type), type);
    const run = await finetune(await loadModel(folder), options);
    const importances = run.importance!.layers.map(({ importance }) => importance);
    expect(importances).toHaveLength(3);
    for (const importance of importances) expect(importance).toBeGreaterThan(0);
    expect(new Set(importances).size).toBe(3);
    expect(run.layers).toHaveLength(2);
    expect(run.summary.lora!.layers_to_transform).toEqual(run.layers);
    expect(run.after.loss).toBeLessThan(run.before.loss);

    const saved = join(root, `${type}-adapter`);
    await run.save(saved);
    const again = await evaluate(await loadModel(folder, { adapter: saved }), {
      data: table,
      ...columns,
    });
    expect(again.loss).toBeCloseTo(run.after.loss, 5);
  },
);

test.each(ENCODER_TYPES)('%s: a merged model is read back with its head', async (type) => {
  const folder = await tinyEncoder(join(root, `${type}-base`), type);
  const run = await finetune(await loadModel(folder), { ...options, layers: 'all' });
  const adapter = join(root, `${type}-layers`);
  await run.save(adapter);
  const merged = join(root, `${type}-merged`);
  await saveFiles(merged, await merge(await loadModel(folder, { adapter })));
  const model = await loadModel(merged);
  expect(model.labelNames).toEqual(['negative', 'positive']);
  const again = await evaluate(model, { data: table, ...columns });
  expect(again.loss).toBeCloseTo(run.after.loss, 5);
  const [first, second, same] = await embed(model, ['good film', 'bad', 'good film']);
  expect(first).toEqual(same);
  expect(first).not.toEqual(second);
});
