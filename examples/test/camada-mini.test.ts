import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openDevice, useDevice } from '@camada/tensor';
import { loadTokenizer, openModelFolder } from '@camada/hub';
import { BertForMaskedLM, loadWeights, parseBertConfig } from '@camada/nn';
import { textTable } from '../src/demo/table.ts';
import { MaskedBatches } from '../src/pretrain/masking.ts';
import { prepareText } from '../src/pretrain/text.ts';
import { Trainer } from '../src/pretrain/trainer.ts';
import { tokenizerJson } from '../src/pretrain/wordpiece.ts';

const folder = fileURLToPath(new URL('../models/camada-mini/', import.meta.url));
const json = (name: string): unknown => JSON.parse(readFileSync(folder + name, 'utf8'));
const text = prepareText(8192);

test('the model is small, deep enough and has the tokenizer of its text', async () => {
  expect(statSync(folder + 'model.safetensors').size).toBeLessThan(8e6);
  const { config, tensors } = await openModelFolder(folder);
  expect(parseBertConfig(config.values).num_hidden_layers).toBeGreaterThanOrEqual(6);
  expect(tensors.entry('bert.embeddings.word_embeddings.weight')).toEqual({
    dtype: 'F16',
    shape: [8192, 128],
  });
  expect(json('tokenizer.json')).toEqual(tokenizerJson(text.pieces));
  expect((await loadTokenizer(folder)).encode('a whale').ids.length).toBe(4);
});

test('its loss on held-out text is what its card says', async () => {
  useDevice(await openDevice('wasm'));
  const { config, tensors } = await openModelFolder(folder);
  const model = new BertForMaskedLM(parseBertConfig(config.values));
  await loadWeights(model, tensors);
  const log = readFileSync(folder + 'pretrain.log.jsonl', 'utf8')
    .trimEnd()
    .split('\n');
  const last = JSON.parse(log.at(-1) ?? '') as { heldOut: number };
  expect(readFileSync(folder + 'README.md', 'utf8')).toContain(last.heldOut.toFixed(3));
  const batches = new MaskedBatches(text.heldOut, {
    batchSize: 32,
    sequence: 64,
    share: 0.15,
    vocabularySize: 8192,
    seed: 0,
  });
  const held = Array.from({ length: 8 }, (_, i) => batches.batch(i));
  const loss = await new Trainer(model, 32, 64).evaluate(held);
  expect(loss).toBeCloseTo(last.heldOut, 2); // weights are rounded to f16
});

test('tables align words to the left and numbers to the right', () => {
  expect(
    textTable([
      ['method', 'time'],
      ['head', '7 s'],
      ['all', '12 s'],
    ]),
  ).toBe(['method   time', '------   ----', 'head      7 s', 'all      12 s'].join('\n'));
});
