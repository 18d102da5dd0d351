/**
 * @file The pretraining loop under a wall-clock budget: the learning rate follows the share of the time that is gone, so a run
 * of any length on a machine of any speed warms up, peaks and ends at zero.
 */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { resumeCheckpoint, saveCheckpoint, type Progress } from './checkpoint.ts';
import { MaskedBatches, type MaskedBatch } from './masking.ts';
import type { PretrainOptions } from './options.ts';
import { createModel, startFromCounts } from './start.ts';
import type { PretrainingText } from './text.ts';
import { Trainer } from './trainer.ts';

/** What a finished or stopped run reports. */
export interface PretrainOutcome extends Progress {
  /** Loss on held-out text in nats a guessed token: before the first step and at the end. */
  readonly firstLoss: number;
  readonly lastLoss: number;
}

/** One line of `pretrain.log.jsonl`. */
interface LogLine {
  readonly step: number;
  /** Mean training loss since the last line; absent before the first step. */
  readonly loss?: number;
  readonly heldOut: number;
  readonly learningRate: number;
  readonly seconds: number;
  /** Tokens read so far. */
  readonly tokens: number;
}

const warmUpShare = 0.05;
const warmUpSteps = 100;

/** Held-out losses in one run, evenly spread over the time. */
const evaluations = 25;

/** The state of a run between steps. */
export class PretrainRun {
  readonly trainer: Trainer;
  /** Set it to end the run after the current step. */
  stopped = false;
  private readonly options: PretrainOptions;
  private readonly text: PretrainingText;
  private readonly batches: MaskedBatches;
  private readonly heldOut: readonly MaskedBatch[];
  private stepsMade = 0;
  /** The clock's reading (ms) at which an unbroken run would have begun. */
  private startedAt = 0;
  private readonly losses: number[] = [];

  constructor(text: PretrainingText, options: PretrainOptions) {
    const masking = {
      batchSize: options.batch,
      sequence: options.sequence,
      share: options.share,
      vocabularySize: text.pieces.length,
      seed: options.seed,
    };
    this.options = options;
    this.text = text;
    this.trainer = new Trainer(createModel(options), options.batch, options.sequence);
    this.batches = new MaskedBatches(text.train, masking);
    const held = new MaskedBatches(text.heldOut, { ...masking, seed: 0 });
    const count = Math.min(8, Math.floor(held.sequences / options.batch));
    this.heldOut = Array.from({ length: count }, (_, i) => held.batch(i));
  }

  /** Trains until the budget is spent or `stopped` is set; always ends with a checkpoint. */
  async train(): Promise<PretrainOutcome> {
    await this.begin();
    const budget = this.options.minutes * 60;
    let saveAt = this.seconds() + this.options.saveEvery * 60;
    let evaluateAt = this.seconds() + budget / evaluations;
    while (!this.stopped && this.seconds() < budget) {
      await this.step();
      if (this.seconds() >= evaluateAt) {
        await this.log();
        evaluateAt = this.seconds() + budget / evaluations;
      }
      if (this.seconds() >= saveAt) {
        await this.save();
        saveAt = this.seconds() + this.options.saveEvery * 60;
      }
    }
    return this.end();
  }

  private async begin(): Promise<void> {
    const resumed = await resumeCheckpoint(this.trainer, this.options);
    mkdirSync(this.options.output, { recursive: true });
    if (resumed === undefined) {
      startFromCounts(this.trainer.model, this.text, this.options);
      writeFileSync(this.logPath(), '');
    }
    this.stepsMade = resumed?.step ?? 0;
    this.startedAt = Date.now() - (resumed?.seconds ?? 0) * 1000;
    await this.log();
  }

  private async step(): Promise<void> {
    const step = this.stepsMade;
    const loss = await this.trainer.step(this.batches.batch(step), this.rate());
    if (!Number.isFinite(loss)) throw new Error(`the loss became ${loss} at step ${step}`);
    this.losses.push(loss);
    this.stepsMade = step + 1;
  }

  private async end(): Promise<PretrainOutcome> {
    if (this.losses.length > 0) await this.log();
    await this.save();
    return {
      step: this.stepsMade,
      seconds: this.seconds(),
      firstLoss: this.logged()[0]?.heldOut ?? NaN,
      lastLoss: this.logged().at(-1)?.heldOut ?? NaN,
    };
  }

  private async log(): Promise<void> {
    const heldOut = await this.trainer.evaluate(this.heldOut);
    const step = this.stepsMade;
    const line: LogLine = {
      step,
      ...(this.losses.length > 0 && { loss: round(mean(this.losses)) }),
      heldOut: round(heldOut),
      learningRate: Number(this.rate().toPrecision(4)),
      seconds: Math.round(this.seconds()),
      tokens: step * this.options.batch * this.options.sequence,
    };
    this.losses.length = 0;
    appendFileSync(this.logPath(), `${JSON.stringify(line)}\n`);
    process.stderr.write(`${JSON.stringify(line)}\n`);
  }

  /** The lines of the log, those before a resume included. */
  private logged(): LogLine[] {
    const lines = readFileSync(this.logPath(), 'utf8').trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as LogLine);
  }

  private async save(): Promise<void> {
    await saveCheckpoint(
      this.trainer,
      { step: this.stepsMade, seconds: this.seconds() },
      this.options,
    );
  }

  private rate(): number {
    const share = this.seconds() / (this.options.minutes * 60);
    return this.options.learningRate * rateFactor(this.stepsMade, share);
  }

  /** Seconds of training, those before a resume included. */
  private seconds(): number {
    return (Date.now() - this.startedAt) / 1000;
  }

  private logPath(): string {
    return join(this.options.output, 'pretrain.log.jsonl');
  }
}

/** Linear warm-up, by steps and by time, then a linear fall to zero at the end of the budget. */
export function rateFactor(step: number, share: number): number {
  const rise = Math.min(1, (step + 1) / warmUpSteps, Math.max(share / warmUpShare, 0.01));
  const fall = (1 - share) / (1 - warmUpShare);
  return Math.max(0, Math.min(rise, fall));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
