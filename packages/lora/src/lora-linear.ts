/**
 * @file LoRA on a linear layer: y = W·x + b + s·B·A·dropout(x) (Hu et al. 2021, https://arxiv.org/abs/2106.09685,
 * section 4.1). The wrapped layer is `base_layer`, as in PEFT; it is frozen and keeps its names.
 */
import {
  Conv1D,
  Dropout,
  kaimingUniform,
  linear,
  type Linear,
  parameterKey,
  setParameter,
  type Context,
  type Layer,
} from '@camada/nn';
import { ShapeError, sameShape, showShape, tensor, type Shape, type Tensor } from '@camada/tensor';

/** A layer that can be adapted; a Conv1D (GPT-2) stores its weight [in, out], PEFT's `fan_in_fan_out`. */
export type BaseLayer = Linear | Conv1D;

/** Settings of one adapted layer. */
export interface LoraLinearOptions {
  /** Rank R. */
  readonly r: number;
  /** Factor s on the adapter's output; data, so another scale needs no new program. */
  readonly scale: number;
  /** Probability that an input of the adapter is dropped in training. */
  readonly dropout: number;
}

/** One of the two matrices, held as PEFT names it: `lora_A.weight`. */
export class LoraMatrix {
  /** A: [R, in]. B: [out, R]. */
  weight: Tensor;

  constructor(weight: Tensor) {
    this.weight = weight;
  }

  /** x·Wᵀ for x [..., in]. */
  call(x: Tensor): Tensor {
    return linear(x, this.weight);
  }
}

/** A linear layer with a low-rank update beside it. */
export class LoraLinear implements Layer {
  /** The frozen layer. */
  readonly base_layer: BaseLayer;
  /** A [R, in]. */
  readonly lora_A: LoraMatrix;
  /** B [out, R]. */
  readonly lora_B: LoraMatrix;
  /** Factor on the update. */
  scale: number;
  readonly #dropout: Dropout;
  #enabled = true;
  /** The weight without and with the update, while merged. */
  #weights: { readonly plain: Tensor; readonly merged: Tensor } | undefined;

  /** Throws ShapeError when A or B do not fit the layer. */
  constructor(base: BaseLayer, a: Tensor, b: Tensor, options: LoraLinearOptions) {
    const { r, scale, dropout } = options;
    if (!fitsLinear(base, a.shape, b.shape, r))
      throw new ShapeError(
        `LoRA: A ${showShape(a.shape)} and B ${showShape(b.shape)} do not fit a layer of weight ` +
          `${showShape(base.weight.shape)} at rank ${r}; they must be [${r}, in] and [out, ${r}]`,
      );
    this.base_layer = base;
    this.lora_A = new LoraMatrix(a);
    this.lora_B = new LoraMatrix(b);
    this.scale = scale;
    this.#dropout = new Dropout(dropout);
  }

  /**
   * Wraps a layer as PEFT starts it: A uniform in ±1/√in (Kaiming with a = √5), B zero, so the model is
   * unchanged at first. `path` and `seed` choose the numbers.
   */
  static fromBase(
    base: BaseLayer,
    path: string,
    seed: number,
    options: LoraLinearOptions,
  ): LoraLinear {
    const { r } = options;
    const key = parameterKey(seed, `${path}.lora_A.weight`);
    const a = kaimingUniform([r, base.inFeatures], Math.sqrt(5), key); // [R, in]
    const b = tensor(new Float32Array(base.outFeatures * r), [base.outFeatures, r]); // [out, R]
    return new LoraLinear(base, a, b, options);
  }

  /** Whether the update takes part. */
  get enabled(): boolean {
    return this.#enabled;
  }

  /** Switches the update on or off, merged or not; off is the base model. */
  set enabled(on: boolean) {
    this.#enabled = on;
    this.#placeWeight();
  }

  /** Whether the update has been added to a copy of the base weight. */
  get merged(): boolean {
    return this.#weights !== undefined;
  }

  /** [..., in] to [..., out]. Throws ShapeError when the last axis does not fit. */
  call(x: Tensor, context: Context): Tensor {
    const y = this.base_layer.call(x, context); // [..., out]
    if (!this.#enabled || this.merged) return y;
    const low = this.lora_A.call(this.#dropout.call(x, context)); // [..., R]
    // Scaled at width R, where there are fewest numbers, forward and back.
    return y.add(this.lora_B.call(low.mul(this.scale)));
  }

  /** The update of the weight, s·B·A in its layout: [out, in], of a Conv1D [in, out]. */
  delta(): Tensor {
    const delta = this.lora_B.weight.matmul(this.lora_A.weight).mul(this.scale); // [out, in]
    return this.base_layer instanceof Conv1D ? delta.transpose() : delta;
  }

  /**
   * Puts W + s·B·A, computed now in f32, in the place of the weight; the weight itself is kept for `unmerge`.
   * Later changes of A and B do not show until the layer is unmerged.
   */
  async merge(): Promise<void> {
    if (this.merged) return;
    const plain = this.base_layer.weight;
    const merged = await plain.cast('f32').add(this.delta()).realize(); // in the layout of the weight
    this.#weights ??= { plain, merged };
    this.#placeWeight();
  }

  /** Puts the weight before `merge` back, bit for bit, and frees the merged one. */
  unmerge(): void {
    const weights = this.#weights;
    if (!weights) return;
    this.#weights = undefined;
    setParameter(this.base_layer, 'weight', weights.plain);
    weights.merged.dispose();
  }

  #placeWeight(): void {
    if (!this.#weights) return;
    const { plain, merged } = this.#weights;
    setParameter(this.base_layer, 'weight', this.#enabled ? merged : plain);
  }
}

/** Whether shapes of A and B fit a layer: [R, in] and [out, R]. */
export function fitsLinear(base: BaseLayer, a: Shape, b: Shape, r: number): boolean {
  return sameShape(a, [r, base.inFeatures]) && sameShape(b, [base.outFeatures, r]);
}
