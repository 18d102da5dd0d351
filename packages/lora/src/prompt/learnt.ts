/**
 * @file Something learnt for P virtual tokens, [P, W]: the numbers themselves, or what a small network makes of learnt
 * embeddings, which trains more steadily (Li and Liang 2021, section 4.3; Liu et al. 2021, section 3.2). Names and initial values
 * are those of PEFT's prompt encoders.
 */
import { linear, normal, parameterKey, uniform } from '@camada/nn';
import type { Tensor } from '@camada/tensor';

/** [P, W], and the parameters behind it. */
export interface Learnt {
  readonly trainable: ReadonlyMap<string, Tensor>;
  value(): Tensor;
}

const EMBEDDING = 'prompt_encoder.embedding.weight';

/** The numbers themselves. @param value [P, W]. */
export function direct(value: Tensor): Learnt {
  return { trainable: new Map([[EMBEDDING, value]]), value: () => value };
}

/** Numbers of PyTorch's `Embedding`, N(0, 1): [rows, width]. */
export function freshEmbedding(rows: number, width: number, seed: number): Tensor {
  return normal([rows, width], 1, parameterKey(seed, EMBEDDING));
}

/** A layer of a network between `from` and `to` numbers, with the name that PEFT gives it. */
export interface DenseSpec {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Embeddings [P, C] through linear layers with an activation between them. */
export function network(
  embedding: Tensor,
  layers: readonly DenseSpec[],
  between: (x: Tensor) => Tensor,
  seed: number,
): Learnt {
  const trainable = new Map<string, Tensor>([[EMBEDDING, embedding]]);
  const made = layers.map(({ name, from, to }) => {
    const bound = 1 / Math.sqrt(from); // PyTorch's `Linear`
    const fresh = (part: string, shape: readonly number[]): Tensor => {
      const key = `prompt_encoder.${name}.${part}`;
      const value = uniform(shape, -bound, bound, parameterKey(seed, key));
      trainable.set(key, value);
      return value;
    };
    return { weight: fresh('weight', [to, from]), bias: fresh('bias', [to]) };
  });
  const value = (): Tensor =>
    made.reduce(
      (x, { weight, bias }, i) => linear(i === 0 ? x : between(x), weight, bias),
      embedding,
    );
  return { trainable, value };
}
