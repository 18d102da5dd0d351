/** @file What optimizers share: named parameters, groups, and state that can be saved. */
import {
  InputError,
  ShapeError,
  sameShape,
  showShape,
  type HostNumber,
  type Tensor,
  type TypedArray,
} from '@camada/tensor';

/** Turns gradients into pending assignments to parameters and state; the next `realize` runs them. */
export interface Optimizer {
  /** The parameters by name, in the order in which `step` wants their gradients. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** Steps made so far. */
  readonly steps: number;
  /**
   * Queues one update. Nothing is read back and no number becomes program text.
   * @param gradients one for each parameter, in order, of its shape.
   * @param learningRate of this step, from a schedule; in a captured step a function that reads it.
   */
  step(gradients: readonly Tensor[], learningRate: HostNumber): void;
  /** Everything that a resumed run needs. */
  state(): Promise<OptimizerState>;
  /** Takes up a saved state. Throws InputError when it belongs to other parameters. */
  load(state: OptimizerState): void;
}

/** Plain data of an optimizer. */
export interface OptimizerState {
  readonly steps: number;
  /** `<parameter>.<slot>`, for example `bert.pooler.dense.bias.exp_avg`, to its elements. */
  readonly tensors: ReadonlyMap<string, TypedArray>;
}

/** What a group of parameters has of its own. */
export interface ParameterRule {
  /** Decay of this parameter; the optimizer's when left out. */
  readonly weightDecay?: number;
  /** Factor on the learning rate (LoRA+ gives B a larger one); 1 when left out. */
  readonly learningRateScale?: number;
}

/** Rule of each parameter by its name. */
export type ParameterRules = (name: string, parameter: Tensor) => ParameterRule;

/** Names of biases and of the weights of norms, which are commonly not decayed. */
export function isBiasOrNorm(name: string): boolean {
  return /(^|\.)bias$|(norm[^.]*|\.ln_[^.]*)\.(weight|bias)$/i.test(name);
}

/** A rule as in Transformers' Trainer: no decay on biases and norms. */
export function decayWeightsOnly(name: string): ParameterRule {
  return isBiasOrNorm(name) ? { weightDecay: 0 } : {};
}

/** Throws ShapeError unless there is one gradient of the right shape for each parameter. */
export function checkGradients(
  op: string,
  parameters: ReadonlyMap<string, Tensor>,
  gradients: readonly Tensor[],
): void {
  if (gradients.length !== parameters.size)
    throw new ShapeError(`${op}: ${gradients.length} gradients for ${parameters.size} parameters`);
  [...parameters].forEach(([name, parameter], i) => {
    const { shape } = gradients[i]!;
    if (!sameShape(shape, parameter.shape))
      throw new ShapeError(
        `${op}: gradient of '${name}' has shape ${showShape(shape)}, not ${showShape(parameter.shape)}`,
      );
  });
}

/** Throws InputError unless the number is finite and at least 0. */
export function checkRate(op: string, what: string, value: number): void {
  if (!(Number.isFinite(value) && value >= 0))
    throw new InputError(`${op}: ${what} ${value} is not a number of at least 0`);
}
