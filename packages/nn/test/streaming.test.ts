/** @file A checkpoint is loaded one array at a time: what is on the device is not kept on the host. */
import { openDevice, useDevice, type TypedArray } from '@camada/tensor';
import { expect, test } from 'vitest';
import {
  emptyModel,
  loadWeights,
  namedParameters,
  type WeightEntry,
  type WeightFile,
} from '@camada/nn';

const CONFIG = {
  model_type: 'llama',
  vocab_size: 64,
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 6,
  num_attention_heads: 4,
  tie_word_embeddings: true,
};

/** Zeros for every parameter of the model, with an eye on which arrays are still alive. */
function watchedFile(): WeightFile & { alive(): Promise<number> } {
  const shapes = new Map(
    [...namedParameters(emptyModel(CONFIG, 'causal-lm'))].map(([name, { shape }]) => [name, shape]),
  );
  const seen: WeakRef<TypedArray>[] = [];
  const alive = async (): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    globalThis.gc!();
    return seen.filter((array) => array.deref()).length;
  };
  return {
    names: [...shapes.keys()],
    entry: (name) => ({ shape: shapes.get(name)! }),
    alive,
    async read(name): Promise<WeightEntry> {
      expect(await alive()).toBeLessThanOrEqual(1);
      const shape = shapes.get(name)!;
      const data = new Float32Array(shape.reduce((size, length) => size * length, 1));
      seen.push(new WeakRef(data));
      return { dtype: 'f32', shape, data };
    },
  };
}

test('at most one array is on the host while a model loads', async () => {
  useDevice(await openDevice('wasm', { threads: 1 }));
  const file = watchedFile();
  const model = emptyModel(CONFIG, 'causal-lm');
  const progress: number[][] = [];
  await loadWeights(model, file, { onProgress: (...numbers) => void progress.push(numbers) });
  expect(await file.alive()).toBeLessThanOrEqual(1);
  expect(progress).toHaveLength(file.names.length);
  const total = [...namedParameters(model).values()].reduce((sum, { size }) => sum + size, 0);
  expect(progress.at(-1)).toEqual([total, total]);
});

test('a shape that does not fit is found before anything is read', async () => {
  const file = watchedFile();
  const read: string[] = [];
  const odd: WeightFile = {
    names: file.names,
    entry: (name) => (name === 'model.norm.weight' ? { shape: [65] } : file.entry!(name)),
    read: (name) => {
      read.push(name);
      return file.read(name);
    },
  };
  await expect(loadWeights(emptyModel(CONFIG, 'causal-lm'), odd)).rejects.toThrow(
    /'model\.norm\.weight' is \[65\] in the file, the model needs \[64\]/,
  );
  expect(read).toEqual([]);
});
