/** @file An adapter's life: fresh, on, off, merged, taken off, exchanged for another; and what is refused. */
import {
  attach,
  enableAdapter,
  injectLora,
  linearNames,
  loadAdapter,
  mergeAdapter,
  mergeAndUnload,
  removeAdapter,
  saveAdapter,
  unmergeAdapter,
  type LoraPart,
  type Adapter,
  type LoraOptions,
} from '@camada/lora';
import { emptyModel, getParameter, namedParameters, type Batch, type HeadModel } from '@camada/nn';
import { InputError, type Tensor } from '@camada/tensor';
import { readFile } from 'node:fs/promises';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  batchOf,
  golden,
  inFolder,
  logits,
  maxDifference,
  on,
  recorded,
  shake,
  tiny,
} from './support.ts';

const OPTIONS: LoraOptions = {
  target_modules: ['query', 'value', 'dense'],
  r: 4,
  lora_alpha: 12,
  modules_to_save: ['classifier'],
};
const QUERY = 'bert.encoder.layer.1.attention.self.query';

let model: HeadModel;
let batch: Batch;
let base: number[];

beforeAll(async () => {
  await on('wasm');
  batch = await batchOf(await recorded('bert'));
});

beforeEach(async () => {
  model = await tiny('bert-classifier');
  base = await logits(model, batch);
});

async function bits(of: HeadModel): Promise<Map<string, Float32Array>> {
  const result = new Map<string, Float32Array>();
  for (const [name, parameter] of namedParameters(of))
    result.set(name, Float32Array.from(await parameter.data()));
  return result;
}

/** An adapter that has been trained, as far as numbers go. */
async function trained(options: LoraOptions = OPTIONS, seed = 0): Promise<Adapter> {
  const adapter = await injectLora(model, options, seed);
  await shake(adapter.trainable.values());
  return adapter;
}

describe('on and off', () => {
  test.each(['reference', 'wasm'] as const)('a fresh adapter changes no bit (%s)', async (name) => {
    await on(name);
    const plain = await tiny('bert-classifier');
    const data = await batchOf(await recorded('bert'));
    const before = await logits(plain, data);
    await injectLora(plain, OPTIONS);
    expect(await logits(plain, data)).toEqual(before);
    await on('wasm');
  });

  test('off is the base model to the bit, its own head included; on again is the adapter', async () => {
    const adapter = await trained();
    const adapted = await logits(model, batch);
    expect(maxDifference(adapted, base)).toBeGreaterThan(0.1);
    enableAdapter(model, adapter, false);
    expect(await logits(model, batch)).toEqual(base);
    enableAdapter(model, adapter, true);
    expect(await logits(model, batch)).toEqual(adapted);
  });

  test('off is the base model also while merged', async () => {
    const adapter = await trained();
    await mergeAdapter(model, adapter);
    const merged = await logits(model, batch);
    enableAdapter(model, adapter, false);
    expect(await logits(model, batch)).toEqual(base);
    enableAdapter(model, adapter, true);
    expect(await logits(model, batch)).toEqual(merged);
  });

  test('taken off, the model has its own parameters again, the very same', async () => {
    const before = namedParameters(model);
    const adapter = await trained();
    await mergeAdapter(model, adapter);
    removeAdapter(model, adapter);
    const after = namedParameters(model);
    expect([...after.keys()]).toEqual([...before.keys()]);
    for (const [name, parameter] of before) expect(after.get(name)).toBe(parameter);
    expect(await logits(model, batch)).toEqual(base);
  });

  test('two adapters take turns on one base; nothing is compiled for the exchange', async () => {
    const first = await trained(OPTIONS, 1);
    const one = await logits(model, batch);
    removeAdapter(model, first);
    const second = await trained({ ...OPTIONS, lora_alpha: 3 }, 2);
    const two = await logits(model, batch);
    expect(maxDifference(one, two)).toBeGreaterThan(1e-3);
    const { counters } = await on('wasm');
    const { compiled } = counters;
    removeAdapter(model, second);
    attach(model, first);
    expect(await logits(model, batch)).toEqual(one);
    removeAdapter(model, first);
    attach(model, second);
    expect(await logits(model, batch)).toEqual(two);
    expect(counters.compiled).toBe(compiled);
  });
});

describe('merged', () => {
  test('gives the same logits; unmerged, every weight is what it was, bit for bit', async () => {
    const adapter = await trained();
    const before = await bits(model);
    const unmerged = await logits(model, batch);
    await mergeAdapter(model, adapter);
    const weight = `${QUERY}.base_layer.weight`;
    const difference = maxDifference((await bits(model)).get(weight)!, before.get(weight)!);
    expect(difference).toBeGreaterThan(1e-2);
    expect(maxDifference(await logits(model, batch), unmerged)).toBeLessThan(1e-5);
    await mergeAdapter(model, adapter); // a second time is no second update
    expect(maxDifference(await logits(model, batch), unmerged)).toBeLessThan(1e-5);
    unmergeAdapter(model, adapter);
    unmergeAdapter(model, adapter);
    expect(await bits(model)).toEqual(before);
    expect(await logits(model, batch)).toEqual(unmerged);
  });

  test('and unloaded, the model has the checkpoint names and computes as adapted', async () => {
    const names = [...namedParameters(model).keys()];
    const adapter = await trained();
    const adapted = await logits(model, batch);
    enableAdapter(model, adapter, false); // unloading means the adapter, on or off
    await mergeAndUnload(model, adapter);
    expect([...namedParameters(model).keys()]).toEqual(names);
    expect(maxDifference(await logits(model, batch), adapted)).toBeLessThan(1e-5);
    const again = await injectLora(model, OPTIONS);
    expect(maxDifference(await logits(model, batch), adapted)).toBeLessThan(1e-5);
    expect(again.layers.size).toBe(adapter.layers.size);
  });

  test('merging and unmerging in a loop holds no more memory', async () => {
    const device = await on('wasm');
    const adapter = await trained();
    const cycle = async (): Promise<void> => {
      await mergeAdapter(model, adapter);
      unmergeAdapter(model, adapter);
    };
    await cycle();
    const { live } = device.memory();
    for (let i = 0; i < 10; i++) await cycle();
    expect(device.memory().live).toBe(live);
  });
});

describe('what is adapted', () => {
  const layersOf = (adapter: Adapter): string[] => [...adapter.layers.keys()];

  test('names, a pattern, layers', async () => {
    const names = await injectLora(await tiny('bert-classifier'), { target_modules: ['query'] });
    expect(layersOf(names)).toEqual(
      [0, 1, 2].map((i) => `bert.encoder.layer.${i}.attention.self.query`),
    );
    const pattern = await injectLora(await tiny('bert-classifier'), {
      target_modules: '.*layer\\.[02]\\..*\\.(query|key)',
    });
    expect(layersOf(pattern)).toEqual(
      [0, 2].flatMap((i) =>
        ['query', 'key'].map((name) => `bert.encoder.layer.${i}.attention.self.${name}`),
      ),
    );
    const layers = await injectLora(await tiny('llama-tied'), {
      target_modules: ['q_proj', 'down_proj'],
      layers_to_transform: [1],
    });
    expect(layersOf(layers)).toEqual([
      'model.layers.1.self_attn.q_proj',
      'model.layers.1.mlp.down_proj',
    ]);
  });

  test('ranks and scales of single modules', async () => {
    const adapter = await injectLora(model, {
      ...OPTIONS,
      rank_pattern: { 'layer\\.2\\..*query': 2 },
      use_rslora: true,
    });
    expect((adapter.layers.get(QUERY) as LoraPart).scale).toBe(12 / 2);
    const special = adapter.layers.get(QUERY.replace('layer.1', 'layer.2')) as LoraPart;
    expect(special.scale).toBe(12 / Math.SQRT2);
    expect(special.A.shape).toEqual([2, 32]);
  });

  test('the seed and the path choose A; B is zero', async () => {
    const a = async (seed: number, path: string): Promise<number[]> => {
      const fresh = await tiny('bert-classifier');
      const { layers } = await injectLora(fresh, OPTIONS, seed);
      const layer = layers.get(path) as LoraPart;
      expect(new Set(await layer.B.data())).toEqual(new Set([0]));
      return [...(await layer.A.data())];
    };
    const values = await a(0, QUERY);
    expect(await a(0, QUERY)).toEqual(values);
    expect(await a(1, QUERY)).not.toEqual(values);
    expect(await a(0, QUERY.replace('query', 'value'))).not.toEqual(values);
    const bound = 1 / Math.sqrt(32);
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(Math.max(...values)).toBeGreaterThan(0.8 * bound);
    expect(Math.min(...values)).toBeLessThan(-0.8 * bound);
    const variance = values.reduce((sum, x) => sum + x * x, 0) / values.length;
    expect(variance / (bound ** 2 / 3)).toBeGreaterThan(0.7);
    expect(variance / (bound ** 2 / 3)).toBeLessThan(1.3);
  });

  test("a head that PEFT's config names beside the model's own is no mistake", async () => {
    const both = await injectLora(model, { ...OPTIONS, modules_to_save: ['classifier', 'score'] });
    expect([...both.saved.keys()]).toEqual(['classifier.weight', 'classifier.bias']);
    expect(both.trainable.get('classifier.weight')).toBe(getParameter(model, 'classifier.weight'));
  });
});

describe('how many parameters', () => {
  const size = (tensors: Iterable<Tensor>): number =>
    [...tensors].reduce((sum, tensor) => sum + tensor.size, 0);

  test("BERT-base's query and value at rank 8: 294,912; half the layers: half", async () => {
    const config = {
      model_type: 'bert',
      vocab_size: 30522,
      hidden_size: 768,
      num_hidden_layers: 12,
      num_attention_heads: 12,
      intermediate_size: 3072,
      max_position_embeddings: 512,
      type_vocab_size: 2,
    };
    const large = emptyModel(config, 'classification', { numLabels: 2 });
    expect(size(namedParameters(large).values())).toBe(109_483_778);
    const options = { target_modules: ['query', 'value'], r: 8 };
    const all = await injectLora(large, options);
    expect(size(all.trainable.values())).toBe(294_912);
    removeAdapter(large, all);
    const half = await injectLora(large, {
      ...options,
      layers_to_transform: [6, 7, 8, 9, 10, 11],
      modules_to_save: ['classifier'],
    });
    expect(size(half.trainable.values())).toBe(147_456 + 768 * 2 + 2);
  });
});

describe('refused', () => {
  const refuse = async (options: Partial<LoraOptions>, message: RegExp | string): Promise<void> => {
    const before = namedParameters(model);
    const attempt = injectLora(model, { ...OPTIONS, ...options });
    await expect(attempt).rejects.toThrow(InputError);
    await expect(attempt).rejects.toThrow(message);
    expect(namedParameters(model)).toEqual(before);
  };

  test('targets that match nothing: the candidates are listed', async () => {
    await refuse(
      { target_modules: ['q_proj'] },
      'target_modules: "q_proj" matches no module of the model; the modules that can be adapted end in ' +
        'word_embeddings, position_embeddings, token_type_embeddings, query, key, value, dense, classifier.',
    );
    await refuse({ target_modules: '.*attn.*' }, 'the pattern ".*attn.*"');
    await refuse({ layers_to_transform: [7] }, 'asks for layer 7');
  });

  test('modules to save that are not there, biases, other beginnings', async () => {
    await refuse(
      { modules_to_save: ['score'] },
      /modules_to_save: 'score' is in no parameter.*bert/,
    );
    await refuse({ init_lora_weights: 'eva' }, 'init_lora_weights "eva" is not offered');
    await refuse({ init_lora_weights: 'pissa', use_dora: true }, 'use_dora does not go with');
    await refuse({ init_lora_weights: 'olora', r: 33 }, 'OLoRA: rank 33 is more than');
    await refuse({ target_modules: ['position_embeddings'] }, 'a table that the model reads');
    await refuse({ fan_in_fan_out: true }, 'fan_in_fan_out');
    await refuse({ r: 0 }, 'r is 0');
  });

  test('a second adapter of the same name, fresh or loaded', async () => {
    await injectLora(model, OPTIONS);
    await refuse({}, "the model already has an adapter named 'default'");
    await expect(loadAdapter(model, golden('bert/trained'))).rejects.toThrow(
      "already has an adapter named 'default'",
    );
    expect(linearNames(model)).toEqual(linearNames(await tiny('bert-classifier')));
  });

  test('an adapter in the place of another', async () => {
    const first = await trained();
    removeAdapter(model, first);
    const second = await trained();
    for (const misuse of [
      () => enableAdapter(model, first, true),
      () => removeAdapter(model, first),
    ])
      expect(misuse).toThrow(/does not belong to the adapter/);
    expect(() => attach(model, first)).toThrow("already has an adapter named 'default'");
    await expect(mergeAndUnload(model, first)).rejects.toThrow(InputError);
    expect(getParameter(model, 'classifier.weight')).toBe(
      second.saved.get('classifier.weight')!.own,
    );
  });

  test('an embedding that is also the output layer: PEFT would understand it otherwise', async () => {
    const llama = await tiny('llama-tied');
    const attempt = injectLora(llama, {
      target_modules: ['q_proj'],
      modules_to_save: ['embed_tokens'],
    });
    await expect(attempt).rejects.toThrow(/'model\.embed_tokens\.weight' is also the output layer/);
  });
});

test('saved while merged or off, the file is the same', async () => {
  const adapter = await trained();
  await inFolder(async (folder) => {
    const bytes = async (name: string): Promise<Buffer> => {
      await saveAdapter(`${folder}/${name}`, adapter);
      return readFile(`${folder}/${name}/adapter_model.safetensors`);
    };
    const plain = await bytes('on');
    await mergeAdapter(model, adapter);
    expect(await bytes('merged')).toEqual(plain);
    enableAdapter(model, adapter, false);
    expect(await bytes('off')).toEqual(plain);
  });
});
