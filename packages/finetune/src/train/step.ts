/**
 * @file One step of training as one program: forward pass, gradients, clipping and the optimizer's updates. It is captured:
 * from the third batch of a length on, no graph is built.
 */
import { valueAndGrad } from '@camada/autograd';
import {
  clipGradNorm,
  createContext,
  decayWeightsOnly,
  enterAt,
  globalNorm,
  type Batch,
  type HeadModel,
  type Optimizer,
  type ParameterRules,
} from '@camada/nn';
import { capture, stack, type CapturedStep, type Tensor } from '@camada/tensor';
import type { TrainingHooks } from './hooks.ts';
import { createOptimizer, type OptimizerName } from './optimizer.ts';

/** What a step is made from. */
export interface StepSettings {
  /** Seed of dropout. */
  readonly seed: number;
  /** Decoupled decay of weights; biases and norms have none. */
  readonly weightDecay: number;
  /** What updates the parameters; AdamW when left out. */
  readonly optimizer?: OptimizerName;
  /** Largest global norm of the gradients; 0 for no limit. */
  readonly maxGradNorm: number;
  /** The block at which passes begin, with an input that is given; 0 for the embeddings. */
  readonly entry: number;
  /** What the method does. */
  readonly hooks: TrainingHooks;
}

/** What differs from step to step. */
export interface StepInput {
  readonly batch: Batch;
  /** Input of the block at which the pass begins, [B, T, C]. */
  readonly hidden?: Tensor;
}

/** Host numbers of a step. */
export interface StepNumbers extends Readonly<Record<string, number>> {
  /** From 0. */
  readonly step: number;
  /** Learning rate. */
  readonly rate: number;
}

type Program = CapturedStep<StepInput, StepNumbers, Tensor>;

/** Trains parameters of a model, a batch at a time. */
export class TrainingStep {
  /** Of the first group; of all parameters where a method has no groups. */
  readonly optimizer: Optimizer;
  readonly #model: HeadModel;
  readonly #settings: StepSettings;
  readonly #groups: ReadonlyMap<string, Optimizer>;
  readonly #programs = new Map<string, Program>();

  constructor(model: HeadModel, parameters: ReadonlyMap<string, Tensor>, settings: StepSettings) {
    const { weightDecay, hooks, optimizer = 'adamw' } = settings;
    this.#model = model;
    this.#settings = settings;
    const rules = rulesWith(hooks);
    this.#groups = new Map(
      [...grouped(parameters, hooks)].map(([name, group]) => [
        name,
        createOptimizer(optimizer, group, { weightDecay, rules }),
      ]),
    );
    const [first] = this.#groups.values();
    this.optimizer = first!;
  }

  /** Enqueues a step: loss and norm of the gradients before clipping, [2]. */
  async run(input: StepInput, numbers: StepNumbers): Promise<Tensor> {
    const { hooks } = this.#settings;
    const { step } = numbers;
    const result = await this.#program(step)(input, numbers);
    await hooks.afterStep?.(step);
    return result;
  }

  #program(step: number): Program {
    const { hooks } = this.#settings;
    const fresh = (): Program =>
      capture((input: StepInput, numbers: StepNumbers) => this.#build(input, numbers, step));
    if (hooks.observe && !hooks.phase) return fresh();
    const phase = hooks.phase?.(step) ?? '';
    const known = this.#programs.get(phase) ?? fresh();
    this.#programs.set(phase, known);
    return known;
  }

  /** @param first the step for which it is built; numbers of other steps with the same graph are in `numbers`. */
  #build(input: StepInput, numbers: StepNumbers, first: number): Tensor {
    const { hooks, maxGradNorm } = this.#settings;
    const loss = (): Tensor => this.#loss(input, numbers);
    const active = [...this.#groups]
      .filter(([group]) => hooks.trains?.(group, first) ?? true)
      .map(([, optimizer]) => optimizer);
    const parameters = active.flatMap((optimizer) => [...optimizer.parameters.values()]);
    const { value, gradients } = valueAndGrad(loss, parameters);
    const clipped =
      maxGradNorm > 0
        ? clipGradNorm(gradients, maxGradNorm)
        : { gradients, norm: globalNorm(gradients) };
    let at = 0;
    for (const optimizer of active) {
      const end = at + optimizer.parameters.size;
      optimizer.step(clipped.gradients.slice(at, end), () => numbers.rate);
      at = end;
    }
    hooks.observe?.(clipped.gradients, first);
    return stack([value.reshape([]), clipped.norm]); // [2]
  }

  #loss({ batch, hidden }: StepInput, numbers: StepNumbers): Tensor {
    const { seed, entry, hooks } = this.#settings;
    const whole = createContext({ training: true, seed, step: () => numbers.step });
    const context = hidden ? enterAt(whole, entry, hidden) : whole;
    const loss = this.#model.loss(this.#model.call(batch, context), batch);
    const penalty = hooks.penalty?.();
    return penalty ? loss.add(penalty) : loss;
  }
}

/** Parameters by group. */
function grouped(
  parameters: ReadonlyMap<string, Tensor>,
  hooks: TrainingHooks,
): Map<string, Map<string, Tensor>> {
  const groups = new Map<string, Map<string, Tensor>>();
  for (const [name, parameter] of parameters) {
    const key = hooks.group?.(name) ?? '';
    groups.set(key, (groups.get(key) ?? new Map<string, Tensor>()).set(name, parameter));
  }
  return groups;
}

/** Biases and norms are not decayed where a method's own rules say nothing. */
function rulesWith({ rules }: TrainingHooks): ParameterRules {
  return (name, parameter) => ({ ...decayWeightsOnly(name), ...rules?.(name, parameter) });
}
