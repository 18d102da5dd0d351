/** @file Layers below the lowest one that trains are computed once a text, and no number changes by it. */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { device, openDevice, useDevice } from '@camada/tensor';
import type { Table } from '@camada/hub';
import { namedParameters } from '@camada/nn';
import { disposeBatch, evaluationBatches, toBatch } from '../src/data/batches.ts';
import {
  finetune,
  loadModel,
  type FinetuneOptions,
  type LoadedModel,
  type Run,
} from '../src/index.ts';
import { LabelMap } from '../src/model/labels.ts';
import { buildNetwork } from '../src/model/network.ts';
import { dropsBelow, lowestLayer } from '../src/prefix/boundary.ts';
import { createPool, type Place } from '../src/prefix/pool.ts';
import { placeFor } from '../src/prefix/store.ts';
import { settingsOf } from '../src/run/options.ts';
import { prepare } from '../src/run/prepare.ts';
import { train } from '../src/train/loop.ts';
import { prepareTraining } from '../src/train/trainable.ts';
import {
  DECODER_TYPES,
  ENCODER_TYPES,
  sentences,
  temporaryFolder,
  tinyBert,
  tinyDecoder,
  tinyEncoder,
  tinyLlama,
} from './tiny.ts';

let root = '';
let bert: LoadedModel;
let dropping: LoadedModel;

beforeAll(async () => {
  useDevice(await openDevice('wasm', { threads: 1 }));
  root = temporaryFolder();
  bert = await loadModel(await tinyBert(join(root, 'bert')));
  const folder = await tinyBert(join(root, 'dropping'));
  const file = join(folder, 'config.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...config, hidden_dropout_prob: 0.1 }));
  dropping = await loadModel(folder);
});

afterAll(async () => {
  (await device()).dispose();
  rmSync(root, { recursive: true, force: true });
});

function table(count: number, seed: number): Table {
  // Two padded lengths: every fourth text is longer than 16 tokens.
  const rows = sentences(count, seed).map(({ text, label }, i) =>
    i % 4 === 0 ? { text: `${text} ${text} ${text} ${text} ${text}`, label } : { text, label },
  );
  return { name: 'rows', columns: ['text', 'label'], rows, lines: rows.map((_, i) => i + 1) };
}

const OPTIONS: FinetuneOptions = {
  data: { train: table(56, 11), test: table(16, 12), text: 'text', label: 'label' },
  layers: 'last:1',
  epochs: 3,
  batchSize: 8,
  samples: 0,
};

interface Told {
  readonly run: Run;
  readonly notes: readonly string[];
}

async function run(model: LoadedModel, options: Partial<FinetuneOptions>): Promise<Told> {
  const notes: string[] = [];
  const result = await finetune(model, {
    ...OPTIONS,
    ...options,
    onEvent: (event) => event.type === 'note' && notes.push(event.text),
  });
  return { run: result, notes };
}

function losses({ run: { history } }: Told): number[] {
  return history.map(({ loss }) => loss);
}

describe('the same losses, to the bit, with what is kept', () => {
  const none = { deviceBytes: 0, hostBytes: 0 };
  test.each([
    ['on the device', {}],
    ['in host memory', { deviceBytes: 0 }],
    ['on disk', { ...none, diskBytes: 2 ** 20 }],
  ])('%s', async (where, prefixCache) => {
    const kept = await run(bert, { prefixCache });
    expect(kept.notes[0]).toMatch(
      `Layers 0 to 1 are frozen: computed once a text, 0.1 MiB ${where}`,
    );
    expect(kept.notes[1]).toMatch(/about -?\d+\.\d s saved/);
    expect(losses(kept)).toEqual(losses(await run(bert, { prefixCache: false })));
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('camada-prefix-'))).toEqual([]);
  });

  test.each([...ENCODER_TYPES, 'llama', ...DECODER_TYPES])('%s', async (type) => {
    const folder = join(root, type);
    mkdirSync(folder, { recursive: true });
    const make = ENCODER_TYPES.includes(type) ? tinyEncoder : tinyDecoder;
    const path = await (type === 'llama' ? tinyLlama(folder) : make(folder, type));
    const model = await loadModel(path);
    const options = { epochs: 2, frozenDropout: false };
    const kept = await run(model, options);
    expect(kept.notes[0]).toContain('once a text');
    expect(losses(kept)).toEqual(losses(await run(model, { ...options, prefixCache: false })));
  });

  test('without dropout also those of whole passes', async () => {
    const labels = new LabelMap(['negative', 'positive']);
    const kept = await run(bert, { learningRate: 1e-3 });
    const network = await buildNetwork(bert, { task: 'classification', labels });
    const { rows } = await prepare(bert, settingsOf(OPTIONS));
    const method = { type: 'lora' } as const;
    const options = { method, layers: [2], seed: 0, steps: 21, baseName: '' };
    const { parameters } = await prepareTraining(network, options);
    const shape = { ...settingsOf(OPTIONS), maxLength: 64, learningRate: 1e-3 };
    const whole = await train(network.model, parameters, rows.train.rows, shape);
    expect(whole.map(({ loss }) => loss)).toEqual(losses(kept));
  });

  test('no budget holds them', async () => {
    const { notes } = await run(bert, { prefixCache: none, maxSteps: 9 });
    expect(notes[0]).toContain('no budget');
  });
});

test('16 bits: half the memory, nearly the same losses', async () => {
  const exact = losses(await run(bert, { prefixCache: false }));
  for (const deviceBytes of [undefined, 0]) {
    const half = await run(bert, {
      prefixCache: { f16: true, ...(deviceBytes === 0 && { deviceBytes }) },
    });
    losses(half).forEach((loss, i) => expect(loss).toBeCloseTo(exact[i]!, 2));
    expect(losses(half)).not.toEqual(exact);
  }
});

test('dropout below: kept only where it is switched off there', async () => {
  const usual = await run(dropping, {});
  expect(usual.notes).toEqual([expect.stringContaining('--no-frozen-dropout')]);
  const off = await run(dropping, { frozenDropout: false });
  expect(off.notes[0]).toContain('once a text');
  const each = await run(dropping, { frozenDropout: false, prefixCache: false });
  expect(losses(off)).toEqual(losses(each));
  expect(losses(off)).not.toEqual(losses(usual));
});

test('where passes can begin', async () => {
  const labels = new LabelMap(['a', 'b']);
  const { model } = await buildNetwork(dropping, { task: 'classification', labels });
  const names = [...namedParameters(model).keys()];
  const inLayer = (i: number): string[] => names.filter((name) => name.includes(`.layer.${i}.`));
  const head = names.filter((name) => /classifier|pooler/.test(name));
  expect(lowestLayer(model, head)).toBe(3);
  expect(lowestLayer(model, [...head, ...inLayer(2)])).toBe(2);
  expect(lowestLayer(model, [...inLayer(2), ...inLayer(1)])).toBe(1);
  expect(lowestLayer(model, names)).toBe(0);
  const rows = [{ ids: [2, 5, 3], typeIds: [0, 0, 0], target: 0 }];
  const shape = { batchSize: 1, maxLength: 16 };
  const batch = toBatch(evaluationBatches(rows, shape)[0]!, model.limits, shape);
  expect([0, 1, 3].map((layer) => dropsBelow(model, batch, layer))).toEqual([true, true, true]);
  const plain = await buildNetwork(bert, { task: 'classification', labels });
  expect(dropsBelow(plain.model, batch, 3)).toBe(false);
  disposeBatch(batch);
});

test.each<Place>(['device', 'host', 'disk'])('vectors kept: %s', async (place) => {
  for (const f16 of [false, true]) {
    const pool = await createPool(place, { count: 5, width: 2, f16 });
    pool.append(Float32Array.of(0, 0.5, 1, 1.5));
    pool.append(Float32Array.of(2, 2.5, 3, 3.5, 4, 4.5));
    pool.seal();
    const rows = await pool.rows(Int32Array.of(1, 2, -1, -1, 4, 0));
    expect([...(await rows.data())]).toEqual([1, 1.5, 2, 2.5, 0, 0, 0, 0, 4, 4.5, 0, 0.5]);
    expect(rows.shape).toEqual([6, 2]);
    pool.dispose();
  }
});

test('the first place whose budget holds all', () => {
  const budget = { deviceBytes: 10, hostBytes: 20, diskBytes: 30 };
  expect([10, 11, 21, 31].map((bytes) => placeFor(bytes, budget))).toEqual([
    'device',
    'host',
    'disk',
    undefined,
  ]);
});
