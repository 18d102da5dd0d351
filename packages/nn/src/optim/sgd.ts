/** @file Stochastic gradient descent with momentum, as PyTorch computes it. */
import { InputError, scalar, type Tensor } from '@camada/tensor';
import { FramedOptimizer, likeParameter, type Updated, type Updating } from './frame.ts';
import { checkRate, type ParameterRules } from './optimizer.ts';

/** Settings of SGD; names and defaults are PyTorch's. */
export interface SGDOptions {
  /** Share of the last update that is kept; 0. */
  readonly momentum?: number;
  /** Nesterov's momentum (Sutskever et al. 2013): the update looks one step ahead; false. */
  readonly nesterov?: boolean;
  /** Decay, added to the gradient (L2); 0. */
  readonly weightDecay?: number;
  /** Exceptions by name, for example `decayWeightsOnly`. */
  readonly rules?: ParameterRules;
}

/** Host numbers of one step, [] each. */
interface Numbers {
  readonly rate: Tensor;
  readonly momentum: Tensor;
  readonly decay: Tensor | undefined;
}

/** g ← g + λ·θ, b ← μ·b + g, θ ← θ − lr·b (Nesterov: lr·(g + μ·b)); without momentum no state. */
export class SGD extends FramedOptimizer<Numbers> {
  readonly #momentum: number;
  readonly #nesterov: boolean;

  /** Throws InputError on a negative momentum or decay, and on Nesterov's without momentum. */
  constructor(parameters: ReadonlyMap<string, Tensor>, options: SGDOptions = {}) {
    const { momentum = 0, nesterov = false, weightDecay = 0, rules } = options;
    checkRate('SGD', 'momentum', momentum);
    if (nesterov && momentum === 0)
      throw new InputError('SGD: nesterov needs a momentum above 0, for example 0.9');
    const slots = momentum === 0 ? {} : { momentum_buffer: likeParameter };
    super('SGD', parameters, { weightDecay, rules, slots });
    this.#momentum = momentum;
    this.#nesterov = nesterov;
  }

  protected numbers(learningRate: () => number, weightDecay: number): Numbers {
    return {
      rate: scalar(learningRate),
      momentum: scalar(this.#momentum),
      decay: weightDecay === 0 ? undefined : scalar(weightDecay),
    };
  }

  protected update({ parameter, gradient, slots }: Updating, numbers: Numbers): Updated {
    const { rate, momentum, decay } = numbers;
    const g = decay ? gradient.add(parameter.mul(decay)) : gradient;
    const before = slots['momentum_buffer'];
    const buffer = before?.mul(momentum).add(g);
    const ahead = buffer && this.#nesterov ? g.add(buffer.mul(momentum)) : buffer;
    return {
      parameter: parameter.sub((ahead ?? g).mul(rate)),
      slots: buffer ? { momentum_buffer: buffer } : {},
    };
  }
}
