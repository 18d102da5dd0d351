/** @file Against PEFT itself (tools/oracle/adapters.py): its adapters on our models, its training followed step by step. */
import { grad } from '@camada/autograd';
import {
  loadAdapter,
  mergeAdapter,
  mergeAndUnload,
  enableAdapter,
  saveAdapter,
} from '@camada/lora';
import { AdamW, createContext, getParameter, namedParameters, type HeadModel } from '@camada/nn';
import { realize } from '@camada/tensor';
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  batchOf,
  golden,
  inFolder,
  json,
  logits,
  maxDifference,
  on,
  recorded,
  tiny,
} from './support.ts';

const ADAPTERS = [
  'bert',
  'bert-rslora',
  'distilbert',
  'roberta',
  'deberta',
  'modernbert',
  'llama',
  'llama-rslora',
  'gpt2',
] as const;

interface Facts {
  readonly base: Parameters<typeof tiny>[0];
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly losses: readonly number[];
  readonly trainableParameters: number;
}

const facts = (name: string): Facts => json(golden(`${name}/golden.json`));
const fresh = (name: string): Promise<HeadModel> => tiny(facts(name).base);
const tensorsOf = (folder: string): Promise<Buffer> =>
  readFile(`${folder}/adapter_model.safetensors`);

describe.each(['reference', 'wasm', 'webgpu'] as const)('on %s', (backend) => {
  beforeAll(() => on(backend));

  test.each(ADAPTERS)("%s, trained by PEFT, gives PEFT's logits: on, off, merged", async (name) => {
    const model = await fresh(name);
    const file = await recorded(name);
    const batch = await batchOf(file);
    const { adapter, warnings } = await loadAdapter(model, golden(`${name}/trained`));
    expect(warnings).toEqual([]);
    const expected = async (key: string): Promise<ArrayLike<number>> => (await file.read(key)).data;
    const on = await expected('logits');
    expect(maxDifference(on, await expected('logits.disabled'))).toBeGreaterThan(0.1);
    expect(maxDifference(await logits(model, batch), on)).toBeLessThan(1e-4);
    enableAdapter(model, adapter, false);
    expect(
      maxDifference(await logits(model, batch), await expected('logits.disabled')),
    ).toBeLessThan(1e-4);
    enableAdapter(model, adapter, true);
    await mergeAdapter(model, adapter);
    expect(maxDifference(await logits(model, batch), await expected('logits.merged'))).toBeLessThan(
      1e-4,
    );
  });

  test.each(ADAPTERS)('%s, merged and unloaded, has the weights that PEFT merged', async (name) => {
    const model = await fresh(name);
    const file = await recorded(name);
    const { adapter } = await loadAdapter(model, golden(`${name}/trained`));
    await mergeAndUnload(model, adapter);
    const merged = file.names.filter((key) => key.startsWith('merged.'));
    expect(merged.length).toBeGreaterThanOrEqual(4);
    for (const key of merged) {
      const ours = await getParameter(model, key.slice('merged.'.length)).data();
      expect(maxDifference(ours, (await file.read(key)).data), key).toBeLessThan(1e-6);
    }
  });

  test.each(ADAPTERS)("%s, trained here from PEFT's start, follows PEFT's losses", async (name) => {
    const { losses, learningRate, weightDecay, trainableParameters } = facts(name);
    const model = await fresh(name);
    const batch = await batchOf(await recorded(name));
    const { adapter } = await loadAdapter(model, golden(`${name}/start`));
    const parameters = [...adapter.trainable.values()];
    expect(parameters.reduce((sum, { size }) => sum + size, 0)).toBe(trainableParameters);
    const optimizer = new AdamW(adapter.trainable, { weightDecay });
    for (const expected of losses) {
      const loss = model.loss(model.call(batch, createContext()), batch);
      optimizer.step(grad(loss, parameters), learningRate);
      await realize([loss]);
      expect(Math.abs((await loss.item()) / expected - 1)).toBeLessThan(1e-3);
    }
  });
});

describe('files', () => {
  beforeAll(() => on('wasm'));

  test.each(ADAPTERS)("%s, loaded and saved, is PEFT's file to the byte", async (name) => {
    const model = await fresh(name);
    const batch = await batchOf(await recorded(name));
    const { adapter } = await loadAdapter(model, golden(`${name}/trained`));
    const before = await logits(model, batch);
    await inFolder(async (folder) => {
      await saveAdapter(folder, adapter);
      expect(await tensorsOf(folder)).toEqual(await tensorsOf(golden(`${name}/trained`)));
      const again = await fresh(name);
      const loaded = await loadAdapter(again, folder);
      expect(loaded.adapter.config).toEqual(adapter.config);
      expect(await logits(again, batch)).toEqual(before);
    });
  });

  test('an adapter of another model is refused, and the model stays as it was', async () => {
    const model = await tiny('bert-classifier');
    const before = namedParameters(model);
    await expect(loadAdapter(model, golden('llama/trained'))).rejects.toThrow(
      /the model has no module 'model\.layers\.0\.self_attn\.q_proj'/,
    );
    expect(namedParameters(model)).toEqual(before);
  });
});
