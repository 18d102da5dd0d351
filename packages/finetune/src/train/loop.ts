/**
 * @file The training loop. The loss of a step is read while the next one runs, so that the device never waits for the
 * host.
 */
import { DeviceError, InputError, type Tensor } from '@camada/tensor';
import { schedule, type HeadModel, type ScheduleName } from '@camada/nn';
import { disposeBatch, toBatch, trainingBatches, type RowGroup } from '../data/batches.ts';
import type { Row } from '../data/encode.ts';
import type { TrainingHooks } from './hooks.ts';
import type { Prefix } from './prefix.ts';
import { readState, restoreState, type TrainingState } from './state.ts';
import type { OptimizerName } from './optimizer.ts';
import { TrainingStep } from './step.ts';

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
  /** What updates the parameters; AdamW when left out. */
  readonly optimizer?: OptimizerName;
  /** Largest global norm of the gradients; 0 for no limit. */
  readonly maxGradNorm: number;
  /** Seed of the order of examples and of dropout. */
  readonly seed: number;
  /** What the method does in a step; nothing when left out. */
  readonly hooks?: TrainingHooks;
  /** Where the hidden states come from with which passes begin; whole passes when left out. */
  readonly prefix?: Prefix | undefined;
  /** The state of an interrupted run, and its reports up to there. */
  readonly from?:
    { readonly state: TrainingState; readonly history: readonly StepReport[] } | undefined;
  /** Writes the state of the run after every so many steps. */
  readonly save?:
    { readonly every: number; readonly write: (state: TrainingState) => Promise<void> } | undefined;
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

/** How many steps a run over so many rows has. */
export function countSteps(
  rows: number,
  options: Pick<LoopOptions, 'epochs' | 'maxSteps' | 'batchSize'>,
): number {
  const { epochs, maxSteps = Infinity } = options;
  return Math.min(maxSteps, Math.ceil(stepsPerEpoch(rows, options) * epochs));
}

/** An epoch's last rows that fill no batch are left out, unless they are all. */
function stepsPerEpoch(rows: number, { batchSize }: Pick<LoopOptions, 'batchSize'>): number {
  return Math.floor(rows / Math.min(batchSize, rows));
}

class Loop {
  readonly #model: HeadModel;
  readonly #rows: readonly Row[];
  readonly #options: LoopOptions;
  readonly #onStep: (report: StepReport) => void;
  readonly #parameters: ReadonlyMap<string, Tensor>;
  readonly #step: TrainingStep;
  readonly #hooks: TrainingHooks;
  readonly #factor: (step: number) => number;
  readonly #history: StepReport[];
  readonly #began: number;
  #turn: number = performance.now();

  constructor(
    model: HeadModel,
    parameters: ReadonlyMap<string, Tensor>,
    rows: readonly Row[],
    options: LoopOptions,
    onStep: (report: StepReport) => void,
  ) {
    const { scheduler, warmupRatio, hooks = {}, prefix, from } = options;
    this.#model = model;
    this.#rows = rows;
    this.#options = options;
    this.#onStep = onStep;
    this.#parameters = parameters;
    this.#hooks = hooks;
    this.#step = new TrainingStep(model, parameters, {
      ...options,
      hooks,
      entry: prefix?.layer ?? 0,
    });
    const totalSteps = this.#steps;
    const warmupSteps = Math.ceil(warmupRatio * totalSteps);
    this.#factor = schedule(scheduler, { totalSteps, warmupSteps });
    this.#history = [...(from?.history ?? [])];
    this.#began = performance.now() - 1000 * (this.#history.at(-1)?.seconds ?? 0);
  }

  get #steps(): number {
    return countSteps(this.#rows.length, this.#options);
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
    const { from, save } = this.#options;
    if (from) await restoreState(from.state, this.#trained);
    let pending: Pending | undefined;
    for (const [step, group] of this.#groups(from?.state.step ?? 0)) {
      const next = await this.#enqueue(step, group);
      if (pending) await this.#read(pending);
      pending = next;
      if (save && (step + 1) % save.every === 0 && step + 1 < this.#steps) {
        await this.#read(pending); // a state with numbers that are none is not worth keeping
        pending = undefined;
        await save.write(await readState(step + 1, this.#trained));
      }
      await this.#giveTurn();
    }
    if (pending) await this.#read(pending);
    return this.#history;
  }

  get #trained(): Parameters<typeof readState>[1] {
    const { optimizer } = this.#step;
    return { parameters: this.#parameters, optimizer, hooks: this.#hooks };
  }

  /** Groups of all epochs with their step, from a step on; the last epoch may be a part of one. */
  *#groups(first: number): Generator<readonly [number, RowGroup]> {
    const { seed } = this.#options;
    for (let epoch = 0, step = 0; step < this.#steps; epoch++)
      for (const group of trainingBatches(this.#rows, this.#options, seed, epoch)) {
        if (step >= first && step < this.#steps) yield [step, group];
        step++;
      }
  }

  async #enqueue(step: number, group: RowGroup): Promise<Pending> {
    const { learningRate, prefix } = this.#options;
    const batch = toBatch(group, this.#model.limits, this.#options);
    const hidden = await prefix?.hidden(group.rows, batch); // [B, T, C]
    const rate = learningRate * this.#factor(step);
    const numbers = await this.#step.run({ batch, ...(hidden && { hidden }) }, { step, rate });
    hidden?.dispose();
    disposeBatch(batch);
    return { numbers, step, learningRate: rate };
  }

  async #read({ numbers, step, learningRate }: Pending): Promise<void> {
    const [loss = NaN, gradientNorm = NaN] = await numbers.data();
    numbers.dispose();
    const report: StepReport = {
      step: step + 1,
      steps: this.#steps,
      epoch: (step + 1) / stepsPerEpoch(this.#rows.length, this.#options),
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
