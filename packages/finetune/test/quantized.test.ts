/** @file Packed weights from file to run: GGUF stays packed, other files are quantised, and everything above works on them. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeSafetensors, type TensorData } from '@camada/hub';
import { modelFromConfig, namedParameters, packedLayers, type HeadModel } from '@camada/nn';
import { device, openDevice, useDevice } from '@camada/tensor';
import {
  evaluate,
  finetune,
  generateText,
  loadModel,
  merge,
  saveFiles,
  select,
  type LoadedModel,
} from '../src/index.ts';
import { buildNetwork } from '../src/model/network.ts';
import { modelFiles } from '../src/save/model.ts';
import { sentences, table, temporaryFolder, tinyBert, tinyLlama } from './tiny.ts';

const BYTE_PAIRS = new URL(
  '../../hub/test/golden/tokenizers/bpe-byte-fallback.json',
  import.meta.url,
);

let root = '';
let bert = '';
let gguf = '';

/** Made-up weights. */
function arraysOf(model: HeadModel): Map<string, TensorData> {
  const arrays = new Map<string, TensorData>();
  for (const [name, { shape, size }] of namedParameters(model)) {
    const data = Float32Array.from({ length: size }, (_, i) => Math.sin(i * i + name.length) / 4);
    arrays.set(name, { dtype: 'f32', shape, data });
  }
  return arrays;
}

/** A network of a language model, read anew. */
async function packedIn(loaded: LoadedModel): Promise<number> {
  return packedLayers((await buildNetwork(loaded, { task: 'causal-lm' })).model).size;
}

beforeAll(async () => {
  useDevice(await openDevice('wasm', { threads: 1 }));
  root = temporaryFolder();
  bert = await tinyBert(join(root, 'bert'));
  const llama = await tinyLlama(join(root, 'llama'));
  // GGUF has a place for byte-pair vocabularies only.
  cpSync(BYTE_PAIRS, join(llama, 'tokenizer.json'));
  const config = JSON.parse(readFileSync(join(llama, 'config.json'), 'utf8')) as object;
  const wider = { ...config, vocab_size: 420 };
  writeFileSync(join(llama, 'config.json'), JSON.stringify(wider));
  const arrays = arraysOf(modelFromConfig(wider, 'causal-lm'));
  await writeSafetensors(join(llama, 'model.safetensors'), arrays);
  const loaded = await loadModel(llama);
  const network = await buildNetwork(loaded, { task: 'causal-lm' });
  const record = { task: 'causal-lm', labels: null, maxLength: 32 } as const;
  const files = await modelFiles(loaded, network, record, { format: 'gguf-q8_0' });
  await saveFiles(join(root, 'gguf'), files);
  gguf = join(root, 'gguf/model.gguf');
});

afterAll(async () => {
  (await device()).dispose();
  rmSync(root, { recursive: true, force: true });
});

const data = {
  train: table(sentences(96, 11), 'train'),
  test: table(sentences(32, 12), 'held'),
  text: 'text',
  label: 'label',
};

describe('a model quantised when it is loaded', () => {
  test('is fine-tuned with LoRA, saved, loaded and measured', async () => {
    const model = await loadModel(bert, { quantize: 'nf4' });
    const run = await finetune(model, { data, maxSteps: 6, samples: 0, learningRate: 1e-2 });
    expect(packedLayers(run.network.model).size).toBeGreaterThan(10);
    await run.save(join(root, 'adapter'));
    const again = await loadModel(bert, { quantize: 'nf4', adapter: join(root, 'adapter') });
    const measured = await evaluate(again, { data: data.test, text: 'text', label: 'label' });
    expect(measured.accuracy).toBe(run.after.accuracy);
  });

  test('takes 8-bit AdamW, which is AdamW for parameters this small, and no other', async () => {
    const model = await loadModel(bert, { quantize: 'int8' });
    const options = { data, maxSteps: 3, samples: 0, epochs: 1 };
    const losses = async (optimizer: 'adamw' | 'adamw-8bit'): Promise<number[]> => {
      const run = await finetune(model, { ...options, optimizer });
      return run.history.map(({ loss }) => loss);
    };
    expect(await losses('adamw-8bit')).toEqual(await losses('adamw'));
    const unknown = 'lion' as 'adamw';
    await expect(finetune(model, { ...options, optimizer: unknown })).rejects.toThrow(/adamw-8bit/);
  });

  test('ranks its layers much as its numbers do', async () => {
    const importances = await Promise.all(
      [{}, { quantize: 'int8' } as const].map(async (options) => {
        const model = await loadModel(bert, options);
        const { importance } = await select(model, { ...data, data: data.train, samples: 64 });
        return importance!.layers.map((layer) => layer.importance ?? 0);
      }),
    );
    importances[0]!.forEach((value, i) => {
      expect(value).not.toBe(importances[1]![i]);
      expect(Math.abs(value - importances[1]![i]!)).toBeLessThan(0.02);
    });
  });

  test('is merged into numbers that compute the same', async () => {
    const packed = await loadModel(bert, { quantize: 'nf4', adapter: join(root, 'adapter') });
    const wanted = await evaluate(packed, { data: data.test, text: 'text', label: 'label' });
    await saveFiles(join(root, 'merged'), await merge(packed));
    const merged = await loadModel(join(root, 'merged'));
    const found = await evaluate(merged, { data: data.test, text: 'text', label: 'label' });
    expect(found.loss).toBeCloseTo(wanted.loss, 4);
  });

  test('is not trained in full', async () => {
    const model = await loadModel(bert, { quantize: 'int8' });
    const attempt = finetune(model, { data, method: { type: 'full' }, maxSteps: 1, samples: 0 });
    await expect(attempt).rejects.toThrow(/packed as int8.*dequantize.*or choose lora/);
  });

  test('is not dequantised as well, and not by an unknown name', async () => {
    await expect(loadModel(bert, { quantize: 'nf4', dequantize: true })).rejects.toThrow(
      /contradict/,
    );
    const unknown = 'int3' as 'int8';
    await expect(loadModel(bert, { quantize: unknown })).rejects.toThrow(/nf4, int8/);
  });
});

describe('a GGUF file', () => {
  test('stays packed, embeddings too', async () => {
    const model = await loadModel(gguf);
    expect(await packedIn(model)).toBeGreaterThan(10);
    expect(await packedIn(await loadModel(gguf, { dequantize: true }))).toBe(0);
  });

  test('continues texts as its numbers do', async () => {
    const texts = await Promise.all(
      [false, true].map(async (dequantize) => {
        const model = await loadModel(gguf, { dequantize });
        return (await generateText(model, { prompt: 'the film is', maxNewTokens: 8 })).text;
      }),
    );
    expect(texts[0]).toBe(texts[1]);
  });
});
