/** @file What the tests of this package share: devices, the tiny models, PEFT's goldens, comparisons. */
import { openSafetensors, type TensorReader } from '@camada/hub';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import {
  createContext,
  emptyModel,
  loadWeights,
  type Batch,
  type HeadModel,
  type HeadTask,
} from '@camada/nn';
import { tensor, type Tensor } from '@camada/tensor';
import { expect } from 'vitest';

export { on } from '../../tensor/test/laws/devices.ts';

/** Path of a golden of this package. */
export function golden(path: string): string {
  return fileURLToPath(new URL(`golden/${path}`, import.meta.url));
}

/** Path of a tiny checkpoint. */
function checkpoint(path: string): string {
  return fileURLToPath(new URL(`../../nn/test/golden/${path}`, import.meta.url));
}

/** A file of a tiny checkpoint of `@camada/nn`. */
export function tinyFolder(name: string, file: string): string {
  return checkpoint(`${name}/${file}`);
}

/** The weights of a tiny checkpoint of `@camada/nn`. */
export function tinyFile(name: string): Promise<TensorReader> {
  return openSafetensors(checkpoint(`${name}/model.safetensors`));
}

/** A JSON file. The caller says what is in it. */
export function json<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

/** A tiny checkpoint: a classifier (3 classes) or a language model. */
export async function tiny(name: string): Promise<HeadModel> {
  const task: HeadTask = name.endsWith('-classifier') ? 'classification' : 'causal-lm';
  const model = emptyModel(json(checkpoint(`${name}/config.json`)), task);
  const report = await loadWeights(
    model,
    await openSafetensors(checkpoint(`${name}/model.safetensors`)),
  );
  expect(report.initialized).toEqual([]);
  return model;
}

/** Inputs and results that PEFT recorded. */
export function recorded(name: string): Promise<TensorReader> {
  return openSafetensors(golden(`${name}/golden.safetensors`));
}

/** The batch of a recording. */
export async function batchOf(file: TensorReader): Promise<Batch> {
  const input = async (name: string): Promise<Tensor> => {
    const { data, shape, dtype } = await file.read(`input.${name}`);
    return tensor(data, shape, dtype);
  };
  const types = file.names.includes('input.token_type_ids');
  return {
    inputIds: await input('input_ids'),
    attentionMask: await input('attention_mask'),
    labels: await input('labels'),
    ...(types && { tokenTypeIds: await input('token_type_ids') }),
  };
}

/** Logits without dropout, as plain numbers. */
export async function logits(model: HeadModel, batch: Batch): Promise<number[]> {
  return [...(await model.call(batch, createContext()).logits.data())];
}

/** Largest |a − b|; NaN anywhere gives NaN. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

/** Uniform numbers in [−1, 1): Lehmer's generator, so that no test depends on ours. */
export function numbers(count: number, seed: number): Float32Array {
  let state = seed + 1;
  return Float32Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647;
    return (2 * state) / 2147483647 - 1;
  });
}

/** Gives parameters values that are not 0, as training would. */
export async function shake(parameters: Iterable<Tensor>): Promise<void> {
  let seed = 7;
  for (const parameter of parameters) {
    const values = numbers(parameter.size, seed++).map((x) => 0.3 * x);
    parameter.assign(parameter.add(tensor(values, parameter.shape)));
    await parameter.realize();
  }
}

/** A folder that is gone afterwards. */
export async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(`${tmpdir()}/camada-lora-`);
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
