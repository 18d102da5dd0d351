/** @file Every method that trains an adapter, from the table to the files and back, on a tiny model. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lisaSchedule } from '@camada/lora';
import { namedParameters } from '@camada/nn';
import { device, openDevice, useDevice } from '@camada/tensor';
import { evaluate, finetune, loadModel, type LoadedModel, type Network } from '../src/index.ts';
import { ADAPTER_METHODS, usualLearningRate, type AdapterMethodName } from '../src/train/method.ts';
import { sentences, table, temporaryFolder, tinyBert } from './tiny.ts';

let root = '';
let model: LoadedModel;

beforeAll(async () => {
  useDevice(await openDevice('wasm', { threads: 1 }));
  root = temporaryFolder();
  model = await loadModel(await tinyBert(join(root, 'bert')));
});

afterAll(async () => {
  (await device()).dispose();
  rmSync(root, { recursive: true, force: true });
});

const train = table(sentences(96, 11), 'train');
const held = table(sentences(48, 12), 'held');
const data = { train, test: held, text: 'text', label: 'label' };
/** Adaption prompts are for decoders. */
const NAMES = (Object.keys(ADAPTER_METHODS) as AdapterMethodName[]).filter(
  (name) => name !== 'adaption-prompt',
);

test('adaption prompts are refused on an encoder before any work', async () => {
  const method = { type: 'adaption-prompt' } as const;
  await expect(finetune(model, { data, method, samples: 0 })).rejects.toThrow(
    /llama, mistral, gpt2/,
  );
});

describe.each(NAMES)('%s', (type) => {
  test('learns at its usual rate, and its files give the same predictions', async () => {
    const run = await finetune(model, { data, method: { type }, epochs: 8, samples: 0 });
    expect(run.summary.learningRate).toBe(usualLearningRate({ type }, 32));
    const mean = (part: readonly { loss: number }[]): number =>
      part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
    expect(mean(run.history.slice(-6))).toBeLessThan(mean(run.history.slice(0, 6)));
    const folder = join(root, type);
    await run.save(folder);
    const again = await loadModel(join(root, 'bert'), { adapter: folder });
    const metrics = await evaluate(again, { data: held, text: 'text', label: 'label' });
    expect(metrics).toMatchObject({ accuracy: run.after.accuracy });
  });
});

describe('features', () => {
  test('are solved for, beat the start, and the saved model predicts the same', async () => {
    const notes: string[] = [];
    const run = await finetune(model, {
      data,
      method: { type: 'features' },
      samples: 0,
      onEvent: (event) => void (event.type === 'note' && notes.push(event.text)),
    });
    expect(run.history).toHaveLength(1);
    expect(run.history[0]!.gradientNorm).toBeLessThan(1e-8);
    expect(run.trainableParameters).toBe(2 * 32 + 2);
    expect(notes.join()).toMatch(/Held-out loss by C: 0\.01: /);
    expect(run.after.loss).toBeLessThan(run.before.loss);
    const folder = join(root, 'features');
    await run.save(folder);
    const again = await evaluate(await loadModel(folder), {
      data: held,
      text: 'text',
      label: 'label',
    });
    expect(again).toMatchObject({ accuracy: run.after.accuracy });
  });
});

describe('lisa', () => {
  const weights = async (network: Network): Promise<Map<string, Float32Array>> => {
    const found = new Map<string, Float32Array>();
    for (const [name, value] of namedParameters(network.model))
      found.set(name, Float32Array.from(await value.data()));
    return found;
  };

  test('moves the layer that is drawn, embeddings and head, and keeps every bit of the others', async () => {
    const method = { type: 'lisa', active: 1, every: 100 } as const;
    const options = { data, method, samples: 0, learningRate: 1e-3, seed: 3 };
    const before = await weights(
      (await finetune(model, { ...options, maxSteps: 1, learningRate: 1e-30 })).network,
    );
    const run = await finetune(model, { ...options, maxSteps: 12 });
    const after = await weights(run.network);
    const [drawn] = lisaSchedule({ layers: run.layers, active: 1, every: 100, seed: 3 })(0);
    const moved = [...after].filter(([name, value]) =>
      value.some((x, i) => x !== before.get(name)![i]),
    );
    const layers = new Set(moved.map(([name]) => /layer\.(\d)/.exec(name)?.[1] ?? 'other'));
    expect(layers).toEqual(new Set(['other', String(drawn)]));
    expect(run.history.at(-1)!.loss).toBeLessThan(run.history[0]!.loss);
  });

  test('draws other layers every so many steps, the same for the same seed', () => {
    const at = lisaSchedule({ layers: [0, 2, 3, 5, 7, 8], active: 2, every: 5, seed: 4 });
    const again = lisaSchedule({ layers: [0, 2, 3, 5, 7, 8], active: 2, every: 5, seed: 4 });
    const steps = Array.from({ length: 100 }, (_, step) => at(step).join());
    expect(steps).toEqual(Array.from({ length: 100 }, (_, step) => again(step).join()));
    for (let step = 0; step < 100; step++) expect(steps[step]).toBe(steps[step - (step % 5)]);
    expect(new Set(steps).size).toBeGreaterThan(8);
    expect(new Set(steps.join().split(','))).toEqual(new Set(['0', '2', '3', '5', '7', '8']));
    expect(() => lisaSchedule({ layers: [], active: 1 })).toThrow(/no layers/);
    expect(() => lisaSchedule({ layers: [1], every: 0 })).toThrow(/every is 0/);
  });
});
