/** @file A run that is interrupted and goes on is the run that was not, to the bit; and what is refused. */
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { device, openDevice, useDevice } from '@camada/tensor';
import type { Table } from '@camada/hub';
import {
  finetune,
  loadModel,
  type FinetuneOptions,
  type LoadedModel,
  type Run,
} from '../src/index.ts';
import { sentences, temporaryFolder, tinyBert } from './tiny.ts';

let root = '';
let model: LoadedModel;

beforeAll(async () => {
  useDevice(await openDevice('wasm', { threads: 1 }));
  root = temporaryFolder();
  const config = { hidden_dropout_prob: 0.1 }; // masks follow from the step
  const folder = await tinyBert(join(root, 'bert'));
  const file = join(folder, 'config.json');
  const written = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...written, ...config }));
  model = await loadModel(folder);
});

afterAll(async () => {
  (await device()).dispose();
  rmSync(root, { recursive: true, force: true });
});

function table(count: number, seed: number): Table {
  const rows = sentences(count, seed);
  return { name: 'rows', columns: ['text', 'label'], rows, lines: rows.map((_, i) => i + 1) };
}

const OPTIONS: FinetuneOptions = {
  data: { train: table(64, 11), test: table(16, 12), text: 'text', label: 'label' },
  method: { type: 'lora', dropout: 0.1 },
  epochs: 3,
  samples: 0,
};

/** Ends a run as a crash would, once a step is reported. */
async function interrupted(options: FinetuneOptions, step: number): Promise<void> {
  const crash = new Error('the power is gone');
  const onEvent: FinetuneOptions['onEvent'] = (event) => {
    if (event.type === 'step' && event.report.step === step) throw crash;
  };
  await expect(finetune(model, { ...options, onEvent })).rejects.toBe(crash);
}

async function adapterBytes(run: Run): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of (await run.files()).get('adapter_model.safetensors')!) parts.push(part);
  return Buffer.concat(parts);
}

test('it is the same run, in another epoch than that of the checkpoint too', async () => {
  const work = join(root, 'lora.run');
  const whole = await finetune(model, OPTIONS);
  const options = { ...OPTIONS, work, saveSteps: 3 };
  await interrupted(options, 8);
  const log = join(work, 'metrics.jsonl');
  expect(readFileSync(log, 'utf8').trim().split('\n')).toHaveLength(1 + 1 + 8); // start, before, steps
  appendFileSync(log, '{"event":"st'); // torn
  const notes: string[] = [];
  const resumed = await finetune(model, {
    ...options,
    resume: true,
    onEvent: (event) => event.type === 'note' && notes.push(event.text),
  });
  expect(notes).toEqual(['Going on after step 6.']);
  const losses = ({ history }: Run): unknown => history.map(({ step, loss }) => [step, loss]);
  expect(losses(resumed)).toEqual(losses(whole));
  expect(resumed.before).toEqual(whole.before);
  expect(resumed.after).toEqual(whole.after);
  expect(await adapterBytes(resumed)).toEqual(await adapterBytes(whole));
  const steps = readFileSync(log, 'utf8').trim().split('\n').slice(2);
  expect(steps.map((line) => (JSON.parse(line) as { step: number }).step)).toEqual(
    whole.history.map(({ step }) => step),
  );
  await resumed.save(join(root, 'lora'));
  expect(existsSync(work)).toBe(false);
});

test('AdaLoRA goes on with what it has seen of its triplets', async () => {
  const options: FinetuneOptions = { ...OPTIONS, method: { type: 'adalora', r: 2 }, epochs: 6 };
  const whole = await finetune(model, options);
  const kept = { ...options, work: join(root, 'adalora.run'), saveSteps: 5 };
  await interrupted(kept, 12);
  const resumed = await finetune(model, { ...kept, resume: true });
  const losses = ({ history }: Run): number[] => history.map(({ loss }) => loss);
  expect(losses(resumed)).toEqual(losses(whole));
  expect(await adapterBytes(resumed)).toEqual(await adapterBytes(whole));
});

test('another setting is refused by its name; without resume the run begins anew', async () => {
  const options = { ...OPTIONS, work: join(root, 'other.run'), saveSteps: 2, maxSteps: 6 };
  await interrupted(options, 5);
  await expect(finetune(model, { ...options, resume: true, seed: 1 })).rejects.toThrow(
    /whose seed was 0, and now it is 1/,
  );
  await expect(
    finetune(model, { ...options, resume: true, data: { ...OPTIONS.data, train: table(63, 11) } }),
  ).rejects.toThrow('training data');
  const notes: string[] = [];
  const anew = await finetune(model, {
    ...options,
    onEvent: (event) => event.type === 'note' && notes.push(event.text),
  });
  expect(notes[0]).toContain('replaced');
  expect(anew.history).toHaveLength(6);
});

test('resume without a folder, and with nothing to resume', async () => {
  await expect(finetune(model, { ...OPTIONS, resume: true })).rejects.toThrow('work');
  const work = join(root, 'fresh.run');
  const run = await finetune(model, { ...OPTIONS, work, resume: true, maxSteps: 2 });
  expect(run.history).toHaveLength(2);
});

test('blocks that are computed a second time give the same losses', async () => {
  const losses = async (checkpointing: boolean): Promise<number[]> => {
    const run = await finetune(model, { ...OPTIONS, maxSteps: 4, checkpointing });
    return run.history.map(({ loss }) => loss);
  };
  const [kept, computed] = [await losses(false), await losses(true)];
  computed.forEach((loss, i) => expect(loss).toBeCloseTo(kept[i]!, 6));
});
