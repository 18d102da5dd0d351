/** @file Several adapters from one folder, mixed and combined, against PEFT (tools/oracle/operations.py). */
import {
  adaptersOf,
  addAdapter,
  addWeightedAdapter,
  isAdditive,
  loadAdapter,
  LORA,
  loraConfig,
  mixAdapters,
  saveAdapter,
  setActiveAdapters,
  type Adapter,
  type CombinationType,
  type CombineOptions,
  type LoraOptions,
} from '@camada/lora';
import type { TensorReader } from '@camada/hub';
import type { Batch, HeadModel } from '@camada/nn';
import { InputError, type Tensor } from '@camada/tensor';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
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

interface Case {
  readonly adapters: readonly string[];
  readonly combination_type?: CombinationType;
  readonly density?: number;
  readonly majority_sign_method?: 'total' | 'frequency';
  readonly svd_rank?: number;
}

interface Facts {
  readonly rows: readonly string[];
  readonly weights: Readonly<Record<string, number>>;
  readonly combined: Readonly<Record<string, Case>>;
}

const FACTS: Facts = json(golden('operations/golden.json'));
const NAMES = ['default', 'second', 'third', 'narrow'];
const QUERY = 'bert.encoder.layer.1.attention.self.query';
const VALUE = QUERY.replace('query', 'value');

let model: HeadModel;
let file: TensorReader;
let batch: Batch;

const expected = async (key: string): Promise<ArrayLike<number>> => (await file.read(key)).data;
const weightsOf = (names: readonly string[]): Record<string, number> =>
  Object.fromEntries(names.map((name) => [name, FACTS.weights[name]!]));

beforeAll(async () => {
  await on('wasm');
  file = await recorded('operations');
  batch = await batchOf(file);
});

beforeEach(async () => {
  model = await tiny('bert-classifier');
  for (const name of NAMES)
    await loadAdapter(
      model,
      golden(`operations/adapters${name === 'default' ? '' : `/${name}`}`),
      name,
    );
});

async function delta(adapter: Adapter, path: string): Promise<number[]> {
  const part = adapter.layers.get(path)!;
  if (!isAdditive(part)) throw new Error('not additive');
  return [...(await part.delta().data())];
}

/** Σ wᵢ·ΔWᵢ. */
async function sum(weights: Readonly<Record<string, number>>, path: string): Promise<number[]> {
  const total = new Array<number>(32 * 32).fill(0);
  for (const [name, weight] of Object.entries(weights)) {
    const values = await delta(adaptersOf(model).get(name)!, path);
    values.forEach((value, i) => (total[i]! += weight * value));
  }
  return total;
}

describe('against PEFT', () => {
  test('rows of different adapters', async () => {
    const mixed = await mixAdapters(model, NAMES);
    const context = mixed.context(batch, mixed.rows(FACTS.rows));
    const ours = await model.call(batch, context).logits.data();
    expect(maxDifference(ours, await expected('mixed'))).toBeLessThan(1e-5);
  });

  test.each(Object.keys(FACTS.combined))('%s', async (name) => {
    const { adapters, ...settings } = FACTS.combined[name]!;
    const type = settings.combination_type ?? (name as CombinationType);
    const options: CombineOptions = { name: 'new', combination_type: type, ...settings };
    const combined = await addWeightedAdapter(model, weightsOf(adapters), options);
    expect(combined.config.lora_alpha).toBe(combined.config.r);
    const ours = await logits(model, batch);
    expect(maxDifference(ours, await expected(`${name}.logits`))).toBeLessThan(1e-5);
    for (const path of [QUERY, VALUE]) {
      const target = path.slice(path.lastIndexOf('.') + 1);
      const values = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];
      const { tensors } = combined.layers.get(path)!;
      if (type.endsWith('svd')) {
        const theirs = await expected(`${name}.${target}.delta`);
        expect(maxDifference(await delta(combined, path), theirs)).toBeLessThan(2e-5);
      } else
        for (const end of ['A', 'B']) {
          const theirs = await expected(`${name}.${target}.${end}`);
          const own = await values(tensors.get(`lora_${end}.weight`)!);
          expect(maxDifference(own, theirs), `${target} ${end}`).toBeLessThan(1e-6);
        }
    }
  });
});

describe('what is exact', () => {
  const weights = { default: 0.7, narrow: -2 };
  const combine = async (options: Omit<CombineOptions, 'name'>): Promise<number[]> =>
    delta(await addWeightedAdapter(model, weights, { ...options, name: 'new' }), QUERY);

  test('cat is the weighted sum, and so is svd from the sum of the ranks on', async () => {
    const exact = await sum(weights, QUERY);
    expect(maxDifference(await combine({ combination_type: 'cat' }), exact)).toBeLessThan(1e-5);
    model = await tiny('bert-classifier');
    for (const name of ['default', 'narrow'])
      await loadAdapter(
        model,
        golden(`operations/adapters${name === 'default' ? '' : `/${name}`}`),
        name,
      );
    expect(maxDifference(await combine({ svd_rank: 6 }), exact)).toBeLessThan(1e-5);
  });

  test('linear has cross terms', async () => {
    const equal = { default: 0.5, second: 0.5 };
    const linear = await addWeightedAdapter(model, equal, {
      name: 'l',
      combination_type: 'linear',
    });
    const exact = await sum(equal, QUERY);
    expect(maxDifference(await delta(linear, QUERY), exact)).toBeGreaterThan(0.1);
  });

  test("of one adapter alone linear is the adapter times its weight's size", async () => {
    const one = await addWeightedAdapter(model, { third: 0.25 }, { name: 'one' });
    const exact = await sum({ third: 0.25 }, QUERY);
    expect(maxDifference(await delta(one, QUERY), exact)).toBeLessThan(1e-6);
  });

  test('dare keeps numbers of the expected size, chosen by the seed', async () => {
    const only = async (seed: number, name: string): Promise<Float32Array> => {
      const options = { name, combination_type: 'dare_linear', density: 0.25, seed } as const;
      const made = await addWeightedAdapter(model, { default: 1, second: 0 }, options);
      return Float32Array.from(await made.layers.get(QUERY)!.tensors.get('lora_A.weight')!.data());
    };
    const drawn = await only(0, 'x');
    expect(await only(0, 'y')).toEqual(drawn);
    expect(await only(1, 'z')).not.toEqual(drawn);
    const own = await adaptersOf(model)
      .get('default')!
      .layers.get(QUERY)!
      .tensors.get('lora_A.weight')!
      .data();
    const root = Math.SQRT2; // √(w·s)
    let kept = 0;
    drawn.forEach((value, i) => {
      if (value === 0) return;
      kept++;
      expect(value / (own[i]! * root * 4)).toBeCloseTo(1, 5);
    });
    expect(kept / drawn.length).toBeGreaterThan(0.1);
    expect(kept / drawn.length).toBeLessThan(0.4);
  });
});

describe('what comes out', () => {
  test('is saved and loaded like any adapter; layers that differ are named by their paths', async () => {
    const options: LoraOptions = {
      target_modules: ['dense'],
      layers_to_transform: [2],
      r: 3,
      modules_to_save: ['classifier'],
    };
    const other = await addAdapter(model, LORA, loraConfig(options), { name: 'other' });
    await shake(other.trainable.values());
    const made = await addWeightedAdapter(
      model,
      { default: 1, other: 2 },
      { name: 'sum', combination_type: 'cat' },
    );
    expect(made.config.target_modules).toEqual([...made.layers.keys()]);
    expect(made.layers.size).toBe(5);
    expect([...made.saved.keys()]).toEqual(['classifier.weight', 'classifier.bias']);
    const before = await logits(model, batch);
    setActiveAdapters(model, ['default', 'other']);
    await inFolder(async (folder) => {
      await saveAdapter(folder, made);
      const again = await tiny('bert-classifier');
      await loadAdapter(again, folder);
      expect(await logits(again, batch)).toEqual(before);
    });
  });

  test('what cannot be combined is refused, and nothing is added', async () => {
    const refuse = async (
      weights: Record<string, number>,
      settings: Omit<CombineOptions, 'name'>,
      message: RegExp,
    ): Promise<void> => {
      const made = addWeightedAdapter(model, weights, { ...settings, name: 'new' });
      await expect(made).rejects.toThrow(InputError);
      await expect(made).rejects.toThrow(message);
      expect(adaptersOf(model).has('new')).toBe(false);
    };
    const two = { default: 1, second: 1 };
    await refuse({ nobody: 1 }, {}, /no adapter 'nobody'; it has default, second/);
    await refuse({}, {}, /no adapter is named/);
    await refuse({ default: NaN }, {}, /weight of 'default' is NaN/);
    await refuse(
      { default: 1, narrow: 1 },
      { combination_type: 'linear' },
      /equal ranks, these are 4, 2/,
    );
    await refuse(two, { combination_type: 'ties' }, /density above 0 to 1/);
    await refuse(two, { combination_type: 'dare_ties', density: 0 }, /got 0/);
    await refuse(two, { svd_rank: 0.5 }, /svd_rank is 0.5/);
    const options = { target_modules: ['key'], r: 4, modules_to_save: ['classifier'] };
    for (const name of ['p', 'q']) await addAdapter(model, LORA, loraConfig(options), { name });
    await refuse({ p: 1, q: 1 }, {}, /p and q both train parameters in full/);
    const dora = loraConfig({ target_modules: ['key'], use_dora: true });
    await addAdapter(model, LORA, dora, { name: 'dora' });
    await refuse({ dora: 1, default: 1 }, {}, /'dora' \(LORA\) adds no update/);
    await expect(addWeightedAdapter(model, two, { name: 'second' })).rejects.toThrow(/already has/);
  });
});
