/** @file Adapters in subfolders, and adapters of mlx-lm, both ways. */
import {
  adapterData,
  adapterNames,
  adaptersOf,
  addAdapter,
  injectLora,
  isAdditive,
  loadAdapter,
  loadAdapters,
  LORA,
  loraConfig,
  mlxFiles,
  openAdapter,
  removeAdapter,
  saveAdapters,
  setActiveAdapters,
  type LoraOptions,
} from '@camada/lora';
import {
  encodeSafetensors,
  jsonBytes,
  memoryFolder,
  openSafetensors,
  type Folder,
  type TensorData,
} from '@camada/hub';
import { getModule, namedParameters, type Batch, type HeadModel, type Linear } from '@camada/nn';
import { InputError, tensor } from '@camada/tensor';
import { readFile } from 'node:fs/promises';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  batchOf,
  golden,
  inFolder,
  logits,
  maxDifference,
  on,
  numbers,
  recorded,
  shake,
  tiny,
} from './support.ts';

const FOLDER = golden('operations/adapters');

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks));
}

function folderOf(files: ReadonlyMap<string, readonly Uint8Array[]>): Folder {
  return memoryFolder(new Map([...files].map(([name, chunks]) => [name, joined(chunks)])));
}

beforeAll(() => on('wasm'));

describe('subfolders', () => {
  let model: HeadModel;
  let batch: Batch;

  beforeEach(async () => {
    model = await tiny('bert-classifier');
    batch = await batchOf(await recorded('operations'));
  });

  test("what PEFT saved is found, loaded and saved again: PEFT's files to the byte", async () => {
    expect(await adapterNames(FOLDER)).toEqual(['default', 'narrow', 'second', 'third']);
    const loaded = await loadAdapters(model, FOLDER);
    expect([...adaptersOf(model).keys()]).toEqual([...loaded.keys()]);
    const all = [...adaptersOf(model).values()];
    const first = await logits(model, batch);
    setActiveAdapters(model, ['default']);
    expect(await logits(model, batch)).toEqual(first);
    await inFolder(async (folder) => {
      await saveAdapters(folder, all);
      for (const place of ['', '/narrow', '/second', '/third']) {
        const file = `${place}/adapter_model.safetensors`;
        expect(await readFile(folder + file), place).toEqual(await readFile(FOLDER + file));
      }
    });
  });

  test("PEFT's files from before safetensors hold the same", async () => {
    const old = await openAdapter(golden('operations/pickled/narrow'));
    const { layers } = await openAdapter(`${FOLDER}/narrow`);
    expect(old.layers).toEqual(layers);
  });

  test('files in memory, and chosen names', async () => {
    const files = new Map<string, Uint8Array>();
    for (const name of ['second', 'third'])
      for (const file of ['adapter_config.json', 'adapter_model.safetensors'])
        files.set(`${name}/${file}`, await readFile(`${FOLDER}/${name}/${file}`));
    const folder = memoryFolder(files);
    expect(await adapterNames(folder)).toEqual(['second', 'third']);
    await loadAdapters(model, folder, ['third']);
    expect([...adaptersOf(model).keys()]).toEqual(['third']);
  });

  test('one that cannot be loaded leaves none; no adapter is said', async () => {
    const before = namedParameters(model);
    await expect(loadAdapters(model, FOLDER, ['second', 'fourth'])).rejects.toThrow(InputError);
    expect(namedParameters(model)).toEqual(before);
    expect(adaptersOf(model).size).toBe(0);
    await expect(loadAdapters(model, memoryFolder(new Map()))).rejects.toThrow(
      /hold no adapter_config/,
    );
  });
});

describe('mlx-lm', () => {
  const Q = 'model.layers.1.self_attn.q_proj';
  const TABLE = 'model.embed_tokens';
  let model: HeadModel;
  let batch: Batch;

  beforeEach(async () => {
    model = await tiny('llama-tied');
    batch = await batchOf(await recorded('llama'));
  });

  function matrix(shape: readonly [number, number], seed: number): TensorData {
    return { dtype: 'f32', shape, data: numbers(shape[0] * shape[1], seed) };
  }

  function mlxFolder(tensors: Readonly<Record<string, TensorData>>, config: object = {}): Folder {
    const record = {
      fine_tune_type: 'lora',
      num_layers: 4,
      lora_parameters: { rank: 2, scale: 20, dropout: 0 },
      model: 'tiny/llama',
      learning_rate: 1e-5,
      ...config,
    };
    const files: [string, Uint8Array][] = [
      ['adapters.safetensors', joined(encodeSafetensors(new Map(Object.entries(tensors))))],
      ['adapter_config.json', jsonBytes(record)],
    ];
    return memoryFolder(new Map(files));
  }

  test.each(['lora', 'dora'])("what mlx-lm saved (%s) gives mlx-lm's logits", async (kind) => {
    const file = await recorded(`mlx-${kind}`);
    const { data, shape } = await file.read('ids');
    const inputIds = tensor(data, shape, 'i32');
    const attentionMask = tensor(new Int32Array(data.length).fill(1), shape, 'i32');
    const own = { inputIds, attentionMask };
    const base = await logits(model, own);
    const { adapter, warnings } = await loadAdapter(model, golden(`mlx-${kind}`));
    expect(warnings).toEqual([]);
    expect(adapter.layers.size).toBe(kind === 'lora' ? 4 : 3);
    const theirs = (await file.read('logits')).data;
    expect(maxDifference(theirs, base)).toBeGreaterThan(0.1);
    expect(maxDifference(await logits(model, own), theirs)).toBeLessThan(1e-4);
  });

  test('y + scale·(x·a)·b: the matrices are turned, the scale is alpha / r', async () => {
    const { inFeatures, outFeatures } = getModule(model, Q) as Linear;
    const [a, b] = [matrix([inFeatures, 2], 1), matrix([2, outFeatures], 2)];
    const { adapter, warnings } = await loadAdapter(
      model,
      mlxFolder({ [`${Q}.lora_a`]: a, [`${Q}.lora_b`]: b }),
    );
    expect(warnings).toEqual([]);
    expect(adapter.config).toMatchObject({
      r: 2,
      lora_alpha: 40,
      target_modules: ['self_attn.q_proj'],
      layers_to_transform: [1],
      base_model_name_or_path: 'tiny/llama',
    });
    const part = adapter.layers.get(Q)!;
    if (!isAdditive(part)) throw new Error('not additive');
    const delta = await part.delta().data();
    for (const [o, i] of [
      [0, 0],
      [3, 5],
      [outFeatures - 1, inFeatures - 1],
    ] as const) {
      const expected = [0, 1].reduce(
        (sum, k) => sum + 20 * Number(a.data[2 * i + k]) * Number(b.data[k * outFeatures + o]),
        0,
      );
      expect(delta[o * inFeatures + i]).toBeCloseTo(expected, 4);
    }
  });

  test.each<[string, LoraOptions]>([
    ['LoRA', { target_modules: ['q_proj', 'v_proj'], r: 4, lora_alpha: 6 }],
    ['DoRA', { target_modules: ['q_proj'], r: 2, use_dora: true }],
    ['an embedding', { target_modules: ['embed_tokens', 'k_proj'], r: 2 }],
    [
      'ranks and scales of single layers',
      {
        target_modules: ['q_proj', 'v_proj'],
        r: 4,
        rank_pattern: { v_proj: 2 },
        alpha_pattern: { q_proj: 3 },
        use_rslora: true,
      },
    ],
  ])('there and back: %s', async (_name, options) => {
    const adapter = await addAdapter(model, LORA, loraConfig(options));
    await shake(adapter.trainable.values());
    const before = await logits(model, batch);
    const files = mlxFiles(await adapterData(adapter));
    removeAdapter(model, adapter);
    const { warnings } = await loadAdapter(model, folderOf(files));
    expect(warnings.length).toBe(options.target_modules.includes('embed_tokens') ? 1 : 0);
    expect(maxDifference(await logits(model, batch), before)).toBeLessThan(1e-5);
  });

  test('the names and shapes that mlx-lm looks for', async () => {
    const adapter = await injectLora(model, { target_modules: ['q_proj'], r: 4, lora_alpha: 6 });
    const files = mlxFiles(await adapterData(adapter));
    const config = JSON.parse(new TextDecoder().decode(joined(files.get('adapter_config.json')!)));
    expect(config).toMatchObject({
      fine_tune_type: 'lora',
      num_layers: -1,
      lora_parameters: { rank: 4, scale: 1.5, dropout: 0, keys: ['self_attn.q_proj'] },
    });
    const folder = folderOf(files);
    const reader = await openSafetensors((await folder.open('adapters.safetensors'))!);
    const { inFeatures, outFeatures } = adapterBase();
    expect((await reader.read(`${Q}.lora_a`)).shape).toEqual([inFeatures, 4]);
    expect((await reader.read(`${Q}.lora_b`)).shape).toEqual([4, outFeatures]);
    function adapterBase(): Linear {
      removeAdapter(model, adapter);
      return getModule(model, Q) as Linear;
    }
  });

  test('what is no LoRA is refused', async () => {
    const a = matrix([64, 2], 1);
    const refuse = (folder: Folder, message: RegExp): Promise<void> =>
      expect(openAdapter(folder)).rejects.toThrow(message);
    await refuse(mlxFolder({ 'model.norm.weight': a }), /"model.norm.weight" is no part of LoRA/);
    await refuse(mlxFolder({ [`${TABLE}.m`]: a }), /no part of LoRA, or of DoRA on a linear/);
    await refuse(mlxFolder({ [`${Q}.lora_b`]: a }), /every layer needs lora_a and lora_b/);
    await refuse(
      mlxFolder({ [`${Q}.lora_a`]: a }, { fine_tune_type: 'full' }),
      /only lora and dora/,
    );
    const cube: TensorData = { dtype: 'f32', shape: [2, 2, 2], data: new Float32Array(8) };
    await refuse(mlxFolder({ [`${Q}.lora_a`]: cube }), /3 axes \(experts/);
    const head = await loadAdapter(await tiny('gpt2-classifier'), golden('gpt2/trained'));
    const data = await adapterData(head.adapter);
    expect(() => mlxFiles(data)).toThrow(/cannot hold 'score.weight'/);
    expect(() => mlxFiles({ ...data, parameters: new Map() })).toThrow(/fan_in_fan_out/);
  });
});
