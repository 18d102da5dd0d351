/**
 * @file Adafactor (Shazeer and Stern 2018, https://arxiv.org/abs/1804.04235), as Transformers computes it: the
 * second moment of a matrix is kept as its row and column means, [..., M] and [..., N] instead of [..., M, N].
 */
import { InputError, scalar, type Tensor } from '@camada/tensor';
import { FramedOptimizer, likeParameter, type Updated, type Updating } from './frame.ts';
import { checkRate, type ParameterRules } from './optimizer.ts';

/** Settings of Adafactor; names and defaults are those of Transformers. */
export interface AdafactorOptions {
  /** Added to the squared gradient, and the smallest scale of a parameter; [1e-30, 1e-3]. */
  readonly eps?: readonly [number, number];
  /** Largest root mean square of an update before the learning rate; 1. */
  readonly clipThreshold?: number;
  /** Exponent of the moment's decay rate 1 − t^rate; −0.8. */
  readonly decayRate?: number;
  /** Decay of a first moment; without one when left out. */
  readonly beta1?: number;
  /** Decoupled decay; 0. */
  readonly weightDecay?: number;
  /** Multiplies the rate by the parameter's root mean square; true. */
  readonly scaleParameter?: boolean;
  /** Multiplies the rate by min(10⁻², 1/√t): give the learning rate 1. True. */
  readonly relativeStep?: boolean;
  /** min(10⁻⁶·t, 1/√t) instead; false. */
  readonly warmupInit?: boolean;
  /** Exceptions by name, for example `decayWeightsOnly`. */
  readonly rules?: ParameterRules;
}

/** Host numbers of one step, [] each. */
interface Numbers {
  /** β₂ₜ = 1 − t^decayRate. */
  readonly beta2: Tensor;
  readonly rest2: Tensor;
  readonly rate: Tensor;
  readonly decay: Tensor | undefined;
}

const DEFAULTS = {
  eps: [1e-30, 1e-3],
  clipThreshold: 1,
  decayRate: -0.8,
  scaleParameter: true,
  relativeStep: true,
  warmupInit: false,
} as const;

type Settings = Required<Omit<AdafactorOptions, 'beta1' | 'weightDecay' | 'rules'>>;

/** θ ← θ − α·clip(g/√v̂), v̂ from row and column means for matrices; α as the options say. */
export class Adafactor extends FramedOptimizer<Numbers> {
  readonly #settings: Settings;
  readonly #beta1: number | undefined;

  /** Throws InputError on a setting outside its range. */
  constructor(parameters: ReadonlyMap<string, Tensor>, options: AdafactorOptions = {}) {
    const { beta1, weightDecay = 0, rules, ...settings } = options;
    super('Adafactor', parameters, {
      weightDecay,
      rules,
      slots: {
        exp_avg_sq_row: (shape) => (shape.length >= 2 ? shape.slice(0, -1) : undefined),
        exp_avg_sq_col: (shape) =>
          shape.length >= 2 ? [...shape.slice(0, -2), shape.at(-1)!] : undefined,
        exp_avg_sq: (shape) => (shape.length >= 2 ? undefined : shape),
        ...(beta1 !== undefined && { exp_avg: likeParameter }),
      },
    });
    this.#settings = { ...DEFAULTS, ...settings };
    this.#beta1 = beta1;
    checkRate('Adafactor', 'clipThreshold', this.#settings.clipThreshold);
    if (!(this.#settings.decayRate < 0))
      throw new InputError(`Adafactor: decayRate ${this.#settings.decayRate} is not below 0`);
    if (beta1 !== undefined && !(beta1 >= 0 && beta1 < 1))
      throw new InputError(`Adafactor: beta1 ${beta1} is not in [0, 1)`);
  }

  protected numbers(learningRate: () => number, weightDecay: number): Numbers {
    const { decayRate, relativeStep, warmupInit } = this.#settings;
    const relative = (): number => {
      if (!relativeStep) return 1;
      return Math.min(warmupInit ? 1e-6 * this.steps : 1e-2, 1 / Math.sqrt(this.steps));
    };
    return {
      beta2: scalar(() => 1 - this.steps ** decayRate),
      rest2: scalar(() => this.steps ** decayRate),
      rate: scalar(() => learningRate() * relative()),
      decay: weightDecay === 0 ? undefined : scalar(weightDecay),
    };
  }

  protected update({ parameter, gradient, slots }: Updating, numbers: Numbers): Updated {
    const { eps, clipThreshold, scaleParameter } = this.#settings;
    const moments = secondMoments(gradient.square().add(eps[0]), slots, numbers);
    const direction = gradient.mul(inverseRoot(moments));
    const clipped = direction.div(rms(direction).div(clipThreshold).maximum(1));
    const rate = scaleParameter ? rms(parameter).maximum(eps[1]).mul(numbers.rate) : numbers.rate;
    const change = clipped.mul(rate);
    const average = slots['exp_avg']?.mul(this.#beta1!).add(change.mul(1 - this.#beta1!));
    const kept = numbers.decay ? parameter.sub(parameter.mul(numbers.decay.mul(rate))) : parameter;
    return {
      parameter: kept.sub(average ?? change),
      slots: { ...moments, ...(average && { exp_avg: average }) },
    };
  }
}

/** β₂ₜ·v + (1 − β₂ₜ)·square, of the means over rows and columns for a matrix [..., M, N]. */
function secondMoments(
  square: Tensor,
  slots: Updating['slots'],
  { beta2, rest2 }: Numbers,
): Record<string, Tensor> {
  const next = (kind: string, value: Tensor): Tensor =>
    slots[kind]!.mul(beta2).add(value.mul(rest2));
  if (slots['exp_avg_sq']) return { exp_avg_sq: next('exp_avg_sq', square) };
  return {
    exp_avg_sq_row: next('exp_avg_sq_row', square.mean(-1)), // [..., M]
    exp_avg_sq_col: next('exp_avg_sq_col', square.mean(-2)), // [..., N]
  };
}

/** 1/√v̂, with v̂ = row·colᵀ/mean(row) for a matrix. */
function inverseRoot(moments: Readonly<Record<string, Tensor>>): Tensor {
  if (moments['exp_avg_sq']) return moments['exp_avg_sq'].rsqrt();
  const row = moments['exp_avg_sq_row']!;
  const rows = row.div(row.mean(-1, true)).rsqrt().unsqueeze(-1); // [..., M, 1]
  return rows.mul(moments['exp_avg_sq_col']!.rsqrt().unsqueeze(-2)); // [..., M, N]
}

/** Root mean square of all elements, []. */
function rms(x: Tensor): Tensor {
  return x.square().mean().sqrt();
}
