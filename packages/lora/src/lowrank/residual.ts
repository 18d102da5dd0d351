/**
 * @file Beginnings that take s·B₀·A₀ out of the weight and train it (PiSSA, OLoRA): y = (W − s·B₀·A₀)·x + s·B·A·x.
 * W itself is left alone here, so that such an adapter can be switched off and stands beside others; what PEFT
 * subtracts from the weight is subtracted from the output. It is stored as plain LoRA of twice the rank, as PEFT
 * converts it (`subtract_mutated_init`): A' = [A; A₀], B' = [B, −B₀].
 */
import { concat, type Tensor } from '@camada/tensor';
import type { Context } from '@camada/nn';
import type { BaseLayer } from '../adapter/base.ts';
import type { Factors, LayerPart } from '../adapter/part.ts';
import type { Stored } from '../method/method.ts';
import type { LoraConfig } from './config.ts';
import { LORA_A, LORA_B, LoraPart, type LoraNumbers } from './lora-part.ts';

/** LoRA that begins as a part of the weight. */
export class ResidualPart extends LoraPart {
  readonly #start: LoraPart;

  /** A, B as they train and A₀, B₀ as they began: [R, in], [out, R]. */
  constructor(
    trained: { readonly A: Tensor; readonly B: Tensor },
    start: { readonly A: Tensor; readonly B: Tensor },
    numbers: LoraNumbers,
  ) {
    super(trained.A, trained.B, numbers);
    this.#start = new LoraPart(start.A, start.B, { scale: numbers.scale, dropout: 0 });
  }

  /** y [..., out] and x [..., in] to [..., out]. */
  override output(y: Tensor, x: Tensor, base: BaseLayer, context: Context): Tensor {
    return super.output(y.sub(this.#start.update(x)), x, base, context);
  }

  /** The update as one of rank 2R. */
  override factors(): Factors {
    const { A, B, scale } = this.#start;
    return {
      A: concat([this.A, A], 0),
      B: concat([this.B.mul(this.scale), B.mul(-scale)], 1),
      scale: 1,
    };
  }

  /** s·(B·A − B₀·A₀): [out, in]. */
  override delta(): Tensor {
    return super.delta().sub(this.#start.delta());
  }

  /** The same update as plain LoRA of rank 2R. */
  plain(): Map<string, Tensor> {
    return new Map([
      [LORA_A, concat([this.A, this.#start.A], 0)],
      [LORA_B, concat([this.B, this.#start.B.neg()], 1)],
    ]);
  }
}

/** Settings and tensors as they are stored: the ranks of PiSSA and OLoRA double, with the scale kept. */
export async function storedLora(
  config: LoraConfig,
  layers: ReadonlyMap<string, LayerPart>,
): Promise<Stored<LoraConfig>> {
  const parts = [...layers].map(([path, part]): [string, ReadonlyMap<string, Tensor>] => [
    path,
    part instanceof ResidualPart ? part.plain() : part.tensors,
  ]);
  const residual = [...layers.values()].some((part) => part instanceof ResidualPart);
  return { config: residual ? doubled(config) : config, layers: new Map(parts) };
}

function doubled(config: LoraConfig): LoraConfig {
  const alpha = config.use_rslora ? Math.SQRT2 : 2;
  const times = (
    record: Readonly<Record<string, number>>,
    factor: number,
  ): Record<string, number> =>
    Object.fromEntries(Object.entries(record).map(([key, value]) => [key, factor * value]));
  return {
    ...config,
    r: 2 * config.r,
    lora_alpha: alpha * config.lora_alpha,
    rank_pattern: times(config.rank_pattern, 2),
    alpha_pattern: times(config.alpha_pattern, alpha),
    init_lora_weights: true,
  };
}
