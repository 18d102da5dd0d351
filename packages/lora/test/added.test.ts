/**
 * @file Added modules against PEFT (tools/oracle/added.py) and the library `adapters` (tools/oracle/bottlenecks.py):
 * files, logits, 30 steps of training, merging.
 */
import { grad } from '@camada/autograd';
import {
  BOTTLENECK,
  IA3,
  LN_TUNING,
  SHIRA,
  addAdapter,
  bottleneckConfig,
  bottleneckPlaces,
  enableAdapter,
  fisherScores,
  ia3Config,
  ia3Targets,
  lnTuningConfig,
  loadAdapter,
  loadHubAdapter,
  mergeAdapter,
  removeAdapter,
  saveAdapter,
  saveHubAdapter,
  sparseBy,
  sparseConfig,
  unmergeAdapter,
  type Adapter,
} from '@camada/lora';
import { openSafetensors } from '@camada/hub';
import {
  AdamW,
  createContext,
  getModule,
  getParameter,
  type HeadModel,
  type Linear,
} from '@camada/nn';
import { realize, tensor, type Tensor } from '@camada/tensor';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
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
  shake,
  tiny,
} from './support.ts';

interface Facts {
  readonly base: string;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly losses: readonly number[];
  readonly trainableParameters: number;
}

const PEFT = [
  'ia3-bert',
  'ia3-llama',
  'ia3-gpt2',
  'ln-bert',
  'ln-llama',
  'shira-bert',
  'shira-llama',
];
const HUB = [
  'houlsby-bert',
  'pfeiffer-bert',
  'houlsby-distilbert',
  'pfeiffer-distilbert',
  'houlsby-gpt2',
];
const MERGED = PEFT;

const facts = (name: string): Facts => json(golden(`added/${name}/golden.json`));

function load(name: string, model: HeadModel, which: 'start' | 'trained'): Promise<Adapter> {
  const folder = golden(`added/${name}/${which}`);
  if (HUB.includes(name)) return loadHubAdapter(model, folder) as Promise<Adapter>;
  return loadAdapter(model, folder).then(({ adapter }) => adapter);
}

describe.each(['reference', 'wasm', 'webgpu'] as const)('on %s', (backend) => {
  beforeAll(() => on(backend));

  test.each([...PEFT, ...HUB])(
    "%s gives the library's logits; off, the model's own",
    async (name) => {
      const model = await tiny(facts(name).base);
      const file = await recorded(`added/${name}`);
      const batch = await batchOf(file);
      const adapter = await load(name, model, 'trained');
      const expected = (await file.read('logits')).data;
      const base = (await file.read('logits.base')).data;
      expect(maxDifference(await logits(model, batch), expected)).toBeLessThan(1e-4);
      expect(maxDifference(expected, base)).toBeGreaterThan(0.1);
      enableAdapter(model, adapter, false);
      expect(maxDifference(await logits(model, batch), base)).toBeLessThan(1e-4);
    },
  );
});

describe('training', () => {
  beforeAll(() => on('wasm'));

  test.each([...PEFT, ...HUB])("%s follows the library's losses from its start", async (name) => {
    const { base, losses, learningRate, weightDecay, trainableParameters } = facts(name);
    const model = await tiny(base);
    const batch = await batchOf(await recorded(`added/${name}`));
    const { trainable } = await load(name, model, 'start');
    const parameters = [...trainable.values()];
    expect(parameters.reduce((sum, { size }) => sum + size, 0)).toBe(trainableParameters);
    const optimizer = new AdamW(trainable, { weightDecay });
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

  test.each(PEFT)(
    "%s, loaded and saved, loads again the same, and is PEFT's file",
    async (name) => {
      const model = await tiny(facts(name).base);
      const adapter = await load(name, model, 'trained');
      await inFolder(async (folder) => {
        await saveAdapter(folder, adapter);
        const bytes = (path: string): Promise<Buffer> =>
          readFile(`${path}/adapter_model.safetensors`);
        // PEFT's indices are whole numbers; it reads them as floats, too.
        if (!name.startsWith('shira'))
          expect(await bytes(folder)).toEqual(await bytes(golden(`added/${name}/trained`)));
        const again = await loadAdapter(await tiny(facts(name).base), folder);
        expect(again.adapter.config).toEqual(adapter.config);
        expect(again.warnings).toEqual([]);
      });
    },
  );

  test.each(HUB)("%s, loaded and saved, has the library's tensors and settings", async (name) => {
    const model = await tiny(facts(name).base);
    const adapter = await loadHubAdapter(model, golden(`added/${name}/trained`));
    const written = [
      'adapter.safetensors',
      ...(adapter.saved.size > 0 ? ['model_head.safetensors'] : []),
    ];
    await inFolder(async (folder) => {
      await saveHubAdapter(folder, model, adapter);
      for (const file of written)
        expect(await tensorsIn(`${folder}/${file}`)).toEqual(
          await tensorsIn(golden(`added/${name}/trained/${file}`)),
        );
      const ours = json<{ config: object }>(`${folder}/adapter_config.json`);
      const theirs = json<{ config: object }>(golden(`added/${name}/trained/adapter_config.json`));
      expect(ours.config).toEqual(theirs.config);
    });
  });

  test('settings of adapters that ask for another computation are refused', async () => {
    const model = await tiny('bert-classifier');
    await inFolder(async (folder) => {
      const from = golden('added/houlsby-bert/trained');
      const config = json<{ config: object }>(`${from}/adapter_config.json`);
      await copyFile(`${from}/adapter.safetensors`, `${folder}/adapter.safetensors`);
      const changed = { ...config, config: { ...config.config, is_parallel: true } };
      await writeFile(`${folder}/adapter_config.json`, JSON.stringify(changed));
      await expect(loadHubAdapter(model, folder)).rejects.toThrow(/"is_parallel" is true/);
    });
  });
});

async function tensorsIn(file: string): Promise<Map<string, unknown>> {
  const reader = await openSafetensors(file);
  const found = new Map<string, unknown>();
  for (const name of [...reader.names].sort()) found.set(name, await reader.read(name));
  return found;
}

describe('merging', () => {
  beforeAll(() => on('wasm'));

  test.each(MERGED)(
    '%s, merged, gives the same outputs; unmerged, every bit of before',
    async (name) => {
      const model = await tiny(facts(name).base);
      const batch = await batchOf(await recorded(`added/${name}`));
      const adapter = await load(name, model, 'trained');
      const before = await logits(model, batch);
      const scale = Math.max(1, ...before.map(Math.abs));
      await mergeAdapter(model, adapter);
      expect(maxDifference(await logits(model, batch), before) / scale).toBeLessThan(1e-5);
      unmergeAdapter(model, adapter);
      expect(await logits(model, batch)).toEqual(before);
    },
  );

  test.each(['houlsby-bert', 'pfeiffer-bert'])('%s cannot be merged, in words', async (name) => {
    const model = await tiny(facts(name).base);
    const adapter = await load(name, model, 'trained');
    await expect(mergeAdapter(model, adapter)).rejects.toThrow(/merged/);
  });

  test('of sparse changes leaves all other weights as they were, to the bit', async () => {
    const model = await tiny('llama-tied');
    const path = 'model.layers.1.self_attn.q_proj';
    const before = Float32Array.from(await getParameter(model, `${path}.weight`).data());
    const adapter = await load('shira-llama', model, 'trained');
    await mergeAdapter(model, adapter);
    const merged = await getParameter(model, `${path}.base_layer.weight`).data();
    const changed = before.reduce((count, x, i) => count + Number(!Object.is(x, merged[i])), 0);
    expect(changed).toBeGreaterThan(100);
    expect(changed).toBeLessThanOrEqual(2 * (32 + 32));
  });
});

describe('a fresh adapter', () => {
  beforeAll(() => on('reference'));

  const fresh = async (name: string, model: HeadModel): Promise<Adapter> => {
    const layers_to_transform = [1];
    const { model_type } = model.config;
    if (name === 'ia3')
      return (await addAdapter(
        model,
        IA3,
        ia3Config({ ...ia3Targets(model_type), layers_to_transform }),
      )) as Adapter;
    if (name === 'ln')
      return (await addAdapter(
        model,
        LN_TUNING,
        lnTuningConfig({ target_modules: ['LayerNorm'], layers_to_transform }),
      )) as Adapter;
    const target_modules = ['query'];
    if (name === 'shira')
      return (await addAdapter(
        model,
        SHIRA,
        sparseConfig({ target_modules, r: 2, layers_to_transform }),
      )) as Adapter;
    const places = bottleneckPlaces(model, name === 'houlsby' ? 'houlsby' : 'pfeiffer', [1]);
    const config = bottleneckConfig({
      target_modules: places.map(({ path }) => path),
      init_weights: 'mam_adapter',
      reduction_factor: 8,
    });
    return (await addAdapter(model, BOTTLENECK, config)) as Adapter;
  };

  test.each(['ia3', 'ln', 'shira', 'houlsby', 'pfeiffer'])(
    '%s in one layer keeps every bit of the outputs, and saves what loads the same',
    async (name) => {
      const model = await tiny('bert-classifier');
      const batch = await batchOf(await recorded('added/ia3-bert'));
      const before = await logits(model, batch);
      const adapter = await fresh(name, model);
      expect(await logits(model, batch)).toEqual(before);
      expect([...adapter.layers.keys()].every((path) => path.includes('.layer.1.'))).toBe(true);
      await shake(adapter.trainable.values());
      const moved = await logits(model, batch);
      expect(maxDifference(moved, before)).toBeGreaterThan(1e-3);
      await inFolder(async (folder) => {
        await saveAdapter(folder, adapter);
        removeAdapter(model, adapter);
        await loadAdapter(model, folder);
        expect(maxDifference(await logits(model, batch), moved)).toBeLessThan(1e-6); // f64 in f32
      });
    },
  );

  test.each(['ia3', 'ln', 'shira', 'houlsby', 'pfeiffer'])(
    '%s has the gradients of finite differences',
    async (name) => {
      const model = await tiny('bert-classifier');
      const batch = await batchOf(await recorded('added/ia3-bert'));
      const { trainable } = await fresh(name, model);
      await shake(trainable.values());
      const loss = (): Tensor => model.loss(model.call(batch, createContext()), batch);
      for (const [key, parameter] of trainable) {
        const [gradient] = grad(loss(), [parameter]);
        const exact = (await gradient!.data())[1]!;
        const start = Float32Array.from(await parameter.data());
        const at = async (shift: number): Promise<number> => {
          parameter.assign(
            tensor(
              start.map((x, i) => (i === 1 ? x + shift : x)),
              parameter.shape,
            ),
          );
          return loss().item();
        };
        const difference = ((await at(2e-3)) - (await at(-2e-3))) / 4e-3;
        expect(Math.abs(difference - exact), key).toBeLessThan(1e-3);
      }
    },
  );

  test('of sparse changes can choose by Fisher information, the mean of squared gradients', async () => {
    const model = await tiny('bert-classifier');
    const path = 'bert.encoder.layer.2.output.dense';
    const { weight } = getModule(model, path) as Linear;
    const whole = await batchOf(await recorded('added/ia3-bert'));
    const row = (x: Tensor, i: number): Tensor => x.slice(0, i, i + 1);
    const examples = [0, 1, 2].map((i) => ({
      inputIds: row(whole.inputIds, i),
      attentionMask: row(whole.attentionMask, i),
      labels: row(whole.labels!, i),
    }));
    const scores = (await fisherScores(model, examples, [path])).get(path)!;
    const squares = new Float64Array(weight.size);
    for (const batch of examples) {
      const [gradient] = grad(model.loss(model.call(batch, createContext()), batch), [weight]);
      (await gradient!.data()).forEach((x, i) => (squares[i]! += x ** 2 / 3));
    }
    expect(maxDifference(scores, squares)).toBeLessThan(1e-12);
    expect(Math.max(...scores)).toBeGreaterThan(1e-6);
  });

  test('of sparse changes takes the weights with the greatest scores', async () => {
    const model = await tiny('bert-classifier');
    const path = 'bert.encoder.layer.0.attention.self.query';
    const scores = new Float32Array(32 * 32).map((_, i) => (i % 8 === 3 ? 1 + i : 0));
    const config = sparseConfig({ target_modules: [path], r: 2, mask_type: 'fisher' });
    const { layers } = await addAdapter(model, sparseBy(new Map([[path, scores]])), config);
    const indices = await layers.get(path)!.tensors.get('shira_indices')!.data();
    const flat = Array.from({ length: 128 }, (_, i) => indices[i]! * 32 + indices[128 + i]!);
    expect(flat).toEqual(Array.from({ length: 128 }, (_, i) => 8 * i + 3));
  });
});
