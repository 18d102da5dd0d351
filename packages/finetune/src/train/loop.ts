/**
 * @file The training loop. A step is one program: forward pass, gradients, clipping and the optimizer's updates.
 * Its loss is read while the next step runs, so that the device never waits for the host.
 */
import { DeviceError, InputError, realize, stack, type Tensor } from '@camada/tensor';
import { valueAndGrad } from '@camada/autograd';
import {
  AdamW,
  clipGradNorm,
  createContext,
  decayWeightsOnly,
  globalNorm,
  schedule,
  type HeadModel,
  type ScheduleName,
} from '@camada/nn';
import { disposeBatch, toBatch, trainingBatches, type RowGroup } from '../data/batches.ts';
import type { Row } from '../data/encode.ts';

/** Settings of the loop. */
export interface LoopOptions {
  /** Passes over the data; may have a fraction. */
  readonly epochs: number;
  /** Most steps; undefined for no limit. */
  readonly maxSteps: number | undefined;
  readonly batchSize: number;
  readonly maxLength: number;
  /** Largest learning rate of the schedule. */
  readonly learningRate: number;
  readonly scheduler: ScheduleName;
  /** Share of the steps in which the learning rate rises. */
  readonly warmupRatio: number;
  /** Decoupled decay of weights; biases and norms have none. */
  readonly weightDecay: number;
  /** Largest global norm of the gradients; 0 for no limit. */
  readonly maxGradNorm: number;
  /** Seed of the order of examples and of dropout. */
  readonly seed: number;
}

/** One step, as it is reported. */
export interface StepReport {
  /** From 1. */
  readonly step: number;
  /** Steps of the run. */
  readonly steps: number;
  /** Epochs done, with their fraction. */
  readonly epoch: number;
  readonly loss: number;
  readonly learningRate: number;
  /** Global norm of the gradients before clipping. */
  readonly gradientNorm: number;
  /** Since the first step began. */
  readonly seconds: number;
}

/** A step whose numbers are not read yet. */
interface Pending {
  readonly numbers: Tensor;
  readonly step: number;
  readonly learningRate: number;
}

/** Milliseconds after which the loop lets timers, progress and collected memory have a turn. */
const TURN = 100;

/**
 * Trains parameters of a model in place. Throws InputError when the loss is no longer a number, DeviceError with the
 * step when the device fails.
 */
export async function train(
  model: HeadModel,
  parameters: ReadonlyMap<string, Tensor>,
  rows: readonly Row[],
  options: LoopOptions,
  onStep: (report: StepReport) => void = () => undefined,
): Promise<StepReport[]> {
  const loop = new Loop(model, parameters, rows, options, onStep);
  return loop.run();
}

class Loop {
  readonly #model: HeadModel;
  readonly #rows: readonly Row[];
  readonly #options: LoopOptions;
  readonly #onStep: (report: StepReport) => void;
  readonly #optimizer: AdamW;
  readonly #parameters: readonly Tensor[];
  readonly #stepsPerEpoch: number;
  readonly #factor: (step: number) => number;
  readonly #history: StepReport[] = [];
  readonly #began: number = performance.now();
  #turn: number = performance.now();

  constructor(
    model: HeadModel,
    parameters: ReadonlyMap<string, Tensor>,
    rows: readonly Row[],
    options: LoopOptions,
    onStep: (report: StepReport) => void,
  ) {
    const { weightDecay, scheduler, warmupRatio } = options;
    this.#model = model;
    this.#rows = rows;
    this.#options = options;
    this.#onStep = onStep;
    this.#parameters = [...parameters.values()];
    this.#optimizer = new AdamW(parameters, { weightDecay, rules: decayWeightsOnly });
    this.#stepsPerEpoch = Math.floor(rows.length / Math.min(options.batchSize, rows.length));
    const totalSteps = this.#steps;
    const warmupSteps = Math.ceil(warmupRatio * totalSteps);
    this.#factor = schedule(scheduler, { totalSteps, warmupSteps });
  }

  get #steps(): number {
    const { epochs, maxSteps = Infinity } = this.#options;
    return Math.min(maxSteps, Math.ceil(this.#stepsPerEpoch * epochs));
  }

  async run(): Promise<StepReport[]> {
    try {
      return await this.#run();
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      const done = `Training stopped after ${this.#history.length} of ${this.#steps} steps`;
      throw new DeviceError(`${done}: ${error.message}`, { cause: error });
    }
  }

  async #run(): Promise<StepReport[]> {
    let pending: Pending | undefined;
    for (const [step, group] of this.#groups()) {
      const next = await this.#step(step, group);
      if (pending) await this.#read(pending);
      pending = next;
      await this.#giveTurn();
    }
    if (pending) await this.#read(pending);
    return this.#history;
  }

  /** Groups of all epochs with their step; the last epoch may be a part of one. */
  *#groups(): Generator<readonly [number, RowGroup]> {
    const { seed } = this.#options;
    for (let epoch = 0, step = 0; step < this.#steps; epoch++)
      for (const group of trainingBatches(this.#rows, this.#options, seed, epoch))
        if (step < this.#steps) yield [step++, group];
  }

  async #step(step: number, group: RowGroup): Promise<Pending> {
    const { seed, learningRate, maxGradNorm } = this.#options;
    const batch = toBatch(group, this.#model.limits, this.#options);
    const context = createContext({ training: true, seed, step });
    const { value, gradients } = valueAndGrad(
      () => this.#model.loss(this.#model.call(batch, context), batch),
      this.#parameters,
    );
    const clipped =
      maxGradNorm > 0
        ? clipGradNorm(gradients, maxGradNorm)
        : { gradients, norm: globalNorm(gradients) };
    const rate = learningRate * this.#factor(step);
    this.#optimizer.step(clipped.gradients, rate);
    const numbers = stack([value.reshape([]), clipped.norm]); // [2]
    await realize([numbers]);
    disposeBatch(batch);
    return { numbers, step, learningRate: rate };
  }

  async #read({ numbers, step, learningRate }: Pending): Promise<void> {
    const [loss = NaN, gradientNorm = NaN] = await numbers.data();
    numbers.dispose();
    const report: StepReport = {
      step: step + 1,
      steps: this.#steps,
      epoch: (step + 1) / this.#stepsPerEpoch,
      loss,
      learningRate,
      gradientNorm,
      seconds: (performance.now() - this.#began) / 1000,
    };
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) throw this.#diverged(report);
    this.#history.push(report);
    this.#onStep(report);
  }

  #diverged({ step, loss, gradientNorm }: StepReport): InputError {
    const what = Number.isFinite(loss)
      ? `the gradients' norm is ${gradientNorm}`
      : `the loss is ${loss}`;
    const { learningRate, maxGradNorm } = this.#options;
    return new InputError(
      `Training stopped at step ${step} of ${this.#steps}: ${what}. Lower the learning rate (now ${learningRate}) ` +
        `or the limit on gradients (max-grad-norm, now ${maxGradNorm || 'none'}); nothing was saved.`,
    );
  }

  /** Promises alone never let the event loop turn. */
  async #giveTurn(): Promise<void> {
    if (performance.now() - this.#turn < TURN) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#turn = performance.now();
  }
}
