/** @file Stochastic gradient descent with momentum, as PyTorch computes it. */
import { scalar, type Tensor } from '@camada/tensor';
import { checkGradients, checkRate, type Optimizer, type OptimizerState } from './optimizer.ts';
import { exportSlots, importSlots, zeroSlots, type Slots } from './slots.ts';

/** Settings of SGD. */
export interface SGDOptions {
  /** Share of the last update that is kept; 0. */
  readonly momentum?: number;
}

/** b ← μ·b + g, θ ← θ − lr·b (without momentum: θ ← θ − lr·g, and no state). */
export class SGD implements Optimizer {
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly #momentum: number;
  #steps = 0;
  #buffers: Slots;

  /** Throws InputError on a negative momentum. */
  constructor(parameters: ReadonlyMap<string, Tensor>, { momentum = 0 }: SGDOptions = {}) {
    checkRate('SGD', 'momentum', momentum);
    this.parameters = new Map(parameters);
    this.#momentum = momentum;
    this.#buffers = momentum === 0 ? new Map() : zeroSlots(parameters);
  }

  /** Steps made so far. */
  get steps(): number {
    return this.#steps;
  }

  /** Queues the update of every parameter. Throws on a wrong gradient or learning rate. */
  step(gradients: readonly Tensor[], learningRate: number): void {
    checkGradients('SGD', this.parameters, gradients);
    checkRate('SGD', 'learning rate', learningRate);
    this.#steps++;
    const rate = scalar(learningRate);
    const momentum = scalar(this.#momentum);
    [...this.parameters].forEach(([name, parameter], i) => {
      const buffer = this.#buffers.get(name);
      const update = buffer ? buffer.mul(momentum).add(gradients[i]!) : gradients[i]!;
      parameter.assign(parameter.sub(update.mul(rate)));
      buffer?.assign(update);
    });
  }

  /** The momentum of every parameter, `momentum_buffer`. */
  state(): Promise<OptimizerState> {
    return exportSlots(this.#steps, { momentum_buffer: this.#buffers });
  }

  /** Takes up a state from `state()`. Throws InputError when it belongs to other parameters. */
  load(state: OptimizerState): void {
    if (this.#buffers.size > 0)
      this.#buffers = importSlots(state, 'momentum_buffer', this.parameters);
    this.#steps = state.steps;
  }
}
