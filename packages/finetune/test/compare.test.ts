/** @file A comparison of selectors and methods on a tiny model: its numbers, and that finished parts are not computed again. */
import { appendFileSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { device, openDevice, useDevice } from '@camada/tensor';
import type { Table } from '@camada/hub';
import { compare, finetune, loadModel, type LoadedModel, type Recipe } from '../src/index.ts';
import { comparisonMarkdown } from '../src/compare/table.ts';
import { camada, sentences, sentencesFile, temporaryFolder, tinyBert, tinyLlama } from './tiny.ts';

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

function table(count: number, seed: number): Table {
  const rows = sentences(count, seed);
  return { name: 'rows', columns: ['text', 'label'], rows, lines: rows.map((_, i) => i + 1) };
}

/** Whether a text is long, which has nothing to do with the first task. */
function lengths(count: number, seed: number): Table {
  const given = table(count, seed);
  const rows = given.rows.map(({ text }) => ({
    text: text!,
    label: String(text).split(' ').length > 7 ? 'long' : 'short',
  }));
  return { ...given, rows };
}

const data = { train: table(64, 11), test: table(32, 12), text: 'text', label: 'label' };
const RECIPE: Recipe = {
  data,
  retention: { train: lengths(96, 5), test: lengths(48, 6), text: 'text', label: 'label' },
  selectors: ['cka', 'gradient-norm', 'last', 'random', 'all'],
  budget: { count: 1 },
  seeds: [0, 1],
  samples: 48,
  stability: [10, 60, 1000],
  training: { epochs: 2, batchSize: 16, learningRate: 5e-3 },
};

test('numbers, sentences, and what is finished is not done again', async () => {
  const results = join(root, 'comparison', 'results.jsonl');
  const summary = await compare(model, RECIPE, { results });
  expect(summary.score).toBe('accuracy');
  expect(summary.rows.map(({ selector, layers }) => [selector, layers.length])).toEqual([
    ['cka', 1],
    ['gradient-norm', 1],
    ['last', 1],
    ['random', 1],
    ['all', 3],
  ]);
  const last = summary.rows.find(({ selector }) => selector === 'last')!;
  expect(last.layers).toEqual([2]);
  expect(summary.rows[0]!.parameters * 3).toBe(summary.rows.at(-1)!.parameters);
  expect(summary.retentionBefore).toBeGreaterThan(0.6);
  expect(last.retention!.mean).toBeGreaterThan(0.5);
  expect(summary.verdicts.map(({ rival, pairs }) => [rival, pairs])).toEqual([
    ['random', 2],
    ['last', 2],
  ]);
  expect(summary.jaccard.map((row, i) => row[i])).toEqual([1, 1, 1, 1, 1]);
  expect(summary.stability.map(({ samples }) => samples)).toEqual([10, 60]); // 64 texts are there
  expect(summary.spearman[2]![2]).toBe(1);

  // The same score as that of a run by itself.
  const lone = await finetune(model, {
    data,
    layers: 'last:1',
    samples: 0,
    ...RECIPE.training,
    seed: 0,
  });
  const other = await finetune(model, {
    data,
    layers: 'last:1',
    samples: 0,
    ...RECIPE.training,
    seed: 1,
  });
  expect(last.score.mean).toBeCloseTo((lone.after.accuracy! + other.after.accuracy!) / 2, 12);

  const lines = readFileSync(results, 'utf8').trim().split('\n').length;
  appendFileSync(results, '{"kind":"ru'); // torn
  const shares: number[] = [];
  const again = await compare(model, RECIPE, {
    results,
    onProgress: (_, __, share) => shares.push(share),
  });
  expect(shares.every((share) => share === 0)).toBe(true); // no run was at work
  expect(again).toEqual({ ...summary, savedSeconds: again.savedSeconds });
  const wider = await compare(
    model,
    { ...RECIPE, selectors: ['cka', 'first'], stability: [] },
    { results },
  );
  expect(wider.rows.map(({ selector }) => selector)).toEqual(['cka', 'first']);
  expect(readFileSync(results, 'utf8').trim().split('\n').length).toBeLessThanOrEqual(lines + 3);
  const otherData = { ...RECIPE, data: { ...data, train: table(63, 11) } };
  await expect(compare(model, otherData, { results })).rejects.toThrow('other data');

  const text = comparisonMarkdown(summary);
  expect(text).toContain('| lora | last | 2 |');
  for (const { sentence } of summary.verdicts) expect(text).toContain(sentence);
});

test('a budget of parameters, two methods, no second task', async () => {
  const { retention: _, ...recipe } = RECIPE;
  const summary = await compare(model, {
    ...recipe,
    methods: ['lora', { type: 'lora', r: 4 }],
    selectors: ['last', 'first'],
    budget: { parameters: 2100 }, // query and value of rank 8: 1024 a layer
    seeds: [3],
    stability: [],
    training: { maxSteps: 2, batchSize: 16 },
  });
  expect(summary.rows.map(({ method, layers }) => [method, layers])).toEqual([
    ['lora', [1, 2]],
    ['lora', [0, 1]],
    ['lora r 4', [0, 1, 2]],
    ['lora r 4', [0, 1, 2]],
  ]);
  expect(summary.verdicts).toEqual([]);
  expect(summary.retentionMetric).toBeUndefined();
});

test('a language model: loss, and a second text', async () => {
  const llama = await loadModel(await tinyLlama(join(root, 'llama')));
  const text = (count: number, seed: number): Table => {
    const rows = sentences(count, seed).map((row) => ({ text: row.text }));
    return { name: 'texts', columns: ['text'], rows, lines: rows.map((_, i) => i + 1) };
  };
  const summary = await compare(llama, {
    data: { train: text(120, 1), test: text(40, 2), text: 'text' },
    retention: { train: text(60, 8), test: text(60, 9), text: 'text' },
    task: 'causal-lm',
    selectors: ['last', 'random'],
    chosen: 'last',
    budget: { count: 1 },
    seeds: [0, 1],
    stability: [],
    training: { maxSteps: 3, batchSize: 4, maxLength: 16 },
  });
  expect(summary.score).toBe('negative loss');
  expect(summary.retentionMetric).toBe('negative loss');
  expect(summary.retentionBefore).toBeLessThan(0);
  expect(summary.verdicts.map(({ rival }) => rival)).toEqual(['random']);
});

test.each([
  [{ selectors: ['ckka'] }, /selectors has 'ckka'; known selectors are cka/],
  [{ chosen: 'best' }, /chosen has 'best'/],
  [{ seeds: [] }, /must not be empty/],
  [{ seeds: [-1] }, /seeds has -1/],
  [{ stability: [2] }, /stability has 2/],
  [{ budget: { parameters: 10 } }, /does not allow a single layer/],
] as const)('a recipe with %j is refused', async (wrong, message) => {
  await expect(compare(model, { ...RECIPE, ...wrong } as Recipe)).rejects.toThrow(message);
});

test('camada compare: a recipe to a folder with table, numbers and pictures', async () => {
  sentencesFile(join(root, 'train.tsv'), 64, 1);
  sentencesFile(join(root, 'test.tsv'), 32, 2);
  const path = join(root, 'recipe.yaml');
  const recipe = [
    'model: ./bert',
    'output: ./compared',
    'data: { train: train.tsv, test: test.tsv, text: sentence, label: label }',
    'retention: { train: train.tsv, test: test.tsv, text: sentence, label: label }',
    'selectors: [block-influence, last, random]',
    'seeds: [0, 1]',
    'stability: [10, 40]',
    'training: { maxSteps: 2 }',
  ];
  writeFileSync(path, recipe.join('\n'));
  const { code, stdout, stderr } = await camada('compare', path);
  expect(stderr).not.toContain('camada:');
  expect(code).toBe(0);
  expect(stdout).toContain("Student's paired t-test");
  const files = ['comparison.json', 'comparison.md', 'jaccard.svg', 'results.jsonl'];
  const pictures = ['retention.svg', 'scores.svg', 'spearman.svg', 'stability.svg', 'time.svg'];
  expect(readdirSync(join(root, 'compared')).sort()).toEqual([...files, ...pictures].sort());
  const svg = readFileSync(join(root, 'compared', 'scores.svg'), 'utf8');
  expect(svg).toMatch(/^<svg/);
  expect(svg).toContain('block-influence');
  expect(svg).not.toContain('NaN');

  writeFileSync(path, [...recipe, 'selector: cka'].join('\n'));
  expect((await camada('compare', path)).stderr).toContain('the recipe has no field "selector"');
  expect((await camada('compare', path, 'more')).stderr).toContain('does not know what "more"');
  expect((await camada('compare')).stderr).toContain('needs --recipe');
});
