/** @file The contract of the `camada` command: the built command is run as users run it. */
import {
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { camada, sentencesFile, temporaryFolder, tinyBert, tinyLlama } from './tiny.ts';

let root = '';
const at = (name: string): string => join(root, name);

beforeAll(async () => {
  root = temporaryFolder();
  await tinyBert(at('bert'));
  await tinyLlama(at('llama'));
  sentencesFile(at('train.tsv'), 320, 1);
  sentencesFile(at('test.tsv'), 80, 2);
  writeFileSync(
    at('text.txt'),
    'the film is a story of the plot and this film is very good\n'.repeat(120),
  );
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Arguments that every run on the sentences shares. */
const columns = ['--text', 'sentence', '--label', 'label'];
const files = (): string[] => ['--train', at('train.tsv'), '--test', at('test.tsv'), ...columns];

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await camada(...args, '--json');
  expect(stderr).not.toContain('camada:');
  expect(code).toBe(0);
  expect(stdout.trim().split('\n')).toHaveLength(1);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('on input as it should be', () => {
  test('finetune with LoRA in the layers that CKA chooses, eval, merge', async () => {
    const lora = ['--method', 'lora', '--layers', 'cka:2', '--r', '4', '--alpha', '8'];
    const result = await json(
      ...['finetune', '--model', at('bert'), ...files(), ...lora, '--output', at('adapter')],
      ...['--epochs', '6', '--batch-size', '16', '--learning-rate', '1e-2', '--seed', '3'],
    );
    const metrics = { n: 80, loss: expect.any(Number), accuracy: expect.any(Number) };
    expect(result).toMatchObject({ before: metrics, after: metrics, seconds: expect.any(Number) });
    const { before, after, layers, trainableParameters, totalParameters, peakBytes } = result as {
      before: { accuracy: number; loss: number };
      after: { accuracy: number; loss: number };
      layers: number[];
      trainableParameters: number;
      totalParameters: number;
      peakBytes: number;
    };
    expect(before.accuracy).toBeLessThan(0.7);
    expect(after.accuracy).toBeGreaterThan(0.9);
    expect(layers).toHaveLength(2);
    // Two layers with query and value, A [4, 32] and B [32, 4]; a fresh pooler [32, 32] and a classifier [2, 32].
    expect(trainableParameters).toBe(2 * 2 * 2 * 4 * 32 + (32 * 32 + 32) + (2 * 32 + 2));
    expect(totalParameters).toBeGreaterThan(trainableParameters);
    expect(peakBytes).toBeGreaterThan(0);

    const names = [
      'adapter_config.json',
      'adapter_model.safetensors',
      'camada.json',
      'metrics.jsonl',
      'report.html',
    ];
    expect(readdirSync(at('adapter')).sort()).toEqual(names);
    const config = JSON.parse(readFileSync(at('adapter/adapter_config.json'), 'utf8')) as object;
    expect(config).toMatchObject({
      peft_type: 'LORA',
      task_type: 'SEQ_CLS',
      target_modules: ['query', 'value'],
      layers_to_transform: layers,
      modules_to_save: ['classifier', 'pooler'],
    });
    checkReport(readFileSync(at('adapter/report.html'), 'utf8'));
    checkLog(readFileSync(at('adapter/metrics.jsonl'), 'utf8'), after);

    const data = ['--data', at('test.tsv'), ...columns];
    const measured = await json('eval', '--model', at('bert'), '--adapter', at('adapter'), ...data);
    expect(measured).toMatchObject({ n: 80, accuracy: after.accuracy });
    expect(measured['loss']).toBeCloseTo(after.loss, 5);

    await json(
      'merge',
      '--model',
      at('bert'),
      '--adapter',
      at('adapter'),
      '--output',
      at('merged'),
    );
    const merged = await json('eval', '--model', at('merged'), ...data);
    expect(merged).toMatchObject({ n: 80, accuracy: after.accuracy });
    expect(merged['loss']).toBeCloseTo(after.loss, 4);
    const mergedConfig = JSON.parse(readFileSync(at('merged/config.json'), 'utf8')) as object;
    expect(mergedConfig).toMatchObject({
      architectures: ['BertForSequenceClassification'],
      id2label: { 0: 'negative', 1: 'positive' },
    });
  });

  test('full and head make model folders; the same seed gives the same numbers', async () => {
    const short = ['--epochs', '1', '--max-steps', '6', '--samples', '16'];
    const start = ['finetune', '--model', at('bert'), ...files(), ...short];
    const head = await json(...start, '--method', 'head', '--output', at('head'));
    expect(head).toMatchObject({ layers: [], trainableParameters: 32 * 32 + 32 + 2 * 32 + 2 });
    const full = await json(
      ...start,
      '--method',
      'full',
      '--layers',
      'last:1',
      '--output',
      at('full'),
    );
    expect(full).toMatchObject({ layers: [2] });
    const again = await json(
      ...start,
      '--method',
      'full',
      '--layers',
      '2',
      '--output',
      at('full2'),
    );
    expect(again['after']).toEqual(full['after']);
    expect(readFileSync(at('full/model.safetensors'))).toEqual(
      readFileSync(at('full2/model.safetensors')),
    );
    const data = ['--data', at('test.tsv'), ...columns];
    const measured = await json('eval', '--model', at('full'), ...data);
    expect(measured['loss']).toBeCloseTo((full['after'] as { loss: number }).loss, 5);
  });

  test('a language model: finetune on a text file, eval, generate', async () => {
    const result = await json(
      ...['finetune', '--model', at('llama'), '--train', at('text.txt'), '--task', 'causal-lm'],
      ...['--layers', 'all', '--epochs', '4', '--batch-size', '8', '--max-length', '32'],
      ...['--learning-rate', '1e-2', '--output', at('lm')],
    );
    const { before, after } = result as Record<
      'before' | 'after',
      { loss: number; perplexity: number }
    >;
    expect(after.loss).toBeLessThan(before.loss - 0.2);
    expect(after.perplexity).toBeCloseTo(Math.exp(after.loss), 6);
    const prompt = ['--prompt', 'the film', '--max-new-tokens', '8', '--temperature', '0'];
    const text = await json('generate', '--model', at('llama'), '--adapter', at('lm'), ...prompt);
    expect((text['tokens'] as number[]).length).toBeLessThanOrEqual(8);
    expect(typeof text['text']).toBe('string');
    const drawn = [...prompt.slice(0, 4), '--temperature', '1', '--seed', '9'];
    const one = await json('generate', '--model', at('llama'), ...drawn);
    expect(await json('generate', '--model', at('llama'), ...drawn)).toEqual(one);
  });

  test('generate: filters, stop strings, several prompts, text as it comes', async () => {
    const start = ['generate', '--model', at('llama'), '--max-new-tokens', '12', '--seed', '3'];
    const filters = ['--top-k', '9', '--top-p', '0.95', '--min-p', '0.01'];
    const how = [...filters, '--temperature', '1.2', '--repetition-penalty', '1.1'];
    const prompt = ['--prompt', 'the film', ...how];
    const { text } = (await json(...start, ...prompt)) as { text: string };
    const shown = await camada(...start, ...prompt);
    expect(shown.stdout).toBe(`the film${text}\n`);
    const stop = text.slice(3, 5);
    const cut = await json(...start, ...prompt, '--stop', JSON.stringify(['@', stop]));
    expect(cut['text']).toBe(text.slice(0, text.indexOf(stop)));
    writeFileSync(at('prompts.txt'), 'the film\n\na story\n');
    const several = await json(...start, '--prompts', at('prompts.txt'), ...how);
    expect((several['texts'] as { text: string }[]).map((one) => one.text)).toEqual([
      text,
      expect.any(String),
    ]);
    const neither = await camada(...start);
    expect(neither).toMatchObject({ code: 1, stdout: '' });
    expect(neither.stderr).toMatch(/needs either --prompt TEXT or --prompts FILE/);
  });

  test('select and doctor', async () => {
    const selection = await json(
      ...[
        'select',
        '--model',
        at('bert'),
        '--data',
        at('train.tsv'),
        '--text',
        'sentence',
        '--keep',
        '0.67',
      ],
    );
    const layers = selection['layers'] as {
      index: number;
      importance: number;
      low: number;
      high: number;
    }[];
    expect(layers.map(({ index }) => index)).toEqual([0, 1, 2]);
    for (const { importance, low, high } of layers) {
      expect(low).toBeLessThanOrEqual(importance);
      expect(high).toBeGreaterThanOrEqual(importance);
    }
    const best = layers.toSorted((a, b) => b.importance - a.importance).slice(0, 2);
    expect(selection['selected']).toEqual(best.map(({ index }) => index).sort());
    const paper = await json(
      ...[
        'select',
        '--model',
        at('bert'),
        '--data',
        at('train.tsv'),
        '--text',
        'sentence',
        '--paper',
      ],
    );
    expect(paper).toMatchObject({ protocol: 'paper-encoder', estimator: 'biased', pooling: 'cls' });
    const doctor = await json('doctor');
    expect(doctor).toMatchObject({ backend: 'wasm', selfTest: { passed: true } });
    expect((doctor['selfTest'] as { maxError: number }).maxError).toBeLessThan(1e-4);
  });

  test('help says what there is, with examples', async () => {
    expect((await camada('--help')).stdout).toContain('camada finetune');
    const { stdout, code } = await camada('finetune', '--help');
    expect(code).toBe(0);
    expect(stdout).toContain('--layers WHICH');
    expect(stdout).toContain('camada finetune --model');
  });
});

function checkReport(html: string): void {
  expect(html.match(/<svg/g)).toHaveLength(3);
  expect(html).not.toMatch(/<script|<link|src=|href="http|url\(http/);
  expect(html).toContain('Importance of the layers');
  expect(html).not.toContain('NaN');
}

function checkLog(text: string, after: { loss: number }): void {
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const steps = lines.filter((line) => line['event'] === 'step');
  expect(steps).toHaveLength(6 * 20);
  expect(steps.map((line) => line['step'])).toEqual(steps.map((_, i) => i + 1));
  expect(lines.find((line) => line['event'] === 'after')).toMatchObject(after);
}

describe('on bad input: one sentence, exit code 1, nothing written', () => {
  /** Runs, and gives the sentence on standard error. */
  async function refused(...args: string[]): Promise<string> {
    const before = readdirSync(root).sort();
    const sentence = await stopped(...args);
    expect(readdirSync(root).sort()).toEqual(before);
    return sentence;
  }

  /** The same of a run that had begun, and may leave its log. */
  async function stopped(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await camada(...args);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    const lines = stderr.trim().split('\n');
    expect(lines.at(-1)).toMatch(/^camada: .{20,}/);
    expect(stderr).not.toMatch(/\n\s+at /);
    return lines.at(-1)!;
  }

  const start = (model = 'bert'): string[] => [
    'finetune',
    '--model',
    at(model),
    '--output',
    at('never'),
  ];

  test('a damaged safetensors header', async () => {
    cpSync(at('bert'), at('damaged'), { recursive: true });
    truncateSync(at('damaged/model.safetensors'), 100);
    const sentence = await refused(...start('damaged'), ...files());
    expect(sentence).toContain('damaged/model.safetensors');
    rmSync(at('damaged'), { recursive: true });
  });

  test('an unknown architecture', async () => {
    cpSync(at('bert'), at('alien'), { recursive: true });
    const config = JSON.parse(readFileSync(at('bert/config.json'), 'utf8')) as object;
    writeFileSync(at('alien/config.json'), JSON.stringify({ ...config, model_type: 'mamba' }));
    expect(await refused(...start('alien'), ...files())).toMatch(/mamba.*bert, .*llama/);
    rmSync(at('alien'), { recursive: true });
  });

  test('a missing column', async () => {
    const wrong = ['--train', at('train.tsv'), '--text', 'review', '--label', 'label'];
    expect(await refused(...start(), ...wrong)).toMatch(
      /train\.tsv.*"review".*"sentence", "label"/,
    );
  });

  test('an empty file', async () => {
    writeFileSync(at('empty.tsv'), '');
    const sentence = await refused(...start(), '--train', at('empty.tsv'), ...columns);
    expect(sentence).toMatch(/empty\.tsv is empty/);
  });

  test('a label unseen in training', async () => {
    writeFileSync(at('odd.tsv'), 'sentence\tlabel\nthe film is good\tpositive\nthe plot\tmixed\n');
    const sentence = await refused(
      ...start(),
      '--train',
      at('train.tsv'),
      '--test',
      at('odd.tsv'),
      ...columns,
    );
    expect(sentence).toMatch(/odd\.tsv, line 3.*"mixed".*negative, positive/);
  });

  test('a target that matches nothing', async () => {
    const sentence = await refused(...start(), ...files(), '--targets', 'q_proj');
    expect(sentence).toMatch(/"q_proj".*query/);
  });

  test('wrong options', async () => {
    expect(await refused('finetune', '--lerning-rate', '1')).toContain('--learning-rate');
    expect(await refused(...start(), ...files(), '--layers', '7')).toMatch(/no layer 7.*0 to 2/);
    expect(await refused('generate', '--model', at('bert'), '--prompt', 'x')).toContain(
      'cannot generate',
    );
    expect(
      await refused('eval', '--model', at('bert'), '--data', at('test.tsv'), ...columns),
    ).toContain('no trained head');
  });

  test('a learning rate that blows up', async () => {
    const wild = [
      '--method',
      'full',
      '--learning-rate',
      '1e30',
      '--max-grad-norm',
      '0',
      '--samples',
      '0',
    ];
    expect(await stopped(...start(), ...files(), ...wild)).toMatch(/Training stopped at step \d+/);
    expect(existsSync(at('never'))).toBe(false);
    expect(readdirSync(at('never.run'))).toEqual(['metrics.jsonl']); // what happened until then
    rmSync(at('never.run'), { recursive: true });
  });

  test('an output folder with other things in it is left alone', async () => {
    const sentence = await refused(
      'finetune',
      '--model',
      at('bert'),
      ...files(),
      '--output',
      at('bert'),
    );
    expect(sentence).toContain('holds other files');
  });
});
