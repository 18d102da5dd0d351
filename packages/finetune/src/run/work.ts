/**
 * @file What a run keeps while it goes on (Node): `metrics.jsonl`, a line at a time, and `checkpoint.safetensors`, which is
 * replaced whole. A run that was interrupted goes on from there.
 */
import { InputError } from '@camada/tensor';
import { openSafetensors, writeSafetensors, type TensorData } from '@camada/hub';
import type { Metrics } from '../eval/metrics.ts';
import type { StepReport } from '../train/loop.ts';
import type { TrainingState } from '../train/state.ts';

/** What is told apart: a run goes on only where all of these are the same. */
export type RunIdentity = Readonly<Record<string, string | number>>;

/** Where an interrupted run stopped. */
export interface Interrupted {
  readonly state: TrainingState;
  /** Reports of its steps. */
  readonly history: readonly StepReport[];
  /** What was measured before training. */
  readonly before: Metrics | undefined;
}

const CHECKPOINT = 'checkpoint.safetensors';
const LOG = 'metrics.jsonl';

/** A folder in which a run writes while it goes on. */
export class WorkFolder {
  readonly #directory: string;
  readonly #identity: RunIdentity;
  readonly #fs: typeof import('node:fs');

  private constructor(directory: string, identity: RunIdentity, fs: typeof import('node:fs')) {
    this.#directory = directory;
    this.#identity = identity;
    this.#fs = fs;
  }

  /** Makes the folder where there is none. Throws InputError when that is not possible. */
  static async open(directory: string, identity: RunIdentity): Promise<WorkFolder> {
    const fs = await import('node:fs');
    try {
      fs.mkdirSync(directory, { recursive: true });
    } catch (error) {
      throw new InputError(
        `${directory} cannot be made (${String(error)}); name another output folder.`,
        { cause: error },
      );
    }
    return new WorkFolder(directory, identity, fs);
  }

  /** Begins a run anew: what an earlier one left is gone. */
  clear(): void {
    for (const name of [CHECKPOINT, LOG]) this.#fs.rmSync(this.#path(name), { force: true });
  }

  /** True where an interrupted run has left a checkpoint. */
  get interrupted(): boolean {
    return this.#fs.existsSync(this.#path(CHECKPOINT));
  }

  /**
   * Where the run stopped; undefined where it has no checkpoint yet. Lines after the checkpoint are taken out of the log.
   * Throws InputError that names the setting in which this run differs from that one.
   */
  async resume(): Promise<Interrupted | undefined> {
    if (!this.interrupted) return undefined;
    const reader = await openSafetensors(this.#path(CHECKPOINT));
    const { step = '', identity = '{}' } = reader.metadata;
    this.#checkSame(JSON.parse(identity) as RunIdentity);
    const tensors = new Map<string, TensorData>();
    for (const name of reader.names) tensors.set(name, await reader.read(name));
    const done = Number(step);
    const lines = this.#lines().filter((line) => !(line.event === 'step' && line.step > done));
    this.#replaceLog(lines);
    const history = lines.flatMap((line) => (line.event === 'step' ? [stepOf(line)] : []));
    if (!Number.isSafeInteger(done) || history.length !== done)
      throw new InputError(
        `${this.#directory}: ${LOG} has ${history.length} of the ${step} steps that the checkpoint has; remove the folder ` +
          'and start anew.',
      );
    const before = lines.find((line) => line.event === 'before');
    return { state: { step: done, tensors }, history, before: before && metricsOf(before) };
  }

  /** Appends a line. */
  append(line: object): void {
    this.#fs.appendFileSync(this.#path(LOG), `${JSON.stringify(line)}\n`);
  }

  /** Replaces the checkpoint. */
  async write({ step, tensors }: TrainingState): Promise<void> {
    const identity = JSON.stringify(this.#identity);
    await writeSafetensors(this.#path(CHECKPOINT), tensors, { step: String(step), identity });
  }

  /** Removes what the run has written, and the folder if nothing else is in it. */
  remove(): void {
    this.clear();
    if (this.#fs.existsSync(this.#directory) && this.#fs.readdirSync(this.#directory).length === 0)
      this.#fs.rmdirSync(this.#directory);
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`;
  }

  #checkSame(other: RunIdentity): void {
    const names = new Set([...Object.keys(this.#identity), ...Object.keys(other)]);
    const differing = [...names].find((name) => this.#identity[name] !== other[name]);
    if (differing === undefined) return;
    throw new InputError(
      `${this.#directory} holds a run whose ${differing} was ${other[differing] ?? 'not set'}, and now it is ` +
        `${this.#identity[differing] ?? 'not set'}: give the same settings and data, or start anew without resuming.`,
    );
  }

  /** The lines of the log; a line that was torn by a crash ends it. */
  #lines(): LogLine[] {
    if (!this.#fs.existsSync(this.#path(LOG))) return [];
    const lines: LogLine[] = [];
    for (const text of this.#fs.readFileSync(this.#path(LOG), 'utf8').split('\n')) {
      const line = parsed(text);
      if (!line) break;
      lines.push(line);
    }
    return lines;
  }

  #replaceLog(lines: readonly LogLine[]): void {
    const fresh = `${this.#path(LOG)}.tmp`;
    this.#fs.writeFileSync(fresh, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    this.#fs.renameSync(fresh, this.#path(LOG));
  }
}

type LogLine = { readonly event: string; readonly step: number } & Readonly<
  Record<string, unknown>
>;

function parsed(text: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'event' in value
      ? (value as LogLine)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The lines are this program's own, and the checkpoint beside them has said so. */
function stepOf({ event: _, ...report }: LogLine): StepReport {
  return report as unknown as StepReport;
}

function metricsOf({ event: _, ...metrics }: LogLine): Metrics {
  return metrics as unknown as Metrics;
}
