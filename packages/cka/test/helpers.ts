/** @file Shared by the tests: reproducible data on the f64 reference device, and a model that is a list of levels. */
import { openDevice, tensor, useDevice, type Tensor } from '@camada/tensor';
import {
  FINAL_HIDDEN,
  hiddenName,
  type Batch,
  type Context,
  type Model,
  type Output,
} from '@camada/nn';

useDevice(await openDevice('reference'));

/** Standard normal numbers from a fixed linear congruential sequence (sum of twelve uniforms). */
export function normal(count: number, seed: number): Float64Array {
  let state = (seed * 2654435761) >>> 0;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Float64Array.from({ length: count }, () => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += uniform();
    return sum;
  });
}

/** Independent rows [n, p]. */
export function gaussian(n: number, p: number, seed: number): Tensor {
  return tensor(normal(n * p, seed), [n, p]);
}

/** How a fake model makes level i of token ids [B, T]: hidden states [B, T, C]. */
export type Levels = (ids: Tensor, mask: Tensor) => Tensor[];

/** A model whose hidden states are given by a function; `final` is captured where it returns one more. */
export function fakeModel(layers: number, levels: Levels, modelType = 'bert'): Model {
  return {
    config: {
      model_type: modelType,
      architectures: [],
      vocab_size: 100,
      hidden_size: 4,
      num_hidden_layers: layers,
      num_attention_heads: 1,
      intermediate_size: 4,
      max_position_embeddings: 16,
      initializer_range: 0.02,
    },
    layers: Array.from({ length: layers }, (_, index) => ({ index, name: `layer.${index}` })),
    limits: {
      vocabSize: 100,
      maxLength: 16,
      tokenTypes: 0,
      labels: { kind: 'class', count: 2 },
      padTokenId: 0,
    },
    wordEmbeddings: 'embeddings',
    headPrefixes: [],
    aliases: () => [],
    call(batch: Batch, context: Context): Output {
      const states = levels(batch.inputIds, batch.attentionMask);
      states.slice(0, layers + 1).forEach((state, i) => context.capture?.(hiddenName(i), state));
      const final = states[layers + 1];
      if (final) context.capture?.(FINAL_HIDDEN, final);
      return { hidden: states.at(-1)! };
    },
  };
}

/** Batches of one-token rows with ids `first` … `first + count − 1`. */
export function batches(count: number, size: number, first = 0): Batch[] {
  const starts = Array.from({ length: Math.ceil(count / size) }, (_, i) => i * size);
  return starts.map((start) => {
    const rows = Math.min(size, count - start);
    const ids = Int32Array.from({ length: rows }, (_, i) => first + start + i);
    return {
      inputIds: tensor(ids, [rows, 1]),
      attentionMask: tensor(new Int32Array(rows).fill(1), [rows, 1]),
    };
  });
}

/** Tables [V, C] as levels: level i is the row of table i for each id. */
export function tables(list: readonly Tensor[]): Levels {
  return (ids) => list.map((table) => table.gather(ids)); // [B, T, C]
}
