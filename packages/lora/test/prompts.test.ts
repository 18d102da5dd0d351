/** @file Prompts and prefixes against PEFT (tools/oracle/prompts.py): files, logits, 30 steps of training, generation. */
import { grad } from '@camada/autograd';
import {
  ADAPTION_PROMPT,
  PREFIX_TUNING,
  PROMPT_TUNING,
  P_TUNING,
  adaptionPromptConfig,
  addModelAdapter,
  addedNumbers,
  enableAdapter,
  loadAdapter,
  mergeAdapter,
  pTuningConfig,
  prefixTuningConfig,
  promptTuningConfig,
  promptTuningFrom,
  removeAdapter,
  saveAdapter,
  type Adapter,
} from '@camada/lora';
import {
  AdamW,
  type CausalLM,
  createContext,
  generate,
  generateBatch,
  getParameter,
  type HeadModel,
} from '@camada/nn';
import { realize, tensor } from '@camada/tensor';
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

interface Facts {
  readonly base: Parameters<typeof tiny>[0];
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly losses: readonly number[];
  readonly trainableParameters: number;
  readonly prompt?: readonly number[];
  readonly generated?: readonly number[];
}

const NAMES = [
  'prompt-bert',
  'prompt-roberta',
  'prompt-llama',
  'prompt-gpt2',
  'prompt-gpt2-classifier',
  'p-tuning-bert',
  'p-tuning-llama',
  'prefix-bert',
  'prefix-llama',
  'prefix-mistral',
  'prefix-gpt2',
  'prefix-projection',
  'adaption-llama',
  'adaption-gpt2',
] as const;
type Name = (typeof NAMES)[number];

const facts = (name: Name): Facts => json(golden(`prompts/${name}/golden.json`));
const trained = (name: Name): string => golden(`prompts/${name}/trained`);

/** A fresh adapter with the settings of PEFT's. */
async function fresh(name: Name, model: HeadModel): Promise<Adapter> {
  const config = json<Record<string, unknown>>(`${trained(name)}/adapter_config.json`);
  const saved = config['modules_to_save'] as readonly string[] | null | undefined;
  const shared = { num_virtual_tokens: 4, modules_to_save: saved ?? null };
  if (name.startsWith('prompt'))
    return addModelAdapter(model, PROMPT_TUNING, promptTuningConfig(model, shared));
  const width = config['encoder_hidden_size'] as number;
  const hidden = { ...shared, encoder_hidden_size: width };
  if (name.startsWith('p-tuning'))
    return addModelAdapter(model, P_TUNING, pTuningConfig(model, hidden));
  const prefix_projection = name === 'prefix-projection';
  if (name.startsWith('prefix'))
    return addModelAdapter(
      model,
      PREFIX_TUNING,
      prefixTuningConfig(model, { ...hidden, prefix_projection }),
    );
  const layers = name === 'adaption-llama' ? [1, 2] : [1];
  const gated = adaptionPromptConfig(model, { adapter_len: 5, layers });
  return addModelAdapter(model, ADAPTION_PROMPT, gated);
}

describe.each(['reference', 'wasm', 'webgpu'] as const)('on %s', (backend) => {
  beforeAll(() => on(backend));

  test.each(NAMES)(
    "%s, trained by PEFT, gives PEFT's logits; off, the model's own",
    async (name) => {
      const model = await tiny(facts(name).base);
      const file = await recorded(`prompts/${name}`);
      const batch = await batchOf(file);
      const { adapter, warnings } = await loadAdapter(model, trained(name));
      expect(warnings).toEqual([]);
      const expected = (await file.read('logits')).data as Float32Array;
      const base = (await file.read('logits.base')).data as Float32Array;
      expect(maxDifference(await logits(model, batch), expected)).toBeLessThan(1e-4);
      expect(maxDifference(expected.slice(-base.length), base)).toBeGreaterThan(0.1);
      enableAdapter(model, adapter, false);
      expect(maxDifference(await logits(model, batch), base)).toBeLessThan(1e-4);
    },
  );
});

describe('training and generation', () => {
  beforeAll(() => on('wasm'));

  test.each(NAMES)("%s, trained here from PEFT's start, follows PEFT's losses", async (name) => {
    const { base, losses, learningRate, weightDecay, trainableParameters } = facts(name);
    const model = await tiny(base);
    const file = await recorded(`prompts/${name}`);
    const batch = await batchOf(file);
    const { trainable } = await fresh(name, model);
    const starts = file.names.filter((key) => key.startsWith('start.'));
    expect([...trainable.keys()].sort()).toEqual(starts.map((key) => key.slice(6)).sort());
    for (const [key, parameter] of trainable) {
      const { data, shape } = await file.read(`start.${key}`);
      parameter.assign(tensor(data, shape));
    }
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

  test.each(NAMES.filter((name) => facts(name).generated))(
    "%s continues a prompt with PEFT's tokens, in a batch of unequal prompts too",
    async (name) => {
      const { base, prompt, generated } = facts(name);
      const model = (await tiny(base)) as CausalLM;
      await loadAdapter(model, trained(name));
      const options = { maxNewTokens: generated!.length, temperature: 0, eosTokenIds: [] };
      expect(await generate(model, prompt!, options)).toEqual(generated);
      expect(await generateTogether(model, prompt!, options)).toEqual(generated);
    },
  );
});

async function generateTogether(
  model: CausalLM,
  prompt: readonly number[],
  options: Parameters<typeof generate>[2],
): Promise<number[]> {
  const [, own] = await generateBatch(model, [[5, 6, 7, 8, 9, 10, 11], prompt, [7]], options);
  return own!;
}

describe('files', () => {
  beforeAll(() => on('wasm'));

  test.each(NAMES)("%s, loaded and saved, is PEFT's file to the byte", async (name) => {
    const model = await tiny(facts(name).base);
    const { adapter } = await loadAdapter(model, trained(name));
    await inFolder(async (folder) => {
      await saveAdapter(folder, adapter);
      const bytes = (path: string): Promise<Buffer> =>
        readFile(`${path}/adapter_model.safetensors`);
      expect(await bytes(folder)).toEqual(await bytes(trained(name)));
      const again = await loadAdapter(await tiny(facts(name).base), folder);
      expect(again.adapter.config).toEqual(adapter.config);
    });
  });

  test.each(['p-tuning-llama', 'prefix-projection'] as const)(
    '%s stores what its network makes, and gives the same logits without it',
    async (name) => {
      const model = await tiny(facts(name).base);
      const batch = await batchOf(await recorded(`prompts/${name}`));
      const adapter = await fresh(name, model);
      const before = await logits(model, batch);
      await inFolder(async (folder) => {
        await saveAdapter(folder, adapter);
        removeAdapter(model, adapter);
        const { adapter: loaded } = await loadAdapter(model, folder);
        expect(addedNumbers(loaded)).toBeLessThan(addedNumbers(adapter));
        expect(maxDifference(await logits(model, batch), before)).toBeLessThan(1e-5);
      });
    },
  );
});

describe('a fresh adapter', () => {
  beforeAll(() => on('reference'));

  test('with gates at 0 keeps every bit of the outputs, whichever the blocks and gates', async () => {
    const model = await tiny('llama-tied');
    const batch = await batchOf(await recorded('prompts/adaption-llama'));
    const before = await logits(model, batch);
    const config = adaptionPromptConfig(model, { layers: [0, 2], per_head_gate: true });
    const adapter = await addModelAdapter(model, ADAPTION_PROMPT, config);
    expect(await logits(model, batch)).toEqual(before);
    expect(addedNumbers(adapter)).toBe(2 * (10 * 32 + 4));
    await inFolder(async (folder) => {
      await saveAdapter(folder, adapter);
      removeAdapter(model, adapter);
      const { adapter: loaded, warnings } = await loadAdapter(model, folder);
      expect(loaded.config).toEqual(config);
      expect(warnings).toEqual([]);
    });
  });

  test('of prompt tuning begins as words of the vocabulary, or as a text that is cut or repeated', async () => {
    const model = await tiny('llama-tied');
    const table = await getParameter(model, model.wordEmbeddings).data();
    const row = (id: number): number[] => [...table.subarray(id * 32, (id + 1) * 32)];
    const text = { prompt_tuning_init: 'TEXT', prompt_tuning_init_text: 'a text' } as const;
    const config = promptTuningConfig(model, { num_virtual_tokens: 5, ...text });
    const adapter = await addModelAdapter(model, promptTuningFrom([7, 9]), config);
    const [value] = adapter.trainable.values();
    expect([...(await value!.data())]).toEqual([7, 9, 7, 9, 7].flatMap(row));
    removeAdapter(model, adapter);
    const sampled = promptTuningConfig(model, { num_virtual_tokens: 3 });
    const other = await addModelAdapter(model, PROMPT_TUNING, sampled, { seed: 1 });
    const [words] = other.trainable.values();
    const rows = Array.from({ length: 101 }, (_, id) => row(id).join());
    const own = [...(await words!.data())];
    for (const start of [0, 32, 64]) expect(rows).toContain(own.slice(start, start + 32).join());
  });

  test.each(['prompt-llama', 'prefix-bert', 'p-tuning-bert', 'adaption-llama'] as const)(
    '%s has the gradients of finite differences',
    async (name) => {
      const model = await tiny(facts(name).base);
      const batch = await batchOf(await recorded(`prompts/${name}`));
      const { adapter } = await loadAdapter(model, trained(name));
      const [key, parameter] = [...adapter.trainable].find(([name]) => /prompt/.test(name))!;
      const loss = (): ReturnType<HeadModel['loss']> =>
        model.loss(model.call(batch, createContext()), batch);
      const [gradient] = grad(loss(), [parameter]);
      const exact = await gradient!.data();
      const start = Float32Array.from(await parameter.data());
      const step = 1e-3;
      for (const i of [0, 11, start.length - 1]) {
        const at = async (shift: number): Promise<number> => {
          const moved = start.map((x, j) => (j === i ? x + shift : x));
          parameter.assign(tensor(moved, parameter.shape));
          return loss().item();
        };
        const difference = ((await at(step)) - (await at(-step))) / (2 * step);
        expect(Math.abs(difference - exact[i]!), `${key}[${i}]`).toBeLessThan(
          1e-3 * Math.max(1, Math.abs(difference)),
        );
      }
    },
  );
});

describe('what cannot be is refused in words', () => {
  beforeAll(() => on('wasm'));

  test('a second prompt, merging, an architecture without past keys, too many tokens', async () => {
    const model = await tiny('llama-tied');
    const config = promptTuningConfig(model, { num_virtual_tokens: 2 });
    const adapter = await addModelAdapter(model, PROMPT_TUNING, config);
    await expect(mergeAdapter(model, adapter)).rejects.toThrow(/cannot be merged/);
    const distilbert = await tiny('distilbert-classifier');
    const prefix = prefixTuningConfig(distilbert, { num_virtual_tokens: 2 });
    await expect(addModelAdapter(distilbert, PREFIX_TUNING, prefix)).rejects.toThrow(
      /prefix tuning is not offered for distilbert/,
    );
    expect(() => adaptionPromptConfig(distilbert)).toThrow(/offered for llama, mistral, gpt2/);
    const long = promptTuningConfig(distilbert, { num_virtual_tokens: 4000 });
    await expect(addModelAdapter(distilbert, PROMPT_TUNING, long)).rejects.toThrow(/leave no room/);
    await expect(loadAdapter(distilbert, trained('prompt-llama'))).rejects.toThrow(
      /was it trained for another model/,
    );
  });
});
