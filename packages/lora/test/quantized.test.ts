/** @file QLoRA: an adapter over packed weights trains as over the same weights as numbers, and costs their bytes. */
import { grad } from '@camada/autograd';
import {
  AdamW,
  checkpointLayers,
  createBatch,
  createContext,
  emptyModel,
  loadWeights,
  namedParameters,
  packedLayers,
  quantize,
  requantize,
  weightValues,
  type Batch,
  type HeadModel,
  type Quantization,
  type WeightFile,
} from '@camada/nn';
import { realize, tensor, type Tensor } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import {
  injectLora,
  mergeAdapter,
  mergeAndUnload,
  unmergeAdapter,
  type Adapter,
} from '../src/index.ts';
import { json, on, tinyFile, tinyFolder } from './support.ts';

const DEVICES = ['reference', 'wasm', 'webgpu'] as const;
const LORA = { target_modules: 'all-linear', r: 4, lora_alpha: 8 } as const;

/** Three blocks of seven linear layers, of which `down_proj` has no multiple of 32 inputs. */
const PACKED = 18;

/** A tiny Llama of width 32, its linear layers packed. */
async function packedLlama(how: Quantization): Promise<HeadModel> {
  const model = emptyModel(json(tinyFolder('llama-tied', 'config.json')), 'causal-lm');
  await loadWeights(model, await tinyFile('llama-tied'), { quantize: how });
  return model;
}

/** The same numbers, not packed. */
async function unpackedLlama(packed: HeadModel): Promise<HeadModel> {
  const model = emptyModel(json(tinyFolder('llama-tied', 'config.json')), 'causal-lm');
  const values = new Map(weightValues(packed).map((entry) => [entry.name, entry]));
  await loadWeights(model, {
    names: [...values.keys()],
    read: async (name) => {
      const { shape, value } = values.get(name)!;
      return { dtype: 'f32', shape, data: Float32Array.from(await value().data()) };
    },
  });
  return model;
}

function batchFor(model: HeadModel): Batch {
  const inputIds = [0, 1].map((row) =>
    Array.from({ length: 9 }, (_, i) => (7 * i + 11 * row) % 90),
  );
  return createBatch({ inputIds, labels: inputIds }, model.limits);
}

/** Loss and gradients of the adapter; B is not zero, so that every matrix has one. */
async function step(model: HeadModel, adapter: Adapter): Promise<number[][]> {
  const parameters = [...adapter.trainable.values()];
  const batch = batchFor(model);
  const loss = model.loss(model.call(batch, createContext()), batch);
  const all = [loss, ...grad(loss, parameters)];
  await realize(all);
  return Promise.all(all.map(async (x) => [...(await x.data())]));
}

async function startB(adapter: Adapter): Promise<void> {
  const changed: Tensor[] = [];
  for (const [name, parameter] of adapter.trainable)
    if (name.includes('lora_B')) {
      parameter.assign(parameter.add(0.05));
      changed.push(parameter);
    }
  await realize(changed);
}

function expectNear(found: number[][], wanted: number[][], tolerance: number): void {
  wanted.forEach((values, i) => {
    const size = Math.max(...values.map(Math.abs), 1e-3);
    values.forEach((x, at) => {
      expect(Math.abs(found[i]![at]! - x)).toBeLessThan(tolerance * size);
    });
  });
}

describe.each(DEVICES)('QLoRA on %s', (device) => {
  it.each(['nf4', 'int8'] as const)(
    '%s: loss and gradients are those of the numbers',
    async (how) => {
      await on(device);
      const packed = await packedLlama(how);
      const plain = await unpackedLlama(packed);
      expect(packedLayers(packed).size).toBe(PACKED);
      const results: number[][][] = [];
      for (const model of [packed, plain]) {
        const adapter = await injectLora(model, LORA, 3);
        await startB(adapter);
        results.push(await step(model, adapter));
      }
      expectNear(results[0]!, results[1]!, 1e-4);
      expect(packedLayers(packed).size).toBe(PACKED); // nothing was turned into numbers on the way
    },
  );
});

it('checkpointed blocks give the same gradients', async () => {
  await on('wasm');
  const model = await packedLlama('nf4');
  const adapter = await injectLora(model, LORA, 3);
  await startB(adapter);
  const plain = await step(model, adapter);
  checkpointLayers(model);
  expectNear(await step(model, adapter), plain, 1e-5);
});

it('a few training steps lower the loss and leave the packed weights alone', async () => {
  const device = await on('wasm');
  const model = await packedLlama('nf4');
  const adapter = await injectLora(model, LORA, 3);
  const before = await Promise.all(
    [...packedLayers(model).values()].map((l) => l.packed.tensors[0]!.data()),
  );
  const optimizer = new AdamW(adapter.trainable);
  const losses: number[] = [];
  const held: number[] = [];
  const batch = batchFor(model);
  for (let i = 0; i < 8; i++) {
    const loss = model.loss(model.call(batch, createContext()), batch);
    optimizer.step(grad(loss, [...adapter.trainable.values()]), 1e-2);
    await realize([loss]);
    losses.push((await loss.data())[0]!);
    loss.dispose();
    held.push(device.memory().live);
  }
  expect(losses.at(-1)!).toBeLessThan(0.9 * losses[0]!);
  expect(held.at(-1)).toBe(held[1]);
  const after = await Promise.all(
    [...packedLayers(model).values()].map((l) => l.packed.tensors[0]!.data()),
  );
  expect(after).toEqual(before);
});

describe('merging into packed weights', () => {
  it('computes the same, and gives the packed weights back', async () => {
    await on('wasm');
    const model = await packedLlama('nf4');
    const adapter = await injectLora(model, LORA, 3);
    await startB(adapter);
    const logits = async (): Promise<number[]> => [
      ...(await model.call(batchFor(model), createContext()).logits.data()),
    ];
    const apart = await logits();
    await mergeAdapter(model, adapter);
    expectNear([await logits()], [apart], 1e-5);
    unmergeAdapter(model, adapter);
    expect(await logits()).toEqual(apart);
  });

  it('packs again with a stated error', async () => {
    await on('wasm');
    const model = await packedLlama('int8');
    const adapter = await injectLora(model, LORA, 3);
    await startB(adapter);
    await mergeAndUnload(model, adapter);
    const layers = [...packedLayers(model).values()];
    expect(layers.every((layer) => 'numbers' in layer && layer.numbers)).toBe(true);
    const errors = await requantize(model);
    expect(errors).toHaveLength(PACKED);
    for (const { largest, relative } of errors) {
      expect(largest).toBeGreaterThan(0);
      expect(relative).toBeLessThan(0.01); // int8
    }
    expect(await requantize(model)).toEqual([]);
  });
});

it('an NF4 weight takes 0.129 of the bytes of f32', async () => {
  const device = await on('wasm');
  const [rows, width] = [256, 1024];
  const weight = quantize(
    'nf4',
    Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i)),
    [rows, width],
  );
  const before = device.memory().live;
  await realize(weight.tensors);
  await weight.dot(weight.rows(tensor(Int32Array.of(0)))).data();
  const share = (device.memory().live - before) / (4 * rows * width);
  expect(share).toBeLessThan(0.16);
  expect(share).toBeGreaterThan(4 / 32);
});

/** A checkpoint of a model with made-up numbers. */
function madeUp(model: HeadModel): WeightFile {
  const arrays = new Map(
    [...namedParameters(model)].map(([name, { shape, size }]) => {
      const data = Float32Array.from({ length: size }, (_, i) => Math.sin(i + name.length) / 8);
      return [name, { dtype: 'f32', shape, data } as const];
    }),
  );
  return { names: [...arrays.keys()], read: (name) => arrays.get(name)! };
}

describe('GPT-2, whose weights lie the other way round,', () => {
  const config = json<object>(tinyFolder('gpt2', 'config.json'));

  it('is packed too', async () => {
    await on('wasm');
    const wide = { ...config, n_embd: 32, n_head: 4, n_inner: 128, vocab_size: 97 };
    const [plain, packed] = [emptyModel(wide, 'causal-lm'), emptyModel(wide, 'causal-lm')];
    const file = madeUp(plain);
    await loadWeights(plain, file);
    await loadWeights(packed, file, { quantize: 'int8' });
    expect(packedLayers(packed).size).toBe(4 * packed.layers.length);
    const logits = async (model: HeadModel): Promise<number[]> => [
      ...(await model.call(batchFor(model), createContext()).logits.data()),
    ];
    expectNear([await logits(packed)], [await logits(plain)], 0.05);
  });

  it('is refused where nothing can be packed', async () => {
    const model = emptyModel({ ...config, n_inner: 40 }, 'causal-lm');
    const attempt = loadWeights(model, madeUp(model), { quantize: 'int8' });
    await expect(attempt).rejects.toThrow(/nothing to quantise to int8/);
  });
});
