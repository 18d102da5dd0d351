/** @file Steps of training are captured: the numbers of steps that build their graphs, which only a few of them do. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { valueAndGrad } from '@camada/autograd';
import { device, openDevice, realize, useDevice } from '@camada/tensor';
import {
  AdamW,
  clipGradNorm,
  createContext,
  decayWeightsOnly,
  namedParameters,
  schedule,
} from '@camada/nn';
import { disposeBatch, toBatch, trainingBatches } from '../src/data/batches.ts';
import type { Row } from '../src/data/encode.ts';
import { loadModel } from '../src/index.ts';
import { LabelMap } from '../src/model/labels.ts';
import { buildNetwork, type Network } from '../src/model/network.ts';
import { train } from '../src/train/loop.ts';
import { temporaryFolder, tinyBert } from './tiny.ts';

let root = '';
let folder = '';

beforeAll(async () => {
  useDevice(await openDevice('wasm', { threads: 1 }));
  root = temporaryFolder();
  folder = await tinyBert(join(root, 'bert'));
});

afterAll(async () => {
  (await device()).dispose();
  rmSync(root, { recursive: true, force: true });
});

async function network(): Promise<Network> {
  const labels = new LabelMap(['a', 'b']);
  return buildNetwork(await loadModel(folder), { task: 'classification', labels, seed: 3 });
}

/** Rows of two padded lengths, 16 and 32. */
const ROWS: readonly Row[] = Array.from({ length: 96 }, (_, i) => {
  const length = i % 3 === 0 ? 20 + (i % 5) : 6 + (i % 7);
  const ids = Array.from({ length }, (_, t) => 2 + ((5 * i + 3 * t) % 20));
  return { ids, typeIds: ids.map(() => 0), target: i % 2 };
});

const OPTIONS = {
  epochs: 4,
  maxSteps: undefined,
  batchSize: 8,
  maxLength: 64,
  learningRate: 1e-3,
  scheduler: 'linear',
  warmupRatio: 0.1,
  weightDecay: 0.01,
  maxGradNorm: 1,
  seed: 7,
} as const;

/** The same steps, each built for itself. */
async function built(): Promise<number[]> {
  const { model } = await network();
  const parameters = namedParameters(model);
  const { weightDecay, seed, learningRate, maxGradNorm } = OPTIONS;
  const optimizer = new AdamW(parameters, { weightDecay, rules: decayWeightsOnly });
  const factor = schedule('linear', { totalSteps: 48, warmupSteps: 5 });
  const losses: number[] = [];
  for (let epoch = 0, step = 0; epoch < 4; epoch++)
    for (const group of trainingBatches(ROWS, OPTIONS, seed, epoch)) {
      const batch = toBatch(group, model.limits, OPTIONS);
      const context = createContext({ training: true, seed, step });
      const { value, gradients } = valueAndGrad(
        () => model.loss(model.call(batch, context), batch),
        [...parameters.values()],
      );
      const { gradients: clipped } = clipGradNorm(gradients, maxGradNorm);
      optimizer.step(clipped, learningRate * factor(step++));
      await realize([value]);
      losses.push(await value.item());
      disposeBatch(batch);
    }
  return losses;
}

test('the numbers are those of steps that are built, and graphs are built twice a length', async () => {
  const { model } = await network();
  let calls = 0;
  const call = model.call.bind(model);
  model.call = (batch, context) => {
    calls++;
    return call(batch, context);
  };
  const history = await train(model, namedParameters(model), ROWS, OPTIONS);
  expect(history).toHaveLength(48);
  expect(calls).toBe(4);
  expect(history.map(({ loss }) => loss)).toEqual(await built());
});
