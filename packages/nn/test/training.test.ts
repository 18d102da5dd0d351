/**
 * @file Training a tiny BERT with dropout, clipping, a schedule and AdamW: the same losses on every device, a resumed
 * run equal to an uninterrupted one, one program a step, nothing that grows, and less work when less is trained.
 */
import { grad } from '@camada/autograd';
import { realize, type Device, type Tensor } from '@camada/tensor';
import {
  AdamW,
  clipGradNorm,
  createBatch,
  createContext,
  decayWeightsOnly,
  emptyModel,
  loadWeights,
  namedParameters,
  schedule,
  setParameter,
  type Batch,
  type HeadModel,
  type OptimizerState,
} from '@camada/nn';
import { expect, it } from 'vitest';
import { goldenJson, goldenTensors, leaf, on } from './support.ts';

const STEPS = 12;
const factor = schedule('linear', { warmupSteps: 3, totalSteps: STEPS });

interface Run {
  readonly model: HeadModel;
  readonly optimizer: AdamW;
}

async function start(wanted: (name: string) => boolean = () => true): Promise<Run> {
  const model = emptyModel(goldenJson('bert-classifier/config.json'), 'classification');
  await loadWeights(model, goldenTensors('bert-classifier/model.safetensors'));
  const chosen = new Map([...namedParameters(model)].filter(([name]) => wanted(name)));
  return { model, optimizer: new AdamW(chosen, { rules: decayWeightsOnly }) };
}

function batch(model: HeadModel, step: number): Batch {
  const row = (b: number): number[] =>
    Array.from({ length: 3 + b }, (_, t) => 5 + ((7 * b + 3 * t + step) % 90));
  return createBatch({ inputIds: [0, 1, 2, 3].map(row), labels: [0, 1, 2, 1] }, model.limits, 8);
}

/** One step; its loss. */
async function train({ model, optimizer }: Run, step: number): Promise<number> {
  const context = createContext({ training: true, seed: 9, step });
  const data = batch(model, step);
  const loss = model.loss(model.call(data, context), data);
  const { gradients, norm } = clipGradNorm(grad(loss, [...optimizer.parameters.values()]), 1);
  optimizer.step(gradients, 5e-3 * factor(step));
  await realize([loss, norm]);
  return loss.item();
}

async function losses(run: Run, from: number, to: number): Promise<number[]> {
  const result: number[] = [];
  for (let step = from; step < to; step++) result.push(await train(run, step));
  return result;
}

/** Kernels of one step, after the first. */
async function kernels(device: Device, wanted: (name: string) => boolean): Promise<number> {
  const run = await start(wanted);
  await train(run, 0);
  const before = device.counters.kernels;
  await train(run, 1);
  return device.counters.kernels - before;
}

it('gives the same losses on the reference and on wasm, and they fall', async () => {
  await on('reference');
  const expected = await losses(await start(), 0, STEPS);
  await on('wasm');
  const found = await losses(await start(), 0, STEPS);
  for (const [i, loss] of found.entries())
    expect(Math.abs(loss / expected[i]! - 1)).toBeLessThan(1e-3);
  expect(found.at(-1)).toBeLessThan(0.7 * found[0]!);
});

it('continues after a save as if it had not stopped, to the bit', async () => {
  await on('wasm');
  const whole = await start();
  await losses(whole, 0, 4);
  const saved: OptimizerState = await whole.optimizer.state();
  const values = new Map<string, Tensor>();
  for (const [name, parameter] of namedParameters(whole.model)) {
    const data = Float32Array.from(await parameter.data());
    values.set(name, leaf({ dtype: 'f32', shape: parameter.shape, data }));
  }
  const rest = await losses(whole, 4, 8);
  const { model } = await start();
  for (const [name, value] of values) setParameter(model, name, value);
  const optimizer = new AdamW(namedParameters(model), { rules: decayWeightsOnly });
  optimizer.load(saved);
  expect(await losses({ model, optimizer }, 4, 8)).toEqual(rest);
});

it('runs one program a step, compiles nothing after the second and holds no more memory', async () => {
  const device = await on('wasm');
  const run = await start();
  await losses(run, 0, 2);
  const { compiled, submits } = device.counters;
  const { live } = device.memory();
  await losses(run, 2, 8);
  expect(device.counters.compiled).toBe(compiled);
  expect(device.counters.submits - submits).toBe(6);
  // Batches and losses wait for the garbage collector: a few kilobytes, not a copy of the model (125 kB).
  expect(device.memory().live - live).toBeLessThan(20_000);
});

it('does less work the higher the lowest trained layer is', async () => {
  const device = await on('wasm');
  const all = await kernels(device, () => true);
  const [bottom, top] = [
    await kernels(device, (name) => name.includes('layer.0.attention.self.query')),
    await kernels(device, (name) => name.includes('layer.2.attention.self.query')),
  ];
  const head = await kernels(device, (name) => name.startsWith('classifier'));
  expect(bottom).toBeLessThan(all / 2);
  expect(top).toBeLessThan(bottom);
  expect(head).toBeLessThan(top);
});
