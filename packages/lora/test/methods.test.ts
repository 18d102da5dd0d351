/** @file Low-rank methods against PEFT (tools/oracle/methods.py): its files, its logits, its training of 30 steps. */
import { grad } from '@camada/autograd';
import {
  addAdapter,
  LORA,
  loadAdapter,
  loraConfig,
  loraFaCorrection,
  loraFaParameters,
  loraPlusRules,
  mergeAdapter,
  RankAllocator,
  readAdapter,
  saveAdapter,
  type Adapter,
  type AdaLoraConfig,
  type LoraConfig,
} from '@camada/lora';
import { AdamW, createContext, type Batch, type HeadModel } from '@camada/nn';
import { realize, type Tensor } from '@camada/tensor';
import { openSafetensors } from '@camada/hub';
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

const CASES = [
  'dora',
  'pissa',
  'olora',
  'lora-plus',
  'lora-fa',
  'bias-all',
  'bias-lora-only',
  'words',
  'words-dora',
  'vera',
  'vera-key',
  'adalora',
  'all-linear',
  'gpt2-dora',
  'gpt2-pissa',
  'gpt2-vera',
  'gpt2-adalora',
] as const;

type Name = (typeof CASES)[number];

interface Facts {
  readonly base: Parameters<typeof tiny>[0];
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly optimizer: 'adamw' | 'lora-plus' | 'lora-fa' | 'adalora';
  readonly start: 'file' | 'pissa' | 'olora';
  readonly losses: readonly number[];
  readonly trainableParameters: number;
}

const facts = (name: Name): Facts => json(golden(`methods/${name}/golden.json`));
const fresh = (name: Name): Promise<HeadModel> => tiny(facts(name).base);
const batchFor = async (name: Name): Promise<Batch> => batchOf(await recorded(`methods/${name}`));

/** An adapter as PEFT begins it: from its file, or made anew where it begins in the weights. */
async function begun(name: Name, model: HeadModel): Promise<Adapter> {
  const { start } = facts(name);
  const folder = golden(`methods/${name}/start`);
  const config = (await readAdapter(folder)).config as LoraConfig;
  const whole = config.bias !== 'lora_only'; // PEFT does not store those biases
  if (start === 'file' && whole) return (await loadAdapter(model, folder)).adapter;
  const init = start === 'file' ? true : start;
  const given = { ...config, fan_in_fan_out: false, init_lora_weights: init };
  const adapter = await addAdapter(model, LORA, loraConfig(given));
  if (whole) return adapter;
  const { layers } = (await loadAdapter(await fresh(name), folder)).adapter;
  for (const [path, { tensors }] of layers)
    for (const [key, value] of tensors) adapter.layers.get(path)!.tensors.get(key)!.assign(value);
  return adapter;
}

/** Losses before each step and after the last. */
async function train(name: Name, model: HeadModel, adapter: Adapter): Promise<number[]> {
  const { learningRate, weightDecay, optimizer: kind, losses } = facts(name);
  const batch = await batchFor(name);
  const parameters = kind === 'lora-fa' ? loraFaParameters(adapter) : adapter.trainable;
  const correct = kind === 'lora-fa' ? await loraFaCorrection(adapter) : undefined;
  const allocator =
    kind === 'adalora' ? new RankAllocator(adapter as Adapter<AdaLoraConfig>) : undefined;
  const optimizer = new AdamW(parameters, {
    weightDecay: kind === 'lora-fa' ? 0 : weightDecay,
    ...(kind === 'lora-fa' && { eps: 1e-6 }),
    ...(kind === 'lora-plus' && { rules: loraPlusRules({ ratio: 8 }) }),
  });
  const rate = kind === 'lora-plus' ? learningRate / 8 : learningRate;
  const names = [...parameters.keys()];
  const seen: number[] = [];
  for (let step = 0; step < losses.length; step++) {
    const plain = model.loss(model.call(batch, createContext()), batch);
    const loss = allocator ? plain.add(allocator.penalty()) : plain;
    if (step === losses.length - 1) return [...seen, await loss.item()];
    const gradients = grad(loss, [...parameters.values()]);
    const named = new Map(names.map((key, i): [string, Tensor] => [key, gradients[i]!]));
    const used = correct ? [...correct(named).values()] : gradients;
    optimizer.step(used, rate);
    if (allocator?.observes(step)) allocator.observe(gradients);
    await realize([loss]);
    await allocator?.allocate(step);
    seen.push(await loss.item());
  }
  return seen;
}

/** Trained on every back end: they differ in what a step computes. */
const EVERYWHERE: readonly Name[] = ['dora', 'words', 'vera', 'adalora'];

describe.each(['reference', 'wasm', 'webgpu'] as const)('on %s', (backend) => {
  beforeAll(() => on(backend));

  test.each(CASES)("%s, trained by PEFT, gives PEFT's logits, merged too", async (name) => {
    const model = await fresh(name);
    const file = await recorded(`methods/${name}`);
    const batch = await batchFor(name);
    const { adapter, warnings } = await loadAdapter(model, golden(`methods/${name}/trained`));
    expect(warnings).toEqual([]);
    const expected = (await file.read('logits')).data;
    // PEFT does not store the biases that `lora_only` trains.
    if (name !== 'bias-lora-only')
      expect(maxDifference(await logits(model, batch), expected)).toBeLessThan(1e-4);
    const before = await logits(model, batch);
    await mergeAdapter(model, adapter);
    const largest = Math.max(1, ...before.map(Math.abs));
    expect(maxDifference(await logits(model, batch), before) / largest).toBeLessThan(1e-5);
  });

  const trained = backend === 'wasm' ? CASES : EVERYWHERE;
  test.each(trained)("%s, trained here from PEFT's start, follows PEFT", async (name) => {
    const { losses, trainableParameters, optimizer } = facts(name);
    const model = await fresh(name);
    const base = await logits(model, await batchFor(name));
    const adapter = await begun(name, model);
    const start = await logits(model, await batchFor(name));
    expect(maxDifference(start, base)).toBeLessThan(1e-5);
    const trained = optimizer === 'lora-fa' ? loraFaParameters(adapter) : adapter.trainable;
    const size = [...trained.values()].reduce((sum, x) => sum + x.size, 0);
    expect(size).toBe(trainableParameters);
    const seen = await train(name, model, adapter);
    for (const [i, loss] of seen.entries())
      expect(Math.abs(loss / losses[i]! - 1), `step ${i}`).toBeLessThan(1e-3);
    if (name === 'bias-lora-only') return;
    const expected = (await (await recorded(`methods/${name}`)).read('logits')).data;
    expect(maxDifference(await logits(model, await batchFor(name)), expected)).toBeLessThan(2e-3);
  });
});

describe('files', () => {
  beforeAll(() => on('wasm'));

  test.each(CASES)('%s, saved and loaded, computes the same', async (name) => {
    const model = await fresh(name);
    const batch = await batchFor(name);
    const { adapter } = await loadAdapter(model, golden(`methods/${name}/trained`));
    const before = await logits(model, batch);
    await inFolder(async (folder) => {
      await saveAdapter(folder, adapter);
      const again = await fresh(name);
      await loadAdapter(again, folder);
      expect(await logits(again, batch)).toEqual(before);
      const names = async (path: string): Promise<string[]> =>
        (await openSafetensors(`${path}/adapter_model.safetensors`)).names
          .filter((key) => !/base_layer\.weight|\.(modules_to_save|original_module)\./.test(key))
          .sort();
      expect(await names(folder)).toEqual(await names(golden(`methods/${name}/trained`)));
    });
  });
});
