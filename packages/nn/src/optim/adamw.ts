/** @file AdamW: Adam with decoupled weight decay (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101), as PyTorch computes it. */
import { InputError, scalar, type Tensor } from '@camada/tensor';
import {
  checkGradients,
  checkRate,
  type Optimizer,
  type OptimizerState,
  type ParameterRule,
  type ParameterRules,
} from './optimizer.ts';
import { exportSlots, importSlots, zeroSlots, type Slots } from './slots.ts';

/** Settings of AdamW; names and defaults are PyTorch's. */
export interface AdamWOptions {
  /** Decay rates of the two moments; [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second moment; 1e-8. */
  readonly eps?: number;
  /** Decoupled decay; 0.01. */
  readonly weightDecay?: number;
  /** Exceptions by name, for example `decayWeightsOnly`. */
  readonly rules?: ParameterRules;
}

/** Host numbers of one step, as data: [] each. */
interface StepNumbers {
  readonly beta1: Tensor;
  readonly beta2: Tensor;
  readonly rest1: Tensor;
  readonly rest2: Tensor;
  /** 1/√(1 − β₂ᵗ). */
  readonly correction2: Tensor;
  readonly eps: Tensor;
}

/** Numbers of one parameter group. */
interface GroupNumbers {
  /** 1 − lr·λ. */
  readonly keep: Tensor;
  /** lr/(1 − β₁ᵗ). */
  readonly stepSize: Tensor;
}

/** θ ← θ(1 − lr·λ) − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε). */
export class AdamW implements Optimizer {
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly #betas: readonly [number, number];
  readonly #eps: number;
  readonly #rules: ReadonlyMap<string, Required<ParameterRule>>;
  #steps = 0;
  #expAvg: Slots;
  #expAvgSq: Slots;

  /** Throws InputError on a setting outside its range. */
  constructor(parameters: ReadonlyMap<string, Tensor>, options: AdamWOptions = {}) {
    const { betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01, rules = () => ({}) } = options;
    checkRate('AdamW', 'eps', eps);
    checkRate('AdamW', 'weightDecay', weightDecay);
    if (!betas.every((beta) => beta >= 0 && beta < 1))
      throw new InputError(`AdamW: betas ${betas.join(', ')} are not in [0, 1)`);
    this.parameters = new Map(parameters);
    this.#betas = betas;
    this.#eps = eps;
    this.#rules = new Map(
      [...parameters].map(([name, parameter]) => [
        name,
        { weightDecay, learningRateScale: 1, ...rules(name, parameter) },
      ]),
    );
    this.#expAvg = zeroSlots(parameters);
    this.#expAvgSq = zeroSlots(parameters);
  }

  /** Steps made so far. */
  get steps(): number {
    return this.#steps;
  }

  /** Queues the update of every parameter and of both moments. Throws on a wrong gradient or learning rate. */
  step(gradients: readonly Tensor[], learningRate: number): void {
    checkGradients('AdamW', this.parameters, gradients);
    checkRate('AdamW', 'learning rate', learningRate);
    this.#steps++;
    const shared = this.#numbers();
    const groups = new Map<string, GroupNumbers>();
    let i = 0;
    for (const [name, parameter] of this.parameters) {
      const rule = this.#rules.get(name)!;
      const key = `${rule.weightDecay} ${rule.learningRateScale}`;
      const group = groups.get(key) ?? this.#groupNumbers(rule, learningRate);
      groups.set(key, group);
      this.#update(name, parameter, gradients[i++]!, shared, group);
    }
  }

  /** Both moments of every parameter, `exp_avg` and `exp_avg_sq`. */
  state(): Promise<OptimizerState> {
    return exportSlots(this.#steps, { exp_avg: this.#expAvg, exp_avg_sq: this.#expAvgSq });
  }

  /** Takes up a state from `state()`. Throws InputError when it belongs to other parameters. */
  load(state: OptimizerState): void {
    const first = importSlots(state, 'exp_avg', this.parameters);
    this.#expAvgSq = importSlots(state, 'exp_avg_sq', this.parameters);
    this.#expAvg = first;
    this.#steps = state.steps;
  }

  #update(
    name: string,
    parameter: Tensor,
    gradient: Tensor,
    { beta1, beta2, rest1, rest2, correction2, eps }: StepNumbers,
    { keep, stepSize }: GroupNumbers,
  ): void {
    const expAvg = this.#expAvg.get(name)!;
    const expAvgSq = this.#expAvgSq.get(name)!;
    const first = expAvg.mul(beta1).add(gradient.mul(rest1));
    const second = expAvgSq.mul(beta2).add(gradient.square().mul(rest2));
    const denominator = second.sqrt().mul(correction2).add(eps);
    parameter.assign(parameter.mul(keep).sub(first.mul(stepSize).div(denominator)));
    expAvg.assign(first);
    expAvgSq.assign(second);
  }

  #numbers(): StepNumbers {
    const [beta1, beta2] = this.#betas;
    return {
      beta1: scalar(beta1),
      beta2: scalar(beta2),
      rest1: scalar(1 - beta1),
      rest2: scalar(1 - beta2),
      correction2: scalar(1 / Math.sqrt(1 - beta2 ** this.#steps)),
      eps: scalar(this.#eps),
    };
  }

  #groupNumbers(rule: Required<ParameterRule>, learningRate: number): GroupNumbers {
    const rate = learningRate * rule.learningRateScale;
    return {
      keep: scalar(1 - rate * rule.weightDecay),
      stepSize: scalar(rate / (1 - this.#betas[0] ** this.#steps)),
    };
  }
}
