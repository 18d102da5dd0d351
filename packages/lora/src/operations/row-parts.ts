/** @file What a layer computes for rows of different adapters, from all adapters' tensors behind each other. */
import type { Context } from '@camada/nn';
import { InputError, showShape, type Tensor } from '@camada/tensor';
import type { BaseLayer } from '../adapter/base.ts';
import type { RowChoice, RowPart } from '../adapter/rows.ts';

/** Tensors of N adapters behind each other; number 0 is the base model, with zeros. */
export interface RowStacks {
  /** [N + 1, R, in]; of an embedding, transposed, [N + 1, V, R]. */
  readonly A: Tensor;
  /** [N + 1, out, R]. */
  readonly B: Tensor;
  /** [N + 1]. */
  readonly scales: Tensor;
}

/** x [B, ..., C] or [B·T, C] as [B, M, C]. Throws InputError on other inputs: whose adapter would they take? */
function byRow(x: Tensor, { rows, length }: RowChoice): Tensor {
  const [first, width] = [x.shape[0], x.shape.at(-1)!];
  const count = rows.shape[0]!;
  if (x.rank < 2 || (first !== count && !(x.rank === 2 && first === count * length)))
    throw new InputError(
      `mixed batch: an adapted layer's input ${showShape(x.shape)} is not a row for each of the ${count} names`,
    );
  return x.reshape([count, -1, width]);
}

/** LoRA of each row's own adapter on a linear layer. */
export class RowLora implements RowPart {
  readonly #stacks: RowStacks;

  constructor(stacks: RowStacks) {
    this.#stacks = stacks;
  }

  /** x [B, ..., in] or [B·T, in] to the same with `out`. Throws InputError when the rows do not fit. */
  call(x: Tensor, choice: RowChoice, base: BaseLayer, context: Context): Tensor {
    const { A, B, scales } = this.#stacks;
    const y = base.call(x, context);
    const scale = scales.gather(choice.rows).reshape([-1, 1, 1]);
    const low = byRow(x, choice).matmul(A.gather(choice.rows).transpose(1, 2)); // [B, M, R]
    const update = low.mul(scale).matmul(B.gather(choice.rows).transpose(1, 2)); // [B, M, out]
    return y.add(update.reshape(y.shape));
  }

  /** Frees the copies. */
  dispose(): void {
    for (const copy of Object.values(this.#stacks) as Tensor[]) copy.dispose();
  }
}

/** LoRA of each row's own adapter on an embedding. */
export class RowEmbedding implements RowPart {
  readonly #stacks: RowStacks;

  constructor(stacks: RowStacks) {
    this.#stacks = stacks;
  }

  /** Ids [B, T] to [B, T, C]. Throws InputError when the rows do not fit. */
  call(ids: Tensor, choice: RowChoice, base: BaseLayer, context: Context): Tensor {
    const { A, B, scales } = this.#stacks;
    const y = base.call(ids, context); // [B, T, C]
    byRow(y, choice);
    const [, words = 0, rank = 0] = A.shape;
    const places = ids.add(choice.rows.mul(words).unsqueeze(1)); // [B, T]
    const scale = scales.gather(choice.rows).reshape([-1, 1, 1]);
    const low = A.reshape([-1, rank]).gather(places).mul(scale); // [B, T, R]
    return y.add(low.matmul(B.gather(choice.rows).transpose(1, 2)));
  }

  /** Frees the copies. */
  dispose(): void {
    for (const copy of Object.values(this.#stacks) as Tensor[]) copy.dispose();
  }
}

/** A linear layer of each row's own. */
export class RowHead implements RowPart {
  readonly #weight: Tensor;
  readonly #bias: Tensor | undefined;

  /** Weights [N + 1, out, in] and biases [N + 1, out]. */
  constructor(weight: Tensor, bias: Tensor | undefined) {
    this.#weight = weight;
    this.#bias = bias;
  }

  /** x [B, ..., in] or [B·T, in] to the same with `out`. Throws InputError when the rows do not fit. */
  call(x: Tensor, choice: RowChoice): Tensor {
    const y = byRow(x, choice).matmul(this.#weight.gather(choice.rows).transpose(1, 2)); // [B, M, out]
    const shifted = this.#bias ? y.add(this.#bias.gather(choice.rows).unsqueeze(1)) : y;
    return shifted.reshape([...x.shape.slice(0, -1), -1]);
  }

  /** Frees the copies. */
  dispose(): void {
    this.#weight.dispose();
    this.#bias?.dispose();
  }
}
