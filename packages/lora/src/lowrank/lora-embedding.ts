/**
 * @file LoRA on a table of rows: y + s·B·A[:, ids]. A is [R, V] and zero at first, B [C, R], the other way round than
 * in a linear layer (PEFT, `tuners/lora/layer.py`, `Embedding`). Ids are not dropped out.
 */
import { scalar, type Tensor } from '@camada/tensor';
import type { Weights } from '../adapter/base.ts';
import type { Factors, LowRankPart } from '../adapter/part.ts';

/** End of A's key. */
export const EMBEDDING_A = 'lora_embedding_A';
/** End of B's key. */
export const EMBEDDING_B = 'lora_embedding_B';

/** A low-rank update beside an embedding. */
export class LoraEmbeddingPart implements LowRankPart {
  /** A [R, V]. */
  readonly A: Tensor;
  /** B [C, R]. */
  readonly B: Tensor;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Factor on the update. */
  scale: number;

  constructor(a: Tensor, b: Tensor, scale: number) {
    this.A = a;
    this.B = b;
    this.tensors = new Map([
      [EMBEDDING_A, a],
      [EMBEDDING_B, b],
    ]);
    this.scale = scale;
  }

  /** y [...n, C] and ids [...n] to [...n, C]. */
  output(y: Tensor, ids: Tensor): Tensor {
    return y.add(this.update(ids));
  }

  /** s·B·A[:, ids] for ids [...n]: [...n, C]. */
  update(ids: Tensor): Tensor {
    const low = this.A.transpose().gather(ids); // [...n, R]
    return low.mul(scalar(() => this.scale)).matmul(this.B.transpose());
  }

  /** A, B and s. */
  factors(): Factors {
    return { A: this.A, B: this.B, scale: this.scale };
  }

  /** s·(B·A)ᵀ: [V, C]. */
  delta(): Tensor {
    return this.A.transpose()
      .matmul(this.B.transpose())
      .mul(scalar(() => this.scale));
  }

  /** The table with the update. */
  merge({ weight }: Weights): Weights {
    return { weight: weight.cast('f32').add(this.delta()) };
  }
}
