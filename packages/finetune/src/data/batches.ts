/**
 * @file Rows into batches of few shapes: lengths are rounded up to multiples of 16 and every batch has the same
 * number of rows, so that a handful of programs serves a whole run.
 */
import { foldKey } from '@camada/tensor';
import {
  IGNORED_LABEL,
  Random,
  createBatch,
  seedKey,
  type Batch,
  type BatchLimits,
} from '@camada/nn';
import type { Row } from './encode.ts';

/** Lengths are multiples of this. */
const STEP = 16;

/** Rows are sorted by length within groups of this many batches, as a compromise between order and padding. */
const GROUP = 32;

/** Rows of one batch; the last `filler` are repetitions that must not count. */
export interface RowGroup {
  readonly rows: readonly Row[];
  readonly filler: number;
}

/** How a file's rows are laid out. */
export interface BatchShape {
  /** Rows of each batch. */
  readonly batchSize: number;
  /** Most tokens in a row. */
  readonly maxLength: number;
}

/**
 * The batches of one epoch: shuffled by the seed, then grouped by length. Rows that do not fill a batch are left
 * to the next epoch's order; a file smaller than one batch is one batch of its own size.
 */
export function trainingBatches(
  rows: readonly Row[],
  { batchSize }: Pick<BatchShape, 'batchSize'>,
  seed: number,
  epoch: number,
): RowGroup[] {
  const random = new Random(foldKey(seedKey(seed), epoch));
  const size = Math.min(batchSize, rows.length);
  const order = shuffled(rows, random).slice(0, Math.floor(rows.length / size) * size);
  const batches: RowGroup[] = [];
  for (let at = 0; at < order.length; at += GROUP * size) {
    const group = order.slice(at, at + GROUP * size).sort((a, b) => a.ids.length - b.ids.length);
    for (let i = 0; i < group.length; i += size)
      batches.push({ rows: group.slice(i, i + size), filler: 0 });
  }
  return shuffled(batches, random);
}

/** All rows once, by length; the last batch is filled up with repetitions of its last row. */
export function evaluationBatches(
  rows: readonly Row[],
  { batchSize }: Pick<BatchShape, 'batchSize'>,
): RowGroup[] {
  const order = [...rows].sort((a, b) => a.ids.length - b.ids.length);
  const size = Math.min(batchSize, order.length);
  const batches: RowGroup[] = [];
  for (let at = 0; at < order.length; at += size) {
    const group = order.slice(at, at + size);
    const filler = size - group.length;
    batches.push({ rows: [...group, ...new Array<Row>(filler).fill(group.at(-1)!)], filler });
  }
  return batches;
}

/** A batch's worth of rows of middle length, for planning. */
export function typicalRows(rows: readonly Row[], batchSize: number): RowGroup {
  const order = [...rows].sort((a, b) => a.ids.length - b.ids.length);
  const size = Math.min(batchSize, order.length);
  const from = Math.floor((order.length - size) / 2);
  return { rows: order.slice(from, from + size), filler: 0 };
}

/** The first rows of a shuffled copy. */
export function sampleRows(rows: readonly Row[], count: number, seed: number): Row[] {
  return shuffled(rows, new Random(seedKey(seed))).slice(0, count);
}

/** Fisher and Yates (Durstenfeld 1964, Communications of the ACM 7(7), algorithm 235). */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random.uniform() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

/** The tensors of a group. Throws InputError when an id or a label is not the model's. */
export function toBatch(
  group: RowGroup,
  limits: BatchLimits,
  { maxLength }: Pick<BatchShape, 'maxLength'>,
): Batch {
  const { rows } = group;
  const longest = Math.max(...rows.map((row) => row.ids.length));
  const length = Math.min(Math.ceil(longest / STEP) * STEP, Math.max(longest, maxLength));
  const targets = targetsOf(group);
  return createBatch(
    {
      inputIds: rows.map((row) => row.ids),
      ...(limits.tokenTypes > 1 && { tokenTypeIds: rows.map((row) => row.typeIds) }),
      ...(targets && { labels: targets }),
    },
    limits,
    length,
  );
}

/** Targets of all rows; language-model targets of filler rows are ignored ones. */
function targetsOf({ rows, filler }: RowGroup): number[] | number[][] | undefined {
  const targets = rows.map((row) => row.target);
  if (targets.every((target) => typeof target === 'number')) return targets;
  const real = rows.length - filler;
  const tokens = targets.filter((target) => typeof target === 'object');
  if (tokens.length < rows.length) return undefined;
  return tokens.map((ids, i) => (i < real ? [...ids] : ids.map(() => IGNORED_LABEL)));
}

/** Frees the memory of a batch. */
export function disposeBatch(batch: Batch): void {
  for (const tensor of [batch.inputIds, batch.attentionMask, batch.tokenTypeIds, batch.labels])
    tensor?.dispose();
}
