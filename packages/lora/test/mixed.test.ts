/** @file Batches whose rows use different adapters, and switching between many, without another program. */
import {
  adaLoraConfig,
  ADALORA,
  addAdapter,
  addWeightedAdapter,
  VERA,
  veraConfig,
  BASE_ROWS,
  injectLora,
  LN_TUNING,
  lnTuningConfig,
  LORA,
  loraConfig,
  mergeAdapter,
  mixAdapters,
  setActiveAdapters,
  setScale,
  unmergeAdapter,
  deleteAdapter,
  adaptersOf,
  type Adapter,
  type LoraOptions,
} from '@camada/lora';
import { createContext, namedParameters, type Batch, type HeadModel } from '@camada/nn';
import { capture, concat, InputError, memory, type MemoryUse, type Tensor } from '@camada/tensor';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { batchOf, logits, maxDifference, on, recorded, shake, tiny } from './support.ts';

const HEAD = ['classifier'];
const KINDS: readonly LoraOptions[] = [
  { target_modules: ['query', 'value'], r: 4, lora_alpha: 8, modules_to_save: HEAD },
  { target_modules: ['query'], r: 2, lora_alpha: 6 },
  { target_modules: ['dense', 'key'], r: 3, use_rslora: true },
  { target_modules: ['value'], r: 8, layers_to_transform: [1], modules_to_save: HEAD },
];

let model: HeadModel;
let batch: Batch;

async function add(name: string, options: LoraOptions, seed: number): Promise<Adapter> {
  const adapter = await addAdapter(model, LORA, loraConfig(options), { name, seed });
  await shake(adapter.trainable.values());
  return adapter;
}

/** One row of a batch. */
function row(of: Batch, i: number): Batch {
  const cut = (x: Tensor): Tensor => x.slice(0, i, i + 1);
  return Object.fromEntries(
    Object.entries(of).map(([key, value]) => [key, cut(value as Tensor)]),
  ) as unknown as Batch;
}

/** The three rows of the recording, again and again. */
function repeated(count: number): Batch {
  const times = (x: Tensor): Tensor =>
    concat(
      Array.from({ length: Math.ceil(count / 3) }, () => x),
      0,
    ).slice(0, 0, count);
  return Object.fromEntries(
    Object.entries(batch).map(([key, value]) => [key, times(value as Tensor)]),
  ) as unknown as Batch;
}

/** Memory when results that nobody holds are gone. */
async function collected(): Promise<MemoryUse> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc!();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return memory();
}

beforeAll(async () => {
  await on('wasm');
});

beforeEach(async () => {
  model = await tiny('bert-classifier');
  batch = await batchOf(await recorded('bert'));
});

describe('rows of different adapters', () => {
  test.each(['reference', 'wasm', 'webgpu'] as const)(
    'a mixed batch of 8 adapters is 8 separate runs, in one program (%s)',
    async (backend) => {
      const { counters } = await on(backend);
      model = await tiny('bert-classifier');
      batch = await batchOf(await recorded('bert'));
      const names = Array.from({ length: 8 }, (_, i) => `a${i}`);
      for (const [i, name] of names.entries()) await add(name, KINDS[i % 4]!, i);
      const nine = repeated(9);
      const assigned = [...names, BASE_ROWS].reverse();
      const mixed = await mixAdapters(model, names);
      const run = async (rows: readonly string[]): Promise<number[]> => [
        ...(await model.call(nine, mixed.context(nine, mixed.rows(rows))).logits.data()),
      ];
      const together = await run(assigned);
      const { compiled } = counters;
      const turned = await run(names.concat(BASE_ROWS));
      expect(counters.compiled).toBe(compiled);
      for (const [i, name] of assigned.entries()) {
        setActiveAdapters(model, name === BASE_ROWS ? [] : [name]);
        const alone = await logits(model, row(nine, i));
        expect(maxDifference(together.slice(3 * i, 3 * i + 3), alone), name).toBeLessThan(1e-5);
        const other = await logits(model, row(nine, 8 - i));
        const there = turned.slice(3 * (8 - i), 3 * (8 - i) + 3);
        expect(maxDifference(there, other), name).toBeLessThan(1e-5);
      }
      await on('wasm');
    },
  );

  test('the choice is data of a captured step', async () => {
    await add('a', KINDS[0]!, 1);
    await add('b', KINDS[1]!, 2);
    const mixed = await mixAdapters(model, ['a', 'b']);
    const step = capture((args: { rows: Tensor; batch: Batch }) => ({
      logits: model.call(args.batch, mixed.context(args.batch, args.rows)).logits,
    }));
    const results: number[][] = [];
    const orders = [
      ['a', 'b', BASE_ROWS],
      ['b', 'b', 'a'],
      [BASE_ROWS, 'a', 'b'],
    ];
    for (const order of orders)
      results.push([...(await (await step({ rows: mixed.rows(order), batch })).logits.data())]);
    expect(step.builds()).toBe(2);
    for (const [i, order] of orders.entries()) {
      const { logits: fresh } = model.call(batch, mixed.context(batch, mixed.rows(order)));
      expect(results[i]).toEqual([...(await fresh.data())]);
    }
  });

  test('adapters of embeddings mix', async () => {
    const options = { target_modules: ['word_embeddings', 'query'], r: 3, lora_alpha: 6 };
    await add('a', options, 1);
    await add('b', { ...options, r: 2 }, 2);
    const mixed = await mixAdapters(model, ['a', 'b']);
    const rows = mixed.rows(['b', BASE_ROWS, 'a']);
    const together = [...(await model.call(batch, mixed.context(batch, rows)).logits.data())];
    for (const [i, name] of ['b', undefined, 'a'].entries()) {
      setActiveAdapters(model, name === undefined ? [] : [name]);
      const alone = await logits(model, row(batch, i));
      expect(maxDifference(together.slice(3 * i, 3 * i + 3), alone)).toBeLessThan(1e-5);
    }
  });

  test('adapters of VeRA and AdaLoRA mix with LoRA, and combine', async () => {
    await add('lora', KINDS[1]!, 1);
    const vera = veraConfig({ target_modules: ['query', 'value'], r: 6 });
    const adalora = adaLoraConfig({
      target_modules: ['value'],
      init_r: 3,
      target_r: 2,
      total_step: 10,
    });
    const others = [
      await addAdapter(model, VERA, vera, { name: 'vera' }),
      await addAdapter(model, ADALORA, adalora, { name: 'adalora' }),
    ];
    for (const adapter of others) await shake(adapter.trainable.values());
    const names = ['adalora', 'lora', 'vera'];
    const mixed = await mixAdapters(model, names);
    const context = mixed.context(batch, mixed.rows(names));
    const together = [...(await model.call(batch, context).logits.data())];
    for (const [i, name] of names.entries()) {
      setActiveAdapters(model, [name]);
      const alone = await logits(model, row(batch, i));
      expect(maxDifference(together.slice(3 * i, 3 * i + 3), alone), name).toBeLessThan(1e-5);
    }
    setActiveAdapters(model, names);
    const all = await logits(model, batch);
    const weights = { adalora: 1, lora: 1, vera: 1 };
    const sum = await addWeightedAdapter(model, weights, { name: 'sum', combination_type: 'cat' });
    expect(sum.config).toMatchObject({ r: 11, lora_alpha: 11 });
    expect(maxDifference(await logits(model, batch), all)).toBeLessThan(1e-5);
  });

  test('disposed, the model has its own modules and adapters as before', async () => {
    const adapter = await add('a', KINDS[0]!, 1);
    const before = [...namedParameters(model).keys()];
    const expected = await logits(model, batch);
    const mixed = await mixAdapters(model, ['a']);
    mixed.dispose();
    expect([...namedParameters(model).keys()]).toEqual(before);
    expect(await logits(model, batch)).toEqual(expected);
    expect(adapter.trainable.size).toBeGreaterThan(0);
  });

  test('what cannot be mixed is refused', async () => {
    const adapter = await add('a', KINDS[0]!, 1);
    await expect(mixAdapters(model, ['b'])).rejects.toThrow("no adapter 'b'; it has a");
    const mixed = await mixAdapters(model, ['a']);
    expect(() => mixed.rows(['a', 'c'])).toThrow("'c' is not among a, __base__");
    expect(() =>
      mixed.context(batch, mixed.rows(['a']), createContext({ training: true })),
    ).toThrow(/inference, not training/);
    expect(() => mixed.context(batch, mixed.rows(['a']))).toThrow(/1 names of adapters for 3 rows/);
    await mergeAdapter(model, adapter);
    const whole = mixed.context(batch, mixed.rows(['a', 'a', 'a']));
    expect(() => model.call(batch, whole)).toThrow(/unmerge the adapter/);
    unmergeAdapter(model, adapter);
    await add('other', KINDS[0]!, 2);
    expect(() => mixed.context(batch, mixed.rows(['a', 'a', 'a']))).toThrow(
      /'other' is switched on and has its own 'classifier.weight'/,
    );
    const norms = lnTuningConfig({ target_modules: ['LayerNorm'] });
    await addAdapter(model, LN_TUNING, norms, { name: 'norms' });
    expect(() => mixed.context(batch, mixed.rows(['a', 'a', 'a']))).toThrow(
      /'norms' \(LN_TUNING\) is switched on and would act on every row/,
    );
    await add('d', { target_modules: ['query'], use_dora: true }, 3);
    await expect(mixAdapters(model, ['d'])).rejects.toThrow(/adds no update s·B·A/);
  });
});

describe('switching', () => {
  test('100 adapters of one base take turns: nothing is compiled, nothing grows', async () => {
    const { counters } = await on('wasm');
    model = await tiny('bert-classifier');
    batch = await batchOf(await recorded('bert'));
    const options = { ...KINDS[0]!, target_modules: ['query', 'value', 'dense'] };
    const turn = async (i: number): Promise<number[]> => {
      const adapter = await add(`a${i}`, options, i);
      const result = await logits(model, batch);
      deleteAdapter(model, adapter);
      return result;
    };
    const base = await logits(model, batch);
    const first = await turn(0);
    await turn(1);
    const { compiled } = counters;
    const { live } = await collected();
    for (let i = 2; i < 100; i++) await turn(i);
    expect(counters.compiled).toBe(compiled);
    expect((await collected()).live).toBeLessThanOrEqual(live);
    expect(adaptersOf(model).size).toBe(0);
    expect(await turn(0)).toEqual(first);
    expect(await logits(model, batch)).toEqual(base);
  });

  test('adapters side by side are switched, also in a captured step', async () => {
    const { counters } = await on('wasm');
    model = await tiny('bert-classifier');
    batch = await batchOf(await recorded('bert'));
    for (const name of ['a', 'b', 'c']) await add(name, KINDS[0]!, name.codePointAt(0)!);
    const step = capture((args: Batch) => ({ logits: model.call(args, createContext()).logits }));
    const seen = new Map<string, readonly number[]>();
    const use = async (name: string): Promise<void> => {
      setActiveAdapters(model, [name]);
      for (let i = 0; i < 3; i++) {
        const result = [...(await (await step(batch)).logits.data())];
        expect(result).toEqual(seen.get(name) ?? result);
        seen.set(name, result);
      }
    };
    await use('a');
    const { compiled } = counters;
    for (const name of ['b', 'c', 'a', 'b', 'c', 'a']) await use(name);
    expect(counters.compiled).toBe(compiled);
    expect(maxDifference(seen.get('a')!, seen.get('b')!)).toBeGreaterThan(1e-3);
  });
});

describe('the scale', () => {
  test('is data, in a captured step too; 0 is the base model, -1 the other way', async () => {
    const { counters } = await on('wasm');
    model = await tiny('bert-classifier');
    batch = await batchOf(await recorded('bert'));
    const base = await logits(model, batch);
    const adapter = await injectLora(model, { target_modules: ['query'], r: 2, lora_alpha: 6 });
    await shake(adapter.trainable.values());
    const one = await logits(model, batch);
    const step = capture((args: Batch) => ({ logits: model.call(args, createContext()).logits }));
    const captured = async (): Promise<number[]> => [...(await (await step(batch)).logits.data())];
    expect(await captured()).toEqual(one);
    expect(await captured()).toEqual(one);
    const { compiled } = counters;
    const builds = step.builds();
    setScale(model, adapter, 0);
    expect(await captured()).toEqual(base);
    setScale(model, adapter, 0.5);
    const half = await captured();
    expect(half).toEqual(await logits(model, batch));
    expect(maxDifference(half, one)).toBeGreaterThan(1e-4);
    setScale(model, adapter, 1);
    expect(await captured()).toEqual(one);
    expect(step.builds()).toBe(builds);
    expect(counters.compiled).toBe(compiled);
  });

  test('is refused where it would not show', async () => {
    const adapter = await add('a', KINDS[1]!, 1);
    expect(() => setScale(model, adapter, NaN)).toThrow(InputError);
    await mergeAdapter(model, adapter);
    expect(() => setScale(model, adapter, 2)).toThrow(/unmerge it first/);
    const dora = await add('d', { target_modules: ['key'], use_dora: true }, 3);
    expect(() => setScale(model, dora, 2)).toThrow(/no scale/);
    const olora = { target_modules: ['key'], r: 2, init_lora_weights: 'olora' };
    const residual = await add('o', olora, 4);
    expect(() => setScale(model, residual, 2)).toThrow(/no scale/);
  });
});

describe('decoders', () => {
  test.each([
    ['llama-tied', 'llama', ['q_proj', 'v_proj', 'down_proj']],
    ['gpt2-classifier', 'gpt2', ['c_attn', 'c_proj']],
  ] as const)('%s', async (checkpoint, recording, target_modules) => {
    model = await tiny(checkpoint);
    batch = await batchOf(await recorded(recording));
    const count = batch.inputIds.shape[0]!;
    await add('a', { target_modules, r: 4 }, 1);
    await add('b', { target_modules, r: 2, layers_to_transform: [1] }, 2);
    const mixed = await mixAdapters(model, ['a', 'b']);
    const names = ['b', BASE_ROWS, 'a'].slice(0, count);
    const context = mixed.context(batch, mixed.rows(names));
    const together = [...(await model.call(batch, context).logits.data())];
    const each = together.length / count;
    for (const [i, name] of names.entries()) {
      setActiveAdapters(model, name === BASE_ROWS ? [] : [name]);
      const alone = (await logits(model, batch)).slice(each * i, each * (i + 1));
      expect(maxDifference(together.slice(each * i, each * (i + 1)), alone)).toBeLessThan(1e-5);
    }
  });
});
