/** @file Decoders of every family from end to end: layers are ranked, adapters train, texts come out. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { device, openDevice, useDevice } from '@camada/tensor';
import type { Table } from '@camada/hub';
import { defaultTargets } from '@camada/lora';
import {
  evaluate,
  finetune,
  generateText,
  generateTexts,
  loadModel,
  select,
  streamText,
} from '@camada/finetune';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DECODER_TYPES, sentences, temporaryFolder, tinyDecoder } from './tiny.ts';

let root = '';

beforeAll(async () => {
  useDevice(await openDevice('wasm', { threads: 1 }));
  root = temporaryFolder();
});

afterAll(async () => {
  (await device()).dispose();
  rmSync(root, { recursive: true, force: true });
});

function table(count: number, seed: number, name: string): Table {
  const rows = sentences(count, seed);
  return { name, columns: ['text', 'label'], rows, lines: rows.map((_, i) => i + 1) };
}

const train = table(48, 11, 'train');
const held = table(16, 12, 'held');

describe.each(DECODER_TYPES)('%s', (type) => {
  const open = async (): Promise<Awaited<ReturnType<typeof loadModel>>> =>
    loadModel(await tinyDecoder(join(root, type), type));

  test('CKA ranks its layers', async () => {
    const { importance, selected } = await select(await open(), { data: train, keep: 2 });
    expect(importance.layers.length).toBe(3);
    expect(importance.layers.every((layer) => layer.importance > 0 && !layer.excluded)).toBe(true);
    expect(selected.length).toBe(2);
  });

  test.each(['causal-lm', 'classification'] as const)(
    'a few steps of LoRA in chosen layers lower the loss: %s',
    async (task) => {
      const label = task === 'classification' ? { label: 'label' } : {};
      const run = await finetune(await open(), {
        data: { train, test: held, text: 'text', ...label },
        task,
        layers: { select: 'cka', keep: 2 },
        method: { type: 'lora', r: 4 },
        learningRate: 3e-2,
        maxSteps: 6,
        batchSize: 16,
        maxLength: 16,
        scheduler: 'constant',
      });
      expect(run.layers.length).toBe(2);
      expect(run.summary.lora).toMatchObject({
        layers_to_transform: run.layers,
        fan_in_fan_out: type === 'gpt2',
        target_modules: defaultTargets(type),
        modules_to_save: task === 'classification' ? ['score'] : null,
      });
      const losses = run.history.map(({ loss }) => loss);
      expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.05);
    },
  );

  test('texts: streamed in pieces, in batches, cut at a stop string', async () => {
    const model = await open();
    const options = { prompt: 'the film', maxNewTokens: 10, temperature: 1, seed: 4 };
    const { text } = await generateText(model, options);
    const pieces: string[] = [];
    for await (const piece of streamText(model, options)) pieces.push(piece);
    expect(pieces.join('')).toBe(text);
    expect(pieces.length).toBeGreaterThan(1);
    const [first, second] = await generateTexts(model, { ...options, prompts: ['the film', 'a'] });
    expect(first!.text).toBe(text);
    expect(second!.text.length).toBeGreaterThan(0);
    const stop = text.slice(4, 6);
    const cut = await generateText(model, { ...options, stop: [stop, 'never'] });
    expect(cut.text).toBe(text.slice(0, text.indexOf(stop)));
    await expect(generateText(model, { ...options, stop: [''] })).rejects.toThrow(/empty/);
  });
});

test('a classifier gets a padding token where the configuration has none, and keeps it', async () => {
  const folder = await tinyDecoder(join(root, 'unpadded'), 'gpt2');
  const file = join(folder, 'config.json');
  const { pad_token_id: _, ...config } = JSON.parse(readFileSync(file, 'utf8')) as object & {
    pad_token_id: number;
  };
  writeFileSync(file, JSON.stringify(config));
  const run = await finetune(await loadModel(folder), {
    data: { train, test: held, text: 'text', label: 'label' },
    method: { type: 'full' },
    layers: [2],
    maxSteps: 1,
    samples: 0,
  });
  await run.save(join(root, 'padded'));
  const saved = JSON.parse(readFileSync(join(root, 'padded/config.json'), 'utf8')) as object;
  expect(saved).toMatchObject({
    architectures: ['GPT2ForSequenceClassification'],
    pad_token_id: 0,
  });
  const again = await evaluate(await loadModel(join(root, 'padded')), {
    data: held,
    text: 'text',
    label: 'label',
  });
  expect(again.loss).toBeCloseTo(run.after.loss, 5);
});

test('a conversation is framed by the template, which writes the special tokens itself', async () => {
  const folder = await tinyDecoder(join(root, 'chat'), 'qwen3');
  const template = "{{ '[CLS]' }}{% for m in messages %} {{ m.content }}{% endfor %}";
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ chat_template: template }));
  const model = await loadModel(folder);
  const options = { maxNewTokens: 8, temperature: 1, seed: 2 };
  const plain = await generateText(model, { ...options, prompt: 'a story the film' });
  const chat = { system: 'a story' };
  expect(await generateText(model, { ...options, prompt: 'the film', chat })).toEqual(plain);
  const alone = await generateText(model, { ...options, prompt: 'a story the film', chat: {} });
  expect(alone).toEqual(plain);
  const untaught = await loadModel(await tinyDecoder(join(root, 'untaught'), 'qwen3'));
  await expect(generateText(untaught, { ...options, prompt: 'a', chat })).rejects.toThrow(
    /no chat template/,
  );
});
