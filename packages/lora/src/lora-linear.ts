/**
 * @file LoRA on a linear layer: y = W·x + b + s·B·A·dropout(x) (Hu et al. 2021, https://arxiv.org/abs/2106.09685,
 * section 4.1). The wrapped layer is `base_layer`, as in PEFT; it is frozen and keeps its names.
 */
import {
  Dropout,
  kaimingUniform,
  linear,
  Linear,
  parameterKey,
  type Context,
  type Layer,
} from '@camada/nn';
import { ShapeError, showShape, tensor, type Tensor } from '@camada/tensor';

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
  readonly base_layer: Linear;
  /** A [R, in]. */
  readonly lora_A: LoraMatrix;
  /** B [out, R]. */
  readonly lora_B: LoraMatrix;
  /** Factor on the update. */
  scale: number;
  readonly #dropout: Dropout;
  #enabled = true;
  #unmerged: Tensor | undefined;

  /** Throws ShapeError when A or B do not fit the layer. */
  constructor(base: Linear, a: Tensor, b: Tensor, options: LoraLinearOptions) {
    const { r, scale, dropout } = options;
    const fits =
      a.shape[0] === r &&
      a.shape[1] === base.inFeatures &&
      b.shape[0] === base.outFeatures &&
      b.shape[1] === r;
    if (!fits)
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
    base: Linear,
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

  /** Switches the update on or off; off is the base model. */
  set enabled(on: boolean) {
    this.#enabled = on;
  }

  /** Whether the update has been added to the base weight. */
  get merged(): boolean {
    return this.#unmerged !== undefined;
  }

  /** [..., in] to [..., out]. */
  call(x: Tensor, context: Context): Tensor {
    const y = this.base_layer.call(x, context); // [..., out]
    if (!this.#enabled || this.merged) return y;
    const low = this.lora_A.call(this.#dropout.call(x, context)); // [..., R]
    return y.add(this.lora_B.call(low).mul(this.scale));
  }

  /** The update of the weight, s·B·A: [out, in]. */
  delta(): Tensor {
    return this.lora_B.weight.matmul(this.lora_A.weight).mul(this.scale);
  }

  /** Adds the update to the base weight and computes it; the old weight is kept for `unmerge`. */
  async merge(): Promise<void> {
    if (this.merged) return;
    const original = this.base_layer.weight;
    const merged = await original.cast('f32').add(this.delta()).realize();
    this.#unmerged = original;
    this.#setWeight(merged);
  }

  /** Puts the weight before `merge` back, bit for bit. */
  unmerge(): void {
    if (!this.#unmerged) return;
    this.base_layer.weight.dispose();
    this.#setWeight(this.#unmerged);
    this.#unmerged = undefined;
  }

  #setWeight(weight: Tensor): void {
    (this.base_layer as { weight: Tensor }).weight = weight;
  }
}
