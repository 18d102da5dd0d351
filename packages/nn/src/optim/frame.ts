/** @file The frame of all optimizers: named parameters, their rules, their slots, counted steps, saved state. */
import { hostEffect, readNumber, type HostNumber, type Shape, type Tensor } from '@camada/tensor';
import {
  checkGradients,
  checkRate,
  type Optimizer,
  type OptimizerState,
  type ParameterRule,
  type ParameterRules,
} from './optimizer.ts';
import { exportSlots, importSlots, zeroSlots, type SlotShapes, type Slots } from './slots.ts';

/** Settings that every optimizer has. */
export interface FrameOptions {
  /** Decay of parameters without a rule. */
  readonly weightDecay: number;
  /** Exceptions by name, for example `decayWeightsOnly`. */
  readonly rules?: ParameterRules | undefined;
  /** Slots by kind, in PyTorch's names. */
  readonly slots: Readonly<Record<string, SlotShapes>>;
}

/** One parameter in one step. */
export interface Updating {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  /** State by kind; a kind that this parameter has not is absent. */
  readonly slots: Readonly<Record<string, Tensor>>;
}

/** New values of a parameter and of its slots. */
export interface Updated {
  readonly parameter: Tensor;
  readonly slots: Readonly<Record<string, Tensor>>;
}

/** The same shape as the parameter. */
export const likeParameter = (shape: Shape): Shape => shape;

/**
 * An optimizer by two functions: the host numbers of a step for one group of parameters (those with the same
 * rule), and the update of one parameter by them.
 */
export abstract class FramedOptimizer<Numbers> implements Optimizer {
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly #name: string;
  readonly #rules: ReadonlyMap<string, Required<ParameterRule>>;
  readonly #shapes: Readonly<Record<string, SlotShapes>>;
  #slots: Readonly<Record<string, Slots>>;
  #steps = 0;

  /** Throws InputError on a negative decay. */
  constructor(name: string, parameters: ReadonlyMap<string, Tensor>, options: FrameOptions) {
    const { weightDecay, rules = () => ({}), slots } = options;
    checkRate(name, 'weightDecay', weightDecay);
    this.#name = name;
    this.parameters = new Map(parameters);
    this.#rules = new Map(
      [...parameters].map(([key, parameter]) => [
        key,
        { weightDecay, learningRateScale: 1, ...rules(key, parameter) },
      ]),
    );
    this.#shapes = slots;
    this.#slots = mapValues(slots, (shapes) => zeroSlots(parameters, shapes));
  }

  /** Steps made so far. */
  get steps(): number {
    return this.#steps;
  }

  /** Queues the update of every parameter and of its state. Throws on a wrong gradient or learning rate. */
  step(gradients: readonly Tensor[], learningRate: HostNumber): void {
    checkGradients(this.#name, this.parameters, gradients);
    const base = (): number => {
      const rate = readNumber(learningRate);
      checkRate(this.#name, 'learning rate', rate);
      return rate;
    };
    base();
    hostEffect(() => this.#steps++);
    const groups = new Map<string, Numbers>();
    let i = 0;
    for (const [name, parameter] of this.parameters)
      this.#apply(parameter, name, gradients[i++]!, this.#group(groups, name, base));
  }

  #group(groups: Map<string, Numbers>, name: string, base: () => number): Numbers {
    const { weightDecay, learningRateScale } = this.#rules.get(name)!;
    const key = `${weightDecay} ${learningRateScale}`;
    const known = groups.get(key) ?? this.numbers(() => base() * learningRateScale, weightDecay);
    groups.set(key, known);
    return known;
  }

  #apply(parameter: Tensor, name: string, gradient: Tensor, numbers: Numbers): void {
    const slots: Record<string, Tensor> = {};
    for (const kind of Object.keys(this.#slots)) {
      const slot = this.#slots[kind]!.get(name);
      if (slot) slots[kind] = slot;
    }
    const next = this.update({ parameter, gradient, slots }, numbers);
    parameter.assign(next.parameter);
    for (const [kind, value] of Object.entries(next.slots)) slots[kind]!.assign(value);
  }

  /** Slots of every parameter, named `<parameter>.<kind>`. */
  state(): Promise<OptimizerState> {
    return exportSlots(this.#steps, this.#slots);
  }

  /** Takes up a state from `state()`. Throws InputError when it belongs to other parameters. */
  load(state: OptimizerState): void {
    this.#slots = mapValues(this.#shapes, (shapes, kind) =>
      importSlots(state, kind, this.parameters, shapes),
    );
    this.#steps = state.steps;
  }

  /** Host numbers of this step for a group, as data; `steps` counts this step already. */
  protected abstract numbers(learningRate: () => number, weightDecay: number): Numbers;

  /** New values of one parameter and its slots. */
  protected abstract update(updating: Updating, numbers: Numbers): Updated;
}

function mapValues<A, B>(
  record: Readonly<Record<string, A>>,
  f: (value: A, key: string) => B,
): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value, key)]));
}
