import { readFileSync } from 'node:fs';
import { openDevice, realize, useDevice, type Device } from '@camada/tensor';
import { createBatch, createContext, modelFromConfig, type Batch, type Model } from '@camada/nn';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SELECTORS, compareModels, layerImportance } from '../src/index.ts';

const SIZE = 16;
const path = new URL('../../nn/test/golden/bert-classifier/config.json', import.meta.url);
const config = JSON.parse(readFileSync(path, 'utf8')) as unknown;

let target: Device;
let model: Model;

beforeEach(async () => {
  target = await openDevice('wasm', { threads: 1 });
  useDevice(target);
  model = modelFromConfig(config, 'features', { seed: 3 });
});

afterEach(() => target.dispose());

/** Batches of 16 rows, made when they are wanted and gone when the next is. */
function* stream(count: number): Generator<Batch> {
  for (let at = 0; at < count; at++) {
    const rows = Array.from({ length: SIZE }, (_, i) => [
      2,
      10 + ((7 * at + 3 * i) % 80),
      20 + i,
      3,
    ]);
    const batch = createBatch({ inputIds: rows }, model.limits, 8);
    yield batch;
    [batch.inputIds, batch.attentionMask, batch.tokenTypeIds].forEach((x) => x?.dispose());
  }
}

/** Bytes that the device holds more than at the beginning, and kernels run. */
async function cost(run: () => Promise<unknown>): Promise<{ bytes: number; kernels: number }> {
  const [held, kernels] = [target.memory(), target.counters.kernels];
  await run();
  const after = target.memory();
  return { bytes: after.peak - held.live, kernels: target.counters.kernels - kernels };
}

const RUNS: Readonly<Record<string, (batches: Iterable<Batch>) => Promise<unknown>>> = {
  'mini-batch CKA': (batches) => layerImportance(model, batches, { streaming: 'minibatch' }),
  'exact CKA': (batches) => layerImportance(model, batches, { streaming: 'exact' }),
  'comparing models': (batches) => compareModels(model, model, batches, { minibatch: true }),
  'block influence': (batches) => SELECTORS['block-influence'].score(model, batches, {}),
};

describe('cost', () => {
  it.each(Object.keys(RUNS))('%s: memory does not grow with the examples', async (name) => {
    const run = RUNS[name]!;
    await run(stream(4)); // programs and weights
    const few = await cost(() => run(stream(8)));
    const many = await cost(() => run(stream(64)));
    expect(many.bytes).toBeLessThanOrEqual(few.bytes * 1.1);
  });

  it.each(Object.keys(RUNS))('%s: every batch costs the same kernels', async (name) => {
    const run = RUNS[name]!;
    await run(stream(4));
    const [four, eight, twelve] = [
      (await cost(() => run(stream(4)))).kernels,
      (await cost(() => run(stream(8)))).kernels,
      (await cost(() => run(stream(12)))).kernels,
    ];
    expect(eight - four).toBe(twelve - eight);
  });

  it('mini-batch CKA reads (L + 1)² numbers a batch and few kernels beyond the forward pass', async () => {
    const forward = async (): Promise<void> => {
      for (const batch of stream(8)) {
        const { hidden } = model.call(batch, createContext());
        await realize([hidden]);
        hidden.dispose();
      }
    };
    await forward();
    await layerImportance(model, stream(4), { streaming: 'minibatch' });
    const plain = await cost(forward);
    const ranked = await cost(() => layerImportance(model, stream(8), { streaming: 'minibatch' }));
    const perLevel = (ranked.kernels - plain.kernels) / 8 / (model.layers.length + 1);
    expect(perLevel).toBeLessThan(12);
  });
});
