/** @file Runs through the programming interface on a tiny model, on wasm. */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { device, openDevice, useDevice } from '@camada/tensor';
import { getParameter, namedParameters } from '@camada/nn';
import { finetune, evaluate, loadModel, type LoadedModel, type RunEvent } from '../src/index.ts';
import { buildNetwork } from '../src/model/network.ts';
import { LabelMap } from '../src/model/labels.ts';
import { sentences, table, temporaryFolder, tinyBert } from './tiny.ts';

let root = '';
let model: LoadedModel;

beforeAll(async () => {
  useDevice(await openDevice('wasm', { threads: 1 }));
  root = temporaryFolder();
  model = await loadModel(await tinyBert(join(root, 'bert')));
});

afterAll(async () => {
  (await device()).dispose();
  rmSync(root, { recursive: true, force: true });
});

const train = table(sentences(96, 11), 'train');
const held = table(sentences(32, 12), 'held');
const data = { train, test: held, text: 'text', label: 'label' };

describe('what trains', () => {
  test('full: the chosen layer and the head, nothing else', async () => {
    const run = await finetune(model, {
      data,
      method: { type: 'full' },
      layers: [1],
      learningRate: 1e-3,
      maxSteps: 3,
      samples: 0,
    });
    const start = await buildNetwork(model, {
      task: 'classification',
      labels: new LabelMap(['negative', 'positive']),
      seed: 0,
    });
    const moved: string[] = [];
    for (const [name, parameter] of namedParameters(run.network.model)) {
      const before = await getParameter(start.model, name).data();
      const after = await parameter.data();
      if (after.some((value, i) => value !== before[i])) moved.push(name);
    }
    expect(moved.length).toBeGreaterThan(10);
    for (const name of moved) expect(name).toMatch(/encoder\.layer\.1\.|classifier|pooler/);
    expect(run.layers).toEqual([1]);
  });

  test('LoRA: an adapter in the chosen layers, with its files', async () => {
    const run = await finetune(model, { data, layers: 'last:1', maxSteps: 3, samples: 0 });
    expect(run.summary.lora).toMatchObject({ r: 8, lora_alpha: 16, layers_to_transform: [2] });
    const files = [...(await run.files()).keys()].sort();
    expect(files).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
      'camada.json',
      'metrics.jsonl',
      'report.html',
    ]);
  });
});

test('the same seed gives the same run, another one another', async () => {
  const run = (seed: number) => finetune(model, { data, seed, maxSteps: 4, samples: 0 });
  const [a, b, c] = [await run(1), await run(1), await run(2)];
  const losses = (r: typeof a): number[] => r.history.map(({ loss }) => loss);
  expect(losses(b)).toEqual(losses(a));
  expect(b.after).toEqual(a.after);
  expect(losses(c)).not.toEqual(losses(a));
});

test('memory does not grow with the steps', async () => {
  const { backend } = await device();
  const live: number[] = [];
  const uniform = table(
    train.rows.map((row) => ({ ...row, text: 'the film is good' })),
    'uniform',
  );
  await finetune(model, {
    data: { ...data, train: uniform },
    epochs: 10,
    samples: 0,
    onEvent: (event) => {
      if (event.type === 'step') live.push(backend.memory().live);
    },
  });
  expect(live).toHaveLength(60);
  expect(live.at(-2)).toBeLessThanOrEqual(live[4]!); // less where networks of earlier tests were collected
});

test('regression on pairs starts at the mean and learns the order', async () => {
  const words = ['good', 'great', 'lovely', 'fine'];
  const rows = Array.from({ length: 160 }, (_, i) => {
    const count = (i * 7) % 5;
    const text = [...words.slice(0, count), 'film', 'plot'].join(' ');
    return { a: text, b: i % 2 === 0 ? 'the story' : 'this plot', score: 2 + count + 0.5 };
  });
  const events: RunEvent[] = [];
  const run = await finetune(model, {
    data: {
      train: table(rows.slice(0, 128)),
      test: table(rows.slice(128)),
      text: 'a',
      textPair: 'b',
      label: 'score',
    },
    method: { type: 'full' },
    learningRate: 3e-3,
    epochs: 6,
    samples: 0,
    onEvent: (event) => events.push(event),
  });
  expect(run.summary.task).toBe('regression');
  expect(events.filter((event) => event.type === 'note').map((event) => event.text)).toEqual([
    expect.stringContaining('regression'),
  ]);
  expect(run.before.loss).toBeLessThan(4); // the variance is about 2, the mean square about 22
  expect(run.after.pearson).toBeGreaterThan(0.8);
  await run.save(join(root, 'scores'));
  const saved = await loadModel(join(root, 'scores'));
  const measured = await evaluate(saved, {
    data: table(rows.slice(128)),
    text: 'a',
    textPair: 'b',
    label: 'score',
  });
  expect(measured.loss).toBeCloseTo(run.after.loss, 5);
});

test('events come in order, and a tenth is held out without a test file', async () => {
  const events: RunEvent[] = [];
  await finetune(model, {
    data: { train, text: 'text', label: 'label' },
    layers: { select: 'cka', keep: 2 },
    maxSteps: 2,
    samples: 32,
    onEvent: (event) => events.push(event),
  });
  const types = events.map((event) => event.type).filter((type) => type !== 'progress');
  const order = [
    'note',
    'importance',
    'prediction',
    'start',
    'metrics',
    'step',
    'step',
    'metrics',
    'cost',
  ];
  expect(types).toEqual(order);
  const start = events.find((event) => event.type === 'start')!;
  expect(start.summary.examples).toEqual({ train: 86, test: 10 });
  expect(start.summary.layers).toHaveLength(2);
});

test('saving replaces an earlier output, whole or not at all, and nothing else', async () => {
  const run = await finetune(model, { data, maxSteps: 1, samples: 0 });
  const goal = join(root, 'output');
  await run.save(goal);
  writeFileSync(join(goal, 'stale.txt'), 'from an earlier run');
  await run.save(goal);
  expect(readdirSync(goal)).not.toContain('stale.txt');
  mkdirSync(join(root, 'mine'));
  writeFileSync(join(root, 'mine', 'thesis.txt'), 'precious');
  await expect(run.save(join(root, 'mine'))).rejects.toThrow(/thesis\.txt/);
  expect(readFileSync(join(root, 'mine', 'thesis.txt'), 'utf8')).toBe('precious');
  expect(readdirSync(root).filter((name) => /\.(tmp|old)$/.test(name))).toEqual([]);
});
