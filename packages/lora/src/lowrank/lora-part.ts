/**
 * @file LoRA on a linear layer: y + s·B·A·dropout(x) (Hu et al. 2021, https://arxiv.org/abs/2106.09685, section 4.1).
 * A [R, in], B [out, R].
 */
import { Dropout, linear, type Context } from '@camada/nn';
import { scalar, type Tensor } from '@camada/tensor';
import { inLayout, type BaseLayer, type Weights } from '../adapter/base.ts';
import type { Factors, LowRankPart } from '../adapter/part.ts';

/** Numbers of one adapted layer. */
export interface LoraNumbers {
  /** Factor s on the update; data, so another scale needs no new program. */
  readonly scale: number;
  /** Probability that an input of the adapter is dropped in training. */
  readonly dropout: number;
}

/** End of A's key. */
export const LORA_A = 'lora_A.weight';
/** End of B's key. */
export const LORA_B = 'lora_B.weight';

/** A low-rank update beside a linear layer. */
export class LoraPart implements LowRankPart {
  /** A [R, in]. */
  readonly A: Tensor;
  /** B [out, R]. */
  readonly B: Tensor;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Factor on the update. */
  scale: number;
  readonly #dropout: Dropout;

  constructor(a: Tensor, b: Tensor, { scale, dropout }: LoraNumbers) {
    this.A = a;
    this.B = b;
    this.tensors = new Map([
      [LORA_A, a],
      [LORA_B, b],
    ]);
    this.scale = scale;
    this.#dropout = new Dropout(dropout);
  }

  /** y [..., out] and x [..., in] to [..., out]. */
  output(y: Tensor, x: Tensor, _base: BaseLayer, context: Context): Tensor {
    return y.add(this.update(this.#dropout.call(x, context)));
  }

  /** s·B·A·x for x [..., in]: [..., out]. */
  update(x: Tensor): Tensor {
    // Scaled at width R, where there are fewest numbers, forward and back.
    return linear(linear(x, this.A).mul(scalar(() => this.scale)), this.B);
  }

  /** A, B and s. */
  factors(): Factors {
    return { A: this.A, B: this.B, scale: this.scale };
  }

  /** s·B·A: [out, in]. */
  delta(): Tensor {
    return this.B.matmul(this.A).mul(scalar(() => this.scale));
  }

  /** W + s·B·A. */
  merge({ weight, bias }: Weights, base: BaseLayer): Weights {
    return { weight: weight.cast('f32').add(inLayout(base, this.delta())), bias };
  }
}
