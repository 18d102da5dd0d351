/** @file One text that is being continued. */
import { foldKey, type TypedArray } from '@camada/tensor';
import { seedKey } from '../context.ts';
import { Random } from '../rng.ts';
import { sampleToken } from '../sample.ts';
import type { GenerateOptions } from './options.ts';

/** What a row was made from. */
export interface RowStart {
  readonly prompt: readonly number[];
  /** Which row of the batch it is; rows draw from streams of their own. */
  readonly index: number;
  /** Most tokens to add. */
  readonly room: number;
  /** Ids that end the text. */
  readonly ends: ReadonlySet<number>;
}

/** A prompt and the tokens that follow it. */
export class Row {
  readonly #start: RowStart;
  readonly #options: GenerateOptions;
  readonly #random: Random;
  readonly #seen: Set<number>;
  readonly #tokens: number[] = [];
  #done: boolean;

  constructor(start: RowStart, options: GenerateOptions) {
    this.#start = start;
    this.#options = options;
    this.#random = new Random(foldKey(seedKey(options.seed ?? 0), start.index));
    this.#seen = new Set(start.prompt);
    this.#done = start.room === 0;
  }

  /** Whether nothing follows. */
  get done(): boolean {
    return this.#done;
  }

  /** The last id, of the prompt or after it. */
  get last(): number {
    return this.#tokens.at(-1) ?? this.#start.prompt.at(-1)!;
  }

  /** The next token by its logits [V]; undefined when the text has ended. */
  next(logits: TypedArray): number | undefined {
    if (this.#done) return undefined;
    const id = sampleToken(logits, this.#options, this.#random, this.#seen);
    this.#done = this.#start.ends.has(id);
    if (this.#done) return undefined;
    this.#seen.add(id);
    this.#tokens.push(id);
    const full = this.#tokens.length >= this.#start.room;
    this.#done = full || (this.#options.stop?.(this.#tokens, this.#start.index) ?? false);
    return id;
  }
}
