/**
 * @file DoRA: the weight is (m / ‖V‖)·V with V = W + s·B·A; m, the size of each row, trains apart from the direction
 * (Liu et al. 2024, https://arxiv.org/abs/2402.09353, equation 5). As in section 4.3 there and in PEFT
 * (`tuners/lora/dora.py`), ‖V‖ is a constant to the gradient. m begins as ‖V‖, so the model is unchanged at first.
 */
import { Dropout, linear, type Context } from '@camada/nn';
import { InputError, type Tensor } from '@camada/tensor';
import {
  inLayout,
  isEmbedding,
  isLinear,
  linearWeight,
  type BaseLayer,
  type LinearBase,
  type Weights,
} from '../adapter/base.ts';
import type { LayerPart } from '../adapter/part.ts';
import { LoraEmbeddingPart } from './lora-embedding.ts';
import { LoraPart, type LoraNumbers } from './lora-part.ts';

/** End of m's key. */
export const MAGNITUDE = 'lora_magnitude_vector';

/** The lengths [out] of the rows of a matrix [out, in]. */
export function rowNorms(matrix: Tensor): Tensor {
  return matrix.square().sum(1).sqrt();
}

/** DoRA on a linear layer. */
export class DoraPart implements LayerPart {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly #lora: LoraPart;
  readonly #magnitude: Tensor;
  readonly #dropout: Dropout;

  /** A [R, in], B [out, R], m [out]. */
  constructor(a: Tensor, b: Tensor, magnitude: Tensor, numbers: LoraNumbers) {
    this.#lora = new LoraPart(a, b, numbers);
    this.#magnitude = magnitude;
    this.#dropout = new Dropout(numbers.dropout);
    this.tensors = new Map([...this.#lora.tensors, [MAGNITUDE, magnitude]]);
  }

  /** y [..., out] and x [..., in] to [..., out]. Throws InputError on a layer that is not linear. */
  output(y: Tensor, x: Tensor, base: BaseLayer, context: Context): Tensor {
    if (!isLinear(base)) throw notLinear();
    const factor = this.#factor(base); // [out]
    const dropped = this.#dropout.call(x, context);
    // With dropout, PEFT takes the base's share from the dropped input too.
    const plain = dropped === x ? withoutBias(y, base) : linear(dropped, linearWeight(base)); // [..., out]
    return y.add(plain.mul(factor.sub(1))).add(this.#lora.update(dropped).mul(factor));
  }

  /** (m / ‖V‖)·V. Throws InputError on a layer that is not linear. */
  merge({ weight, bias }: Weights, base: BaseLayer): Weights {
    if (!isLinear(base)) throw notLinear();
    const v = inLayout(base, weight.cast('f32')).add(this.#lora.delta()); // [out, in]
    return { weight: inLayout(base, v.mul(this.#factor(base).unsqueeze(1))), bias };
  }

  /** m / ‖V‖: [out]. */
  #factor(base: LinearBase): Tensor {
    const v = linearWeight(base).add(this.#lora.delta()).detach(); // [out, in]
    return this.#magnitude.div(rowNorms(v).detach());
  }
}

/** DoRA on an embedding: m has one number for each column of the table. */
export class DoraEmbeddingPart implements LayerPart {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly #lora: LoraEmbeddingPart;
  readonly #magnitude: Tensor;

  /** A [R, V], B [C, R], m [C]. */
  constructor(a: Tensor, b: Tensor, magnitude: Tensor, scale: number) {
    this.#lora = new LoraEmbeddingPart(a, b, scale);
    this.#magnitude = magnitude;
    this.tensors = new Map([...this.#lora.tensors, [MAGNITUDE, magnitude]]);
  }

  /** y [...n, C] and ids [...n] to [...n, C]. Throws InputError on a layer that is no embedding. */
  output(y: Tensor, ids: Tensor, base: BaseLayer): Tensor {
    return y.add(this.#lora.update(ids)).mul(this.#factor(base));
  }

  /** (m / ‖V‖)·V. Throws InputError on a layer that is no embedding. */
  merge({ weight }: Weights, base: BaseLayer): Weights {
    return { weight: weight.cast('f32').add(this.#lora.delta()).mul(this.#factor(base)) };
  }

  #factor(base: BaseLayer): Tensor {
    if (!isEmbedding(base)) throw notLinear();
    const v = base.weight.cast('f32').add(this.#lora.delta()).detach(); // [V, C]
    return this.#magnitude.div(rowNorms(v.transpose()).detach()); // [C]
  }
}

function withoutBias(y: Tensor, { bias }: LinearBase): Tensor {
  return bias ? y.sub(bias) : y;
}

function notLinear(): InputError {
  return new InputError('DoRA: the layer is not of the kind that the adapter was made for');
}
