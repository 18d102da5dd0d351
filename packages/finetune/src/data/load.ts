/** @file From files to encoded rows for training and measuring, once it is clear for which task. */
import { InputError, foldKey } from '@camada/tensor';
import { Random, seedKey } from '@camada/nn';
import type { Tokenizer } from '@camada/hub';
import type { LabelMap } from '../model/labels.ts';
import type { FinetuneTask } from '../model/task.ts';
import { encodeBlocks } from './blocks.ts';
import { encodeExamples, type EncodedRows } from './encode.ts';
import type { Examples } from './source.ts';
import { classNumbers, values } from './targets.ts';

/** What examples are encoded for. */
export interface EncodeFor {
  readonly task: FinetuneTask;
  readonly labels: LabelMap | undefined;
  readonly tokenizer: Tokenizer;
  readonly maxLength: number;
}

/** Rows with targets. Throws InputError naming the line whose label does not fit. */
export function encodeFor(examples: Examples, options: EncodeFor): EncodedRows {
  const { task, labels, tokenizer, maxLength } = options;
  if (task === 'causal-lm') return encodeBlocks(examples, tokenizer, maxLength);
  const targets = labels ? classNumbers(examples, labels) : values(examples);
  return encodeExamples(examples, targets, tokenizer, maxLength);
}

/** Rows without targets, for measuring layers. */
export function encodeUnlabelled(
  examples: Examples,
  task: FinetuneTask,
  tokenizer: Tokenizer,
  maxLength: number,
): EncodedRows {
  return task === 'causal-lm'
    ? encodeBlocks(examples, tokenizer, maxLength)
    : encodeExamples(examples, undefined, tokenizer, maxLength);
}

/** Share of the examples that is held out where the user gives no test file. */
const HELD_OUT = 0.1;

/** Examples or rows, some of them held out for measuring. */
export interface Split<T> {
  readonly train: T;
  readonly test: T;
}

/** Holds examples out by lot. Throws InputError when there are fewer than two. */
export function splitExamples({ name, rows }: Examples, seed: number): Split<Examples> {
  const random = new Random(foldKey(seedKey(seed), SPLIT_STREAM));
  const lots = rows.map((row) => ({ row, lot: random.uniform() }));
  const order = lots.sort((a, b) => a.lot - b.lot).map(({ row }) => row);
  const size = heldOutSize(rows.length, name);
  return { test: { name, rows: order.slice(0, size) }, train: { name, rows: order.slice(size) } };
}

/** Holds the end of a text out. Throws InputError when there is one block only. */
export function splitBlocks(encoded: EncodedRows): Split<EncodedRows> {
  const { name, rows } = encoded;
  const size = rows.length - heldOutSize(rows.length, name);
  return {
    train: { ...encoded, rows: rows.slice(0, size) },
    test: { ...encoded, rows: rows.slice(size) },
  };
}

/** Stream of the seed that decides which examples are held out. */
const SPLIT_STREAM = 0x7e57;

function heldOutSize(count: number, name: string): number {
  if (count >= 2) return Math.max(1, Math.round(count * HELD_OUT));
  throw new InputError(`${name} is too short to hold a part of it out; give a test file.`);
}
