import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { openDevice, useDevice } from '@camada/tensor';
import { openSafetensors } from '@camada/hub';
import { resumeCheckpoint, saveCheckpoint, weightsOf } from '../src/pretrain/checkpoint.ts';
import type { Passage } from '../src/pretrain/corpus.ts';
import { MaskedBatches } from '../src/pretrain/masking.ts';
import { parseOptions, type PretrainOptions } from '../src/pretrain/options.ts';
import { publish } from '../src/pretrain/publish.ts';
import { PretrainRun, rateFactor } from '../src/pretrain/run.ts';
import { createModel } from '../src/pretrain/start.ts';
import { prepareText } from '../src/pretrain/text.ts';
import { Trainer } from '../src/pretrain/trainer.ts';

const verses: Passage[] = Array.from({ length: 200 }, (_, i) => ({
  source: 'brown',
  text: `the ${['cat', 'dog', 'cow'][i % 3]} says ${['meow', 'woof', 'moo'][i % 3]} and sleeps.`,
}));
const text = prepareText(40, verses);

function tiny(folder = mkdtempSync(join(tmpdir(), 'pretrain-'))): PretrainOptions {
  const sizes = '--vocabulary 40 --hidden 16 --layers 1 --heads 2 --sequence 10 --batch 4';
  const rest = `--share 0.25 --learning-rate 3e-3 --output ${folder}/model --cache ${folder}/cache`;
  return { ...parseOptions(`${sizes} ${rest}`.split(' ')), vocabulary: text.pieces.length };
}

function batchesOf(options: PretrainOptions): MaskedBatches {
  return new MaskedBatches(text.train, {
    batchSize: options.batch,
    sequence: options.sequence,
    share: options.share,
    vocabularySize: text.pieces.length,
    seed: 1,
  });
}

async function train(trainer: Trainer, from: number, to: number): Promise<number> {
  const batches = batchesOf(tiny());
  let loss = NaN;
  for (let n = from; n < to; n++) loss = await trainer.step(batches.batch(n), 1e-2);
  return loss;
}

function trainerFor(options: PretrainOptions): Trainer {
  return new Trainer(createModel(options), options.batch, options.sequence);
}

beforeAll(async () => {
  useDevice(await openDevice((process.env['CAMADA_BACKEND'] ?? 'wasm') as 'wasm'));
});

test('a run stopped and resumed ends on the weights of the unbroken run', async () => {
  const options = tiny();
  const unbroken = trainerFor(options);
  await train(unbroken, 0, 8);
  const stopped = trainerFor(options);
  await train(stopped, 0, 4);
  await saveCheckpoint(stopped, { step: 4, seconds: 1.5 }, options);
  const resumed = trainerFor({ ...options, seed: 99 }); // other weights, which the checkpoint replaces
  expect(await resumeCheckpoint(resumed, options)).toEqual({ step: 4, seconds: 1.5 });
  await train(resumed, 4, 8);
  const expected = new Map(await weightsOf(unbroken.parameters));
  for (const [name, { data }] of await weightsOf(resumed.parameters))
    data.forEach((value, i) => expect(value).toBeCloseTo(expected.get(name)?.data[i] ?? NaN, 6));
});

test('a checkpoint of another run is refused, and --fresh drops it', async () => {
  const options = tiny();
  await saveCheckpoint(trainerFor(options), { step: 1, seconds: 1 }, options);
  const other = { ...options, batch: 8 };
  await expect(resumeCheckpoint(trainerFor(other), other)).rejects.toThrow('add --fresh');
  expect(await resumeCheckpoint(trainerFor(options), { ...options, fresh: true })).toBeUndefined();
});

test('a run of seconds learns, logs and publishes a model folder', async () => {
  const options = { ...tiny(), minutes: 0.1 };
  const run = new PretrainRun(text, options);
  const outcome = await run.train();
  expect(outcome.lastLoss).toBeLessThan(outcome.firstLoss);
  await publish(run.trainer, text, outcome, options);
  const log = readFileSync(join(options.output, 'pretrain.log.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  expect(log.length).toBeGreaterThan(2);
  const file = await openSafetensors(join(options.output, 'model.safetensors'));
  expect(file.entry('bert.embeddings.word_embeddings.weight')).toEqual({
    dtype: 'F16',
    shape: [text.pieces.length, 16],
  });
  for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'README.md'])
    expect(existsSync(join(options.output, name))).toBe(true);
});

test('the learning rate rises, falls and ends at zero', () => {
  expect(rateFactor(0, 0)).toBeCloseTo(0.01);
  expect(rateFactor(5000, 0.05)).toBeCloseTo(1);
  expect(rateFactor(5000, 0.525)).toBeCloseTo(0.5);
  expect(rateFactor(9000, 1)).toBe(0);
});

test('options are checked', () => {
  expect(() => parseOptions(['--minutes', 'ten'])).toThrow('--minutes ten: give a number above 0');
  expect(() => parseOptions(['--layers', '1.5'])).toThrow('give a whole number');
  expect(() => parseOptions(['--mintues', '10'])).toThrow('--minutes');
});
