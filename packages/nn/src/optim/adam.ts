/** @file Adam (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980), as PyTorch computes it. */
import { InputError, scalar, type Tensor } from '@camada/tensor';
import {
  FramedOptimizer,
  likeParameter,
  type FrameOptions,
  type Updated,
  type Updating,
} from './frame.ts';
import { checkRate, type ParameterRules } from './optimizer.ts';

/** Settings of Adam; names and defaults are PyTorch's. */
export interface AdamOptions {
  /** Decay rates of the two moments; [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second moment; 1e-8. */
  readonly eps?: number;
  /** Decay, added to the gradient (L2); 0. */
  readonly weightDecay?: number;
  /** Exceptions by name, for example `decayWeightsOnly`. */
  readonly rules?: ParameterRules;
}

/** Host numbers of one step, [] each. */
export interface AdamNumbers {
  readonly beta1: Tensor;
  readonly beta2: Tensor;
  readonly rest1: Tensor;
  readonly rest2: Tensor;
  /** 1/√(1 − β₂ᵗ). */
  readonly correction2: Tensor;
  readonly eps: Tensor;
  /** lr/(1 − β₁ᵗ). */
  readonly stepSize: Tensor;
  /** 1 − lr·λ with decoupled decay; undefined otherwise. */
  readonly keep: Tensor | undefined;
  /** λ with decay in the gradient; undefined otherwise. */
  readonly decay: Tensor | undefined;
}

/** Both moments as they are. */
const MOMENTS: FrameOptions['slots'] = { exp_avg: likeParameter, exp_avg_sq: likeParameter };

/** What Adam and AdamW share; they differ in where decay goes. */
export abstract class AdamFamily extends FramedOptimizer<AdamNumbers> {
  readonly #betas: readonly [number, number];
  readonly #eps: number;
  readonly #decoupled: boolean;

  /** Throws InputError on a setting outside its range. */
  constructor(
    name: string,
    parameters: ReadonlyMap<string, Tensor>,
    options: AdamOptions & { readonly weightDecay: number },
    decoupled: boolean,
    slots: FrameOptions['slots'] = MOMENTS,
  ) {
    const { betas = [0.9, 0.999], eps = 1e-8, weightDecay, rules } = options;
    super(name, parameters, { weightDecay, rules, slots });
    checkRate(name, 'eps', eps);
    if (!betas.every((beta) => beta >= 0 && beta < 1))
      throw new InputError(`${name}: betas ${betas.join(', ')} are not in [0, 1)`);
    this.#betas = betas;
    this.#eps = eps;
    this.#decoupled = decoupled;
  }

  protected numbers(learningRate: () => number, weightDecay: number): AdamNumbers {
    const [beta1, beta2] = this.#betas;
    return {
      beta1: scalar(beta1),
      beta2: scalar(beta2),
      rest1: scalar(1 - beta1),
      rest2: scalar(1 - beta2),
      correction2: scalar(() => 1 / Math.sqrt(1 - beta2 ** this.steps)),
      eps: scalar(this.#eps),
      stepSize: scalar(() => learningRate() / (1 - beta1 ** this.steps)),
      keep: this.#decoupled ? scalar(() => 1 - learningRate() * weightDecay) : undefined,
      decay: !this.#decoupled && weightDecay !== 0 ? scalar(weightDecay) : undefined,
    };
  }

  protected update({ parameter, gradient, slots }: Updating, numbers: AdamNumbers): Updated {
    const { beta1, beta2, rest1, rest2, correction2, eps, stepSize, keep, decay } = numbers;
    const g = decay ? gradient.add(parameter.mul(decay)) : gradient;
    const first = slots['exp_avg']!.mul(beta1).add(g.mul(rest1));
    const second = slots['exp_avg_sq']!.mul(beta2).add(g.square().mul(rest2));
    const denominator = second.sqrt().mul(correction2).add(eps);
    const kept = keep ? parameter.mul(keep) : parameter;
    return {
      parameter: kept.sub(first.mul(stepSize).div(denominator)),
      slots: { exp_avg: first, exp_avg_sq: second },
    };
  }
}

/** g ← g + λ·θ, θ ← θ − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε). */
export class Adam extends AdamFamily {
  /** Throws InputError on a setting outside its range. */
  constructor(parameters: ReadonlyMap<string, Tensor>, options: AdamOptions = {}) {
    super('Adam', parameters, { ...options, weightDecay: options.weightDecay ?? 0 }, false);
  }
}
