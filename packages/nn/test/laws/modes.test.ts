/**
 * @file The four ways to run a step agree: eager (op by op, each checked against the reference), normal, captured, and with
 * recomputation, over 30 optimizer steps of a small transformer with dropout, clipping and a schedule.
 */
import { grad } from '@camada/autograd';
import { capture, openDevice, realize, useDevice, type Device, type Tensor } from '@camada/tensor';
import {
  AdamW,
  checkpointLayers,
  clipGradNorm,
  createBatch,
  createContext,
  decayWeightsOnly,
  initializeParameters,
  modelFromConfig,
  namedParameters,
  schedule,
  type Batch,
} from '@camada/nn';
import { describe, expect, test } from 'vitest';
import { DEVICES, on } from '../../../tensor/test/laws/devices.ts';

const CONFIG = {
  model_type: 'bert',
  architectures: ['BertModel'],
  vocab_size: 31,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 8,
  type_vocab_size: 2,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  initializer_range: 0.2,
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  pad_token_id: 0,
};
const STEPS = 30;

interface Options {
  readonly captured?: boolean;
  readonly checkpointed?: boolean;
  readonly steps?: number;
  readonly seed?: number;
}

interface Run {
  /** Loss and norm of the gradients of each step. */
  readonly numbers: number[];
  /** A weight at the end. */
  readonly weight: number[];
}

async function train(options: Options = {}): Promise<Run> {
  const { captured = false, checkpointed = false, steps = STEPS, seed = 3 } = options;
  const model = modelFromConfig(CONFIG, 'classification', { numLabels: 3 });
  const parameters = namedParameters(model);
  initializeParameters(model, CONFIG.initializer_range, 1, [...parameters.keys()]);
  if (checkpointed) checkpointLayers(model);
  const optimizer = new AdamW(parameters, { weightDecay: 0.05, rules: decayWeightsOnly });
  const factor = schedule('cosine', { warmupSteps: 4, totalSteps: STEPS });
  const build = (batch: Batch, numbers: { readonly step: number }): Tensor[] => {
    const context = createContext({ training: true, seed, step: () => numbers.step });
    const loss = model.loss(model.call(batch, context), batch);
    const { gradients, norm } = clipGradNorm(grad(loss, [...parameters.values()]), 0.5);
    optimizer.step(gradients, () => 0.02 * factor(numbers.step));
    return [loss, norm];
  };
  const run = captured ? capture(build) : normal(build);
  const numbers: number[] = [];
  for (let step = 0; step < steps; step++)
    for (const value of await run(batchOf(step, model.limits), { step })) {
      numbers.push(await value.item());
      value.dispose();
    }
  return { numbers, weight: [...(await parameters.get('classifier.weight')!.data())] };
}

function normal<A extends unknown[]>(build: (...args: A) => Tensor[]) {
  return async (...args: A): Promise<Tensor[]> => {
    const results = build(...args);
    await realize(results);
    return results;
  };
}

/** Rows of two lengths, so that there is padding. */
function batchOf(step: number, limits: Parameters<typeof createBatch>[1]): Batch {
  const inputIds = [6, 4, 6].map((length, b) =>
    Array.from({ length }, (_, t) => 1 + ((7 * step + 5 * b + 3 * t) % 30)),
  );
  return createBatch({ inputIds, labels: [0, 1, 2].map((b) => (b + step) % 3) }, limits);
}

/** Largest relative difference. */
function distance(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i]!) / (1 + Math.abs(x))), 0);
}

/** Runs on an eager device of its own. */
async function eagerly<T>(name: (typeof DEVICES)[number], body: () => Promise<T>): Promise<T> {
  const device: Device = await openDevice(name, { eager: true });
  useDevice(device);
  try {
    return await body();
  } finally {
    device.dispose();
  }
}

describe.each(DEVICES)('training on %s', (device) => {
  test('is the same normal, captured, and from the same seed; another seed differs', async () => {
    await on(device);
    const expected = await train();
    expect(await train({ captured: true })).toEqual(expected);
    const { numbers } = await train({ seed: 4, steps: 2 });
    expect(numbers.slice(0, 2)).not.toEqual(expected.numbers.slice(0, 2));
    expect(expected.numbers.every(Number.isFinite)).toBe(true);
  });

  test('is the same with recomputation, captured or not', async () => {
    await on(device);
    const expected = await train();
    const recomputed = await train({ checkpointed: true });
    expect(distance(expected.numbers, recomputed.numbers)).toBeLessThan(1e-4);
    expect(distance(expected.weight, recomputed.weight)).toBeLessThan(1e-3);
    expect(await train({ checkpointed: true, captured: true })).toEqual(recomputed);
  });

  test('is the same eager, where every op is right by itself', async () => {
    const steps = device === 'wasm' ? STEPS : 3;
    await on(device);
    const expected = await train({ steps });
    const eager = await eagerly(device, () => train({ steps }));
    expect(distance(expected.numbers, eager.numbers)).toBeLessThan(1e-3);
    expect(distance(expected.weight, eager.weight)).toBeLessThan(1e-2);
  });
});
