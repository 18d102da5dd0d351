/** @file Normalisation over the last axis. */
import type { Tensor } from '@camada/tensor';
import { oneParameter, zeroParameter } from './parameter.ts';

/** Layer normalisation (Ba et al. 2016, https://arxiv.org/abs/1607.06450): zero mean, unit variance, then scale and shift. */
export class LayerNorm {
  /** [C]. */
  readonly weight: Tensor;
  /** [C]. */
  readonly bias?: Tensor;
  /** Added to the variance. */
  readonly eps: number;

  /** Scale 1, shift 0 or none. */
  constructor(width: number, eps: number, bias: boolean = true) {
    this.weight = oneParameter([width]);
    if (bias) this.bias = zeroParameter([width]);
    this.eps = eps;
  }

  /** [..., C] to [..., C]. */
  call(x: Tensor): Tensor {
    const centred = x.sub(x.mean(-1, true));
    const variance = centred.square().mean(-1, true); // [..., 1], biased
    const scaled = centred.mul(variance.add(this.eps).rsqrt()).mul(this.weight);
    return this.bias ? scaled.add(this.bias) : scaled;
  }
}

/** Root mean square normalisation (Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467). */
export class RMSNorm {
  /** [C]. */
  readonly weight: Tensor;
  /** Added to the mean square. */
  readonly eps: number;

  /** Scale 1. */
  constructor(width: number, eps: number) {
    this.weight = oneParameter([width]);
    this.eps = eps;
  }

  /** [..., C] to [..., C]. */
  call(x: Tensor): Tensor {
    return rootMeanSquareNorm(x, this.weight, this.eps);
  }
}

/** x/√(mean x² + eps)·scale over the last axis, for x [..., C] and a scale [C]. */
export function rootMeanSquareNorm(x: Tensor, scale: Tensor, eps: number): Tensor {
  const meanSquare = x.square().mean(-1, true); // [..., 1]
  return x.mul(meanSquare.add(eps).rsqrt()).mul(scale);
}
