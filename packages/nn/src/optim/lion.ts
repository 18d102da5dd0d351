/** @file Lion (Chen et al. 2023, https://arxiv.org/abs/2302.06675, algorithm 2): sign of an interpolated momentum. */
import { InputError, scalar, type Tensor } from '@camada/tensor';
import { FramedOptimizer, likeParameter, type Updated, type Updating } from './frame.ts';
import type { ParameterRules } from './optimizer.ts';

/** Settings of Lion; defaults are the paper's. */
export interface LionOptions {
  /** Interpolation for the update and decay of the momentum; [0.9, 0.99]. */
  readonly betas?: readonly [number, number];
  /** Decoupled decay; 0. The paper takes 3 to 10 times AdamW's, with a learning rate 3 to 10 times smaller. */
  readonly weightDecay?: number;
  /** Exceptions by name, for example `decayWeightsOnly`. */
  readonly rules?: ParameterRules;
}

/** Host numbers of one step, [] each. */
interface Numbers {
  readonly beta1: Tensor;
  readonly rest1: Tensor;
  readonly beta2: Tensor;
  readonly rest2: Tensor;
  readonly rate: Tensor;
  /** 1 − lr·λ. */
  readonly keep: Tensor;
}

/** θ ← θ(1 − lr·λ) − lr·sign(β₁·m + (1 − β₁)·g), m ← β₂·m + (1 − β₂)·g. */
export class Lion extends FramedOptimizer<Numbers> {
  readonly #betas: readonly [number, number];

  /** Throws InputError on a setting outside its range. */
  constructor(parameters: ReadonlyMap<string, Tensor>, options: LionOptions = {}) {
    const { betas = [0.9, 0.99], weightDecay = 0, rules } = options;
    if (!betas.every((beta) => beta >= 0 && beta < 1))
      throw new InputError(`Lion: betas ${betas.join(', ')} are not in [0, 1)`);
    super('Lion', parameters, { weightDecay, rules, slots: { exp_avg: likeParameter } });
    this.#betas = betas;
  }

  protected numbers(learningRate: () => number, weightDecay: number): Numbers {
    const [beta1, beta2] = this.#betas;
    return {
      beta1: scalar(beta1),
      rest1: scalar(1 - beta1),
      beta2: scalar(beta2),
      rest2: scalar(1 - beta2),
      rate: scalar(learningRate),
      keep: scalar(() => 1 - learningRate() * weightDecay),
    };
  }

  protected update({ parameter, gradient, slots }: Updating, numbers: Numbers): Updated {
    const { beta1, rest1, beta2, rest2, rate, keep } = numbers;
    const momentum = slots['exp_avg']!;
    const blend = momentum.mul(beta1).add(gradient.mul(rest1));
    const sign = blend.gt(0).cast('f32').sub(blend.lt(0).cast('f32'));
    return {
      parameter: parameter.mul(keep).sub(sign.mul(rate)),
      slots: { exp_avg: momentum.mul(beta2).add(gradient.mul(rest2)) },
    };
  }
}
