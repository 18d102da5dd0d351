/**
 * @file 30 training steps of a real model against PyTorch and PEFT (tools/oracle/minilm.py): the same batches of
 * SST-2, no dropout. The weights, all-MiniLM-L6-v2, are not in the repository: the folder is $CAMADA_MINILM, else
 * .cache/minilm; without it these tests are skipped.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { grad } from '@camada/autograd';
import { openSafetensors } from '@camada/hub';
import { injectLora } from '@camada/lora';
import {
  AdamW,
  createBatch,
  createContext,
  emptyModel,
  loadWeights,
  namedParameters,
  setParameter,
  type Batch,
  type HeadModel,
} from '@camada/nn';
import { openDevice, realize, tensor, useDevice, type Tensor } from '@camada/tensor';
import { expect, it } from 'vitest';

interface Outcome {
  readonly learningRate: number;
  readonly losses: number[];
  readonly finalLogits: number[][];
  /** Distance between the parameter's first and last value, by name. */
  readonly movedBy: Record<string, number>;
}

interface Batches {
  readonly inputIds: number[][][];
  readonly labels: number[][];
}

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = process.env['CAMADA_MINILM'] ?? `${root}.cache/minilm`;
const missing = !existsSync(`${folder}/model.safetensors`);
const MINUTES = 60_000;

/** Rows are padded to a multiple of this: few lengths, few programs. Padding changes no number. */
const LENGTHS = 16;

function golden<T>(name: string): T {
  const path = new URL(`golden/${name}`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

function formula(rows: number, columns: number, value: (i: number, j: number) => number): Tensor {
  const data = Float32Array.from({ length: rows * columns }, (_, n) =>
    value(Math.floor(n / columns), n % columns),
  );
  return tensor(data, [rows, columns]);
}

async function classifier(): Promise<HeadModel> {
  useDevice(await openDevice('wasm'));
  const config: unknown = JSON.parse(readFileSync(`${folder}/config.json`, 'utf8'));
  const model = emptyModel(config, 'classification', { numLabels: 2 });
  await loadWeights(model, await openSafetensors(`${folder}/model.safetensors`));
  const head = formula(2, 384, (i, j) => 0.02 * Math.sin(1 + 384 * i + j));
  setParameter(model, 'classifier.weight', head);
  setParameter(model, 'classifier.bias', tensor(new Float32Array(2), [2]));
  return model;
}

/** LoRA as the oracle starts it: A by a formula of the layer and of query or value, B zero. */
async function trainableOfLora(model: HeadModel): Promise<ReadonlyMap<string, Tensor>> {
  const { layers, trainable } = await injectLora(model, {
    r: 8,
    lora_alpha: 16,
    target_modules: ['query', 'value'],
    modules_to_save: ['classifier'],
  });
  for (const [path, { tensors }] of layers) {
    const layer = Number(/layer\.(\d+)/.exec(path)?.[1]);
    const k = 2 * layer + Number(path.endsWith('value'));
    const a = formula(8, 384, (i, j) => 0.05 * Math.sin((k + 1) * (i + 1) * (j + 1)));
    tensors.get('lora_A.weight')!.assign(a);
  }
  await realize([...trainable.values()]);
  return trainable;
}

function batchOf(model: HeadModel, { inputIds, labels }: Batches, step: number): Batch {
  const rows = inputIds[step]!;
  const longest = Math.max(...rows.map((row) => row.length));
  const length = LENGTHS * Math.ceil(longest / LENGTHS);
  return createBatch({ inputIds: rows, labels: labels[step]! }, model.limits, length);
}

/** Loss of each batch before its step. */
async function train(
  model: HeadModel,
  parameters: ReadonlyMap<string, Tensor>,
  batches: Batches,
  learningRate: number,
): Promise<number[]> {
  const optimizer = new AdamW(parameters, { weightDecay: 0.01 });
  const losses: number[] = [];
  for (let step = 0; step < batches.inputIds.length; step++) {
    const batch = batchOf(model, batches, step);
    const loss = model.loss(model.call(batch, createContext()), batch);
    optimizer.step(grad(loss, [...parameters.values()]), learningRate);
    await realize([loss]);
    losses.push(await loss.item());
  }
  return losses;
}

async function values(parameters: ReadonlyMap<string, Tensor>): Promise<Map<string, Float32Array>> {
  const kept = new Map<string, Float32Array>();
  for (const [name, parameter] of parameters)
    kept.set(name, Float32Array.from(await parameter.data()));
  return kept;
}

function distance(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0));
}

/** Softmax does not see a key's bias: its gradient is rounding noise, which Adam scales up to steps of any direction. */
function hasNoGradient(name: string): boolean {
  return name.endsWith('key.bias');
}

async function follows(
  model: HeadModel,
  parameters: ReadonlyMap<string, Tensor>,
  expected: Outcome,
): Promise<void> {
  const batches = golden<Batches>('minilm-batches.json');
  const before = await values(parameters);
  const losses = await train(model, parameters, batches, expected.learningRate);
  for (const [step, loss] of losses.entries())
    expect(Math.abs(loss / expected.losses[step]! - 1), `loss of step ${step}`).toBeLessThan(1e-4);

  const { logits } = model.call(batchOf(model, batches, 0), createContext());
  const data = await logits.data();
  for (const [i, value] of expected.finalLogits.flat().entries())
    expect(Math.abs(data[i]! - value), `logit ${i}`).toBeLessThan(1e-3);

  const after = await values(parameters);
  expect([...after.keys()].sort()).toEqual(Object.keys(expected.movedBy).sort());
  for (const [name, end] of after)
    if (!hasNoGradient(name))
      expect(distance(end, before.get(name)!) / expected.movedBy[name]!, name).toBeCloseTo(1, 2);
}

it.skipIf(missing)(
  'full fine-tuning of MiniLM follows PyTorch for 30 steps',
  async () => {
    const model = await classifier();
    const { full } = golden<{ full: Outcome }>('minilm-training.json');
    await follows(model, namedParameters(model), full);
  },
  5 * MINUTES,
);

it.skipIf(missing)(
  'LoRA on MiniLM follows PEFT for 30 steps',
  async () => {
    const model = await classifier();
    const { lora } = golden<{ lora: Outcome }>('minilm-training.json');
    await follows(model, await trainableOfLora(model), lora);
  },
  5 * MINUTES,
);
