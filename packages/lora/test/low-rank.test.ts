/** @file Single layers of the low-rank methods: gradients against differences, starts, merging, random numbers, sizes. */
import { gradcheck } from '@camada/autograd';
import {
  ADALORA,
  adaLoraConfig,
  AdapterLayer,
  addAdapter,
  adaptersOf,
  injectLora,
  LORA,
  loadAdapter,
  loraConfig,
  loraPlusRules,
  mergeAdapter,
  RankAllocator,
  removeAdapter,
  ResidualPart,
  saveAdapter,
  setActiveAdapters,
  unmergeAdapter,
  VERA,
  veraConfig,
  type Adapter,
  type BaseLayer,
  type LayerConfig,
  type LayerMethod,
  type LayerPart,
} from '@camada/lora';
import { Conv1D, createContext, Embedding, Linear, setParameter, type Module } from '@camada/nn';
import { tensor, type Shape, type Tensor } from '@camada/tensor';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  batchOf,
  inFolder,
  logits,
  maxDifference,
  numbers,
  on,
  recorded,
  shake,
  tiny,
} from './support.ts';

beforeEach(() => on('wasm'));

const fill = (shape: Shape, seed: number): Tensor =>
  tensor(
    numbers(
      shape.reduce((n, size) => n * size, 1),
      seed,
    ),
    shape,
  );

/** A model of one layer. */
class One implements Module {
  readonly wte: BaseLayer;

  constructor(layer: Linear | Conv1D | Embedding) {
    setParameter(layer, 'weight', fill(layer.weight.shape, 3));
    if ('bias' in layer) setParameter(layer, 'bias', fill(layer.bias!.shape, 4));
    this.wte = layer as BaseLayer;
  }

  call(x: Tensor): Tensor {
    return this.wte.call(x, createContext({ training: true, seed: 8 }));
  }
}

const linear = (): Linear => new Linear(6, 4);
const conv = (): Conv1D => new Conv1D(6, 4);
const table = (): Embedding => new Embedding(7, 4);
const targets = { target_modules: ['wte'] };
const lora = (options: object): [LayerMethod, LayerConfig] => [
  LORA,
  loraConfig({ ...targets, r: 2, lora_alpha: 3, ...options }),
];
const vera = (options: object = {}): [LayerMethod, LayerConfig] => [
  VERA,
  veraConfig({ ...targets, r: 3, ...options }),
];
const adaLora: [LayerMethod, LayerConfig] = [
  ADALORA,
  adaLoraConfig({ ...targets, init_r: 3, target_r: 2, total_step: 10 }),
];

type Case = [string, () => Linear | Conv1D | Embedding, [LayerMethod, LayerConfig]];

const CASES: Case[] = [
  ['LoRA', linear, lora({})],
  ['LoRA, gaussian', linear, lora({ init_lora_weights: 'gaussian' })],
  ['LoRA, dropout', linear, lora({ lora_dropout: 0.4 })],
  ['LoRA on Conv1D', conv, lora({})],
  ['LoRA on an embedding', table, lora({})],
  ['DoRA', linear, lora({ use_dora: true })],
  ['DoRA, dropout', linear, lora({ use_dora: true, lora_dropout: 0.4 })],
  ['DoRA on Conv1D', conv, lora({ use_dora: true })],
  ['DoRA on an embedding', table, lora({ use_dora: true })],
  ['PiSSA', linear, lora({ init_lora_weights: 'pissa' })],
  ['PiSSA on Conv1D', conv, lora({ init_lora_weights: 'pissa' })],
  ['PiSSA, iterated', linear, lora({ init_lora_weights: 'pissa_niter_4' })],
  ['OLoRA', linear, lora({ init_lora_weights: 'olora' })],
  ['OLoRA on Conv1D', conv, lora({ init_lora_weights: 'olora' })],
  ['VeRA', linear, vera()],
  ['VeRA on Conv1D', conv, vera({ vera_dropout: 0.4 })],
  ['AdaLoRA', linear, adaLora],
  ['AdaLoRA on Conv1D', conv, adaLora],
];

async function begun([, layer, [method, config]]: Case): Promise<{ model: One; adapter: Adapter }> {
  const model = new One(layer());
  return { model, adapter: await addAdapter(model, method, config, { seed: 5 }) };
}

const inputOf = ([, layer]: Case): Tensor =>
  layer === table ? tensor(Int32Array.of(0, 3, 3, 6, 1), [5], 'i32') : fill([5, 6], 10);

describe.each(CASES)('%s', (...given) => {
  const exact = !/PiSSA|OLoRA|dropout|DoRA/.test(given[0]);

  test('begins as the base', async () => {
    const { model } = await begun(given);
    const x = inputOf(given);
    const now = await model.call(x).data();
    const base = await new One(given[1]()).call(x).data();
    // DoRA with dropout takes the base's share from the dropped input, as PEFT does.
    if (given[0] !== 'DoRA, dropout') expect(maxDifference(now, base)).toBeLessThan(2e-6);
    if (exact) expect(now).toEqual(base);
  });

  test('has the gradients of differences', async () => {
    await on('reference');
    const { model, adapter } = await begun(given);
    const start = new Map<string, Tensor>();
    const { tensors } = adapter.layers.get('wte')!;
    for (const [name, value] of tensors) start.set(name, tensor(await value.data(), value.shape));
    await shake(adapter.trainable.values());
    const x = inputOf(given);
    const { base_layer: base } = model.wte as AdapterLayer;
    // DoRA's norms are constants to the gradient, which differences do not know: its magnitudes alone are checked.
    const names = [...tensors.keys()].filter((name) => !/DoRA/.test(given[0]) || /magn/.test(name));
    const f = (values: Tensor[]): Tensor => {
      const own = new Map([...tensors, ...names.map((name, i) => [name, values[i]!] as const)]);
      const layer = new AdapterLayer(base);
      layer.add('default', rebuilt(adapter, base, own, start));
      return layer.call(x, createContext({ training: true, seed: 8 }));
    };
    const point = names.map((name) => tensors.get(name)!);
    const { maxError } = await gradcheck(f, point, { name: given[0] });
    expect(maxError).toBeLessThan(1e-5);
  });

  test('merged computes the same, in evaluation', async () => {
    const { model, adapter } = await begun(given);
    await shake(adapter.trainable.values());
    const x = inputOf(given);
    const run = (): Promise<ArrayLike<number>> => model.wte.call(x, createContext()).data();
    const before = await run();
    await mergeAdapter(model, adapter);
    expect(maxDifference(await run(), before)).toBeLessThan(1e-5);
    removeAdapter(model, adapter);
    expect(await run()).toEqual(await new One(given[1]()).wte.call(x, createContext()).data());
  });
});

/** The adapter's part over other tensors. */
function rebuilt(
  { config, method, shared, layers }: Adapter,
  base: BaseLayer,
  own: ReadonlyMap<string, Tensor>,
  start: ReadonlyMap<string, Tensor>,
): LayerPart {
  const pair = (from: ReadonlyMap<string, Tensor>): { A: Tensor; B: Tensor } => ({
    A: from.get('lora_A.weight')!,
    B: from.get('lora_B.weight')!,
  });
  if (layers.get('wte') instanceof ResidualPart)
    return new ResidualPart(pair(own), pair(start), { scale: 3 / 2, dropout: 0 });
  const place = { path: 'wte', base, config: config as LayerConfig, shared };
  return (method as LayerMethod).restore(place, own) as LayerPart; // low-rank methods need not wait
}

describe('beginnings', () => {
  async function product(init: string): Promise<{ delta: number; rest: number }> {
    const model = new One(linear());
    const adapter = await addAdapter(model, ...lora({ init_lora_weights: init }));
    const { tensors } = adapter.layers.get('wte')!;
    const part = tensors
      .get('lora_B.weight')!
      .matmul(tensors.get('lora_A.weight')!)
      .mul(3 / 2);
    const norm = (x: Tensor): Promise<number> => x.square().sum().sqrt().item();
    const rest = fill([4, 6], 3).sub(part);
    return { delta: await norm(part), rest: await norm(rest) };
  }

  test('PiSSA takes the best approximation of its rank; the iteration finds it too', async () => {
    const exact = await product('pissa');
    const iterated = await product('pissa_niter_16');
    expect(iterated.rest / exact.rest).toBeLessThan(1 + 1e-5);
    expect(exact.rest).toBeLessThan((await product('olora')).rest);
    expect(exact.rest).toBeGreaterThan(0.1);
    const whole = await fill([4, 6], 3).square().sum().sqrt().item();
    expect(exact.delta ** 2 + exact.rest ** 2).toBeCloseTo(whole ** 2, 3); // orthogonal parts
  });

  test('false begins with numbers in both', async () => {
    const model = new One(linear());
    const adapter = await addAdapter(model, ...lora({ init_lora_weights: false }));
    for (const value of adapter.trainable.values())
      expect(await value.abs().min().item()).toBeGreaterThan(0);
  });
});

describe('LoRA+', () => {
  test('B and vectors learn faster, embeddings at their own rate', async () => {
    const rules = loraPlusRules({ ratio: 4, embeddingRatio: 0.5 });
    const of = (name: string, shape: Shape): unknown => rules(name, fill(shape, 0));
    expect(of('q.lora_A.weight', [2, 3])).toEqual({});
    expect(of('q.lora_B.weight', [3, 2])).toEqual({ learningRateScale: 4 });
    expect(of('classifier.bias', [3])).toEqual({ learningRateScale: 4, weightDecay: 0 });
    expect(of('wte.lora_embedding_A', [2, 3])).toEqual({ learningRateScale: 0.5 });
    expect(() => loraPlusRules({ ratio: 0.5 })).toThrow('must be a number from 1');
  });
});

describe('AdaLoRA', () => {
  test('the budget falls by a cubic from init_r to target_r', async () => {
    const model = await tiny('bert-classifier');
    const options = { target_modules: ['query'], init_r: 12, target_r: 8, tinit: 10, tfinal: 20 };
    const adapter = await addAdapter(
      model,
      ADALORA,
      adaLoraConfig({ ...options, total_step: 100 }),
    );
    const allocator = new RankAllocator(adapter);
    const budgets = [0, 10, 11, 45, 79, 80, 90].map((step) => allocator.budget(step));
    // 3 layers: 36 to 24; halfway 12 / 8 remain above the target.
    expect(budgets).toEqual([36, 36, 35, 25, 24, 24, 24]);
    expect([79, 80].map((step) => allocator.observes(step))).toEqual([true, false]);
  });

  test('what leaves no steps to lower ranks in is refused', () => {
    const make = (options: object) => () =>
      adaLoraConfig({ ...targets, total_step: 10, ...options });
    expect(make({ tinit: 5, tfinal: 5 })).toThrow('leave none of the 10 steps');
    expect(make({ target_r: 13 })).toThrow('at most init_r, which is 12');
    expect(make({ total_step: 0 })).toThrow('total_step is 0');
  });
});

describe('several adapters on one model', () => {
  test('by name: each alone, both together, off; each saved and loaded again', async () => {
    const model = await tiny('bert-classifier');
    const batch = await batchOf(await recorded('bert'));
    const base = await logits(model, batch);
    const one = await addAdapter(model, ...lora({ target_modules: ['query', 'value'] }), {
      name: 'one',
    });
    await shake(one.trainable.values());
    const first = await logits(model, batch);
    const dora = lora({ target_modules: ['query', 'dense'], use_dora: true });
    const two = await addAdapter(model, ...dora, { name: 'two' });
    await shake(two.trainable.values());
    const second = await logits(model, batch);
    expect([...adaptersOf(model).keys()]).toEqual(['one', 'two']);
    setActiveAdapters(model, ['one']);
    expect(await logits(model, batch)).toEqual(first);
    setActiveAdapters(model, []);
    expect(await logits(model, batch)).toEqual(base);
    setActiveAdapters(model, ['one', 'two']);
    const both = await logits(model, batch);
    expect(maxDifference(both, first)).toBeGreaterThan(1e-3);
    expect(maxDifference(both, second)).toBeGreaterThan(1e-3);
    await mergeAdapter(model, two);
    await mergeAdapter(model, one);
    expect(maxDifference(await logits(model, batch), both)).toBeLessThan(1e-5);
    setActiveAdapters(model, ['one']); // merged or not, it is what is on that counts
    expect(maxDifference(await logits(model, batch), first)).toBeLessThan(1e-5);
    setActiveAdapters(model, ['one', 'two']);
    unmergeAdapter(model, two);
    unmergeAdapter(model, one);
    expect(await logits(model, batch)).toEqual(both);
    expect(() => setActiveAdapters(model, ['three'])).toThrow(
      "no adapter 'three'; it has one, two",
    );
    await inFolder(async (folder) => {
      await saveAdapter(`${folder}/one`, one);
      await saveAdapter(`${folder}/two`, two);
      const again = await tiny('bert-classifier');
      await loadAdapter(again, `${folder}/one`, 'one');
      await loadAdapter(again, `${folder}/two`, 'two');
      expect(await logits(again, batch)).toEqual(second);
      setActiveAdapters(again, ['one', 'two']);
      expect(await logits(again, batch)).toEqual(both);
    });
    removeAdapter(model, one);
    removeAdapter(model, two);
    expect(await logits(model, batch)).toEqual(base);
  });

  test('each with its own head: the model gets its own back', async () => {
    const model = await tiny('bert-classifier');
    const batch = await batchOf(await recorded('bert'));
    const base = await logits(model, batch);
    const make = async (name: string): Promise<Adapter> => {
      const own = lora({ target_modules: ['query'], modules_to_save: ['classifier'] });
      const adapter = await addAdapter(model, ...own, { name });
      await shake(adapter.trainable.values());
      return adapter;
    };
    const one = await make('one');
    const first = await logits(model, batch);
    const two = await make('two');
    setActiveAdapters(model, ['one']);
    expect(await logits(model, batch)).toEqual(first);
    removeAdapter(model, one);
    removeAdapter(model, two);
    expect(await logits(model, batch)).toEqual(base);
  });
});

test('an embedding that is also the output is adapted, but not merged', async () => {
  const model = await tiny('llama-tied');
  const adapter = await injectLora(model, { target_modules: ['embed_tokens'], r: 2 });
  await expect(mergeAdapter(model, adapter)).rejects.toThrow('is also the output layer');
});

test('an 8192 × 8192 layer at rank 8 trains 131,072 numbers in place of 67,108,864', async () => {
  const layer = new Linear(8192, 8192, false);
  const model = { wte: layer, call: (x: Tensor): Tensor => layer.call(x) };
  const { trainable } = await injectLora(model, { ...targets, r: 8 });
  const trained = [...trainable.values()].reduce((sum, { size }) => sum + size, 0);
  const line = `${layer.weight.size.toLocaleString('en')} → ${trained.toLocaleString('en')}`;
  console.log(`8192 × 8192, r 8: ${line}`);
  expect(line).toBe('67,108,864 → 131,072');
});
