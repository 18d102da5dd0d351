/** @file Adapter folders that must not be loaded: each is told, with the place, and the model stays as it was. */
import { loadAdapter } from '@camada/lora';
import { openFolder, openSafetensors, writeSafetensors, type TensorData } from '@camada/hub';
import { namedParameters, type HeadModel } from '@camada/nn';
import { InputError } from '@camada/tensor';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { golden, inFolder, json, on, tiny } from './support.ts';

const QUERY = 'bert.encoder.layer.1.attention.self.query';

let model: HeadModel;

beforeEach(async () => {
  await on('wasm');
  model = await tiny('bert-classifier');
});

describe('files that are refused leave the model as it was', () => {
  /** Loads PEFT's BERT adapter with one of its files changed. */
  async function refuse(
    change: (folder: string) => Promise<void>,
    message: RegExp | string,
  ): Promise<void> {
    const before = namedParameters(model);
    await inFolder(async (folder) => {
      await cp(golden('bert/trained'), folder, { recursive: true });
      await change(folder);
      const attempt = loadAdapter(model, await openFolder(folder));
      await expect(attempt).rejects.toThrow(InputError);
      await expect(attempt).rejects.toThrow(message);
    });
    expect(namedParameters(model)).toEqual(before);
  }

  const edit =
    (change: (entries: Map<string, TensorData>) => void) =>
    async (folder: string): Promise<void> => {
      const path = `${folder}/adapter_model.safetensors`;
      const file = await openSafetensors(path);
      const entries = new Map<string, TensorData>();
      for (const name of file.names) entries.set(name, await file.read(name));
      change(entries);
      await writeSafetensors(path, entries);
    };
  const configure =
    (fields: object) =>
    async (folder: string): Promise<void> => {
      const path = `${folder}/adapter_config.json`;
      await writeFile(path, JSON.stringify({ ...json<object>(path), ...fields }));
    };
  const A = `base_model.model.${QUERY}.lora_A.weight`;
  const f32 = (...shape: number[]): TensorData => ({
    dtype: 'f32',
    shape,
    data: new Float32Array(shape.reduce((n, size) => n * size, 1)),
  });

  test('shapes, numbers and types that do not fit', async () => {
    await refuse(
      edit((entries) => entries.set(A, f32(4, 48))),
      `'${QUERY}' has A [4, 48] and B [32, 4], but the model's weight is [32, 32]`,
    );
    await refuse(
      edit((entries) => entries.set('base_model.model.classifier.weight', f32(5, 32))),
      /'classifier\.weight' is \[5, 32\], the model's \[3, 32\]: was it trained with other labels/,
    );
    await refuse(
      edit((entries) => (entries.get(A)!.data[5] = Number.NaN)),
      `'${QUERY}.lora_A.weight' holds NaN`,
    );
    await refuse(
      edit((entries) =>
        entries.set(A, { dtype: 'i32', shape: [4, 32], data: new Int32Array(128) }),
      ),
      'holds i32; floats are needed',
    );
  });

  test('tensors that are missing, alone, or for nothing', async () => {
    await refuse(
      edit((entries) => entries.clear()),
      'holds no tensors of LORA',
    );
    await refuse(
      edit((entries) => entries.delete(A)),
      /needs one A and one B/,
    );
    await refuse(
      edit((entries) => entries.set(`base_model.model.${QUERY}.weight`, f32(32, 32))),
      /is adapted, but .* inside it is trained in full/,
    );
    await refuse(
      edit((entries) => entries.set('base_model.model.score.weight', f32(3, 32))),
      "no parameter 'score.weight'",
    );
  });

  test('a head that the config names and the tensors lack', async () => {
    await refuse(
      edit((entries) => entries.delete('base_model.model.classifier.bias')),
      "has 'classifier' in modules_to_save, but its tensors lack 'classifier.bias'",
    );
  });

  test('what is not offered', async () => {
    await refuse(configure({ use_qalora: true }), 'use_qalora');
    await refuse(configure({ peft_type: 'POLY' }), 'but only LORA');
    await refuse(configure({ r: 8 }), /rank 8/);
  });

  test('a damaged tensor file', async () => {
    await refuse(async (folder) => {
      const path = `${folder}/adapter_model.safetensors`;
      await writeFile(path, (await readFile(path)).subarray(0, 500));
    }, /adapter_model\.safetensors/);
  });
});
