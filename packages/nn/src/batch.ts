/**
 * @file Batches: token rows, padded and checked on the host, as tensors. Ids are checked here since a device
 * clamps a bad index silently.
 */
import { InputError, tensor, type Tensor } from '@camada/tensor';

/** What a model reads. */
export interface Batch {
  /** i32 [B, T]. */
  readonly inputIds: Tensor;
  /** i32 [B, T]: 1 for real tokens, 0 for padding. */
  readonly attentionMask: Tensor;
  /** i32 [B, T]: 0 for the first text, 1 for its pair. */
  readonly tokenTypeIds?: Tensor;
  /**
   * i32 [P]: flat positions b·T + t. A language-model head then gives logits [P, V] for these only, and
   * `labels` is [P].
   */
  readonly positions?: Tensor;
  /** Classes i32 [B], values f32 [B] (or [B, N]), or token labels i32 [B, T] with −100 for ignored ones. */
  readonly labels?: Tensor;
}

/** What a model accepts. */
export interface BatchLimits {
  /** Ids are below this, V. */
  readonly vocabSize: number;
  /** Most tokens in a row. */
  readonly maxLength: number;
  /** Token types are below this; 0 where the model has none. */
  readonly tokenTypes: number;
  /**
   * Labels are classes (below `count`), real values or probabilities (`count` to a row), or a class of each token
   * (below `count`).
   */
  readonly labels: {
    readonly kind: 'class' | 'value' | 'probability' | 'token';
    readonly count: number;
  };
  /** Id that fills up short rows. */
  readonly padTokenId: number;
}

/** Token rows of unequal length on the host. */
export interface BatchRows {
  /** One list of ids a row. */
  readonly inputIds: readonly (readonly number[])[];
  /** 1 or 0 for each id; all 1 when left out. */
  readonly attentionMask?: readonly (readonly number[])[];
  /** One type for each id. */
  readonly tokenTypeIds?: readonly (readonly number[])[];
  /** Flat positions b·T + t in the padded batch; see `Batch.positions`. */
  readonly positions?: readonly number[];
  /** One number a row, or (values, tokens) a list a row. With `positions`: one number a position. */
  readonly labels?: readonly number[] | readonly (readonly number[])[];
}

/** Label that the losses ignore. */
export const IGNORED_LABEL: number = -100;

/**
 * Pads rows to one length and makes the tensors. Rows are checked first; throws InputError that names the row
 * when one is too long, empty, uneven or holds a number that the model has no entry for.
 * @param length tokens a row after padding; the longest row when left out. Use few lengths: each compiles a program.
 */
export function createBatch(rows: BatchRows, limits: BatchLimits, length?: number): Batch {
  const width = length ?? Math.max(...rows.inputIds.map((row) => row.length));
  checkLengths(rows, limits, width);
  checkRange('token id', rows.inputIds, limits.vocabSize, "is the tokenizer the model's own?");
  const mask = rows.attentionMask ?? rows.inputIds.map((row) => row.map(() => 1));
  checkRange('attention mask', mask, 2, '1 marks a token, 0 padding');
  return {
    inputIds: padded(rows.inputIds, width, limits.padTokenId),
    attentionMask: padded(mask, width, 0),
    ...(rows.tokenTypeIds && { tokenTypeIds: typesOf(rows.tokenTypeIds, limits, width) }),
    ...(rows.positions && { positions: positionsOf(rows, width) }),
    ...(rows.labels && { labels: labelsOf(rows, limits, width) }),
  };
}

function checkLengths(rows: BatchRows, limits: BatchLimits, width: number): void {
  if (rows.inputIds.length === 0) throw new InputError('a batch needs at least one row');
  if (width > limits.maxLength)
    throw new InputError(
      `rows of ${width} tokens do not fit a model of ${limits.maxLength} positions: truncate them ` +
        '(option max-length) or split the text',
    );
  for (const [i, row] of rows.inputIds.entries()) {
    if (row.length === 0) throw new InputError(`row ${i} of the batch has no tokens`);
    if (row.length > width)
      throw new InputError(
        `row ${i} has ${row.length} tokens, more than the ${width} of the batch`,
      );
    for (const name of ['attentionMask', 'tokenTypeIds'] as const) {
      const other = rows[name];
      if (other && other[i]?.length !== row.length)
        throw new InputError(
          `row ${i}: ${name} has ${other[i]?.length ?? 0} numbers for ${row.length} ids`,
        );
    }
  }
}

function checkRange(
  what: string,
  rows: readonly (readonly number[])[],
  end: number,
  advice: string,
  also?: number,
): void {
  for (const [i, row] of rows.entries())
    for (const value of row)
      if (value !== also && !(Number.isInteger(value) && value >= 0 && value < end))
        throw new InputError(`row ${i}: ${what} ${value} is not in 0 to ${end - 1}; ${advice}`);
}

function padded(
  rows: readonly (readonly number[])[],
  width: number,
  filler: number,
  type: 'i32' | 'f32' = 'i32',
): Tensor {
  const data = new (type === 'i32' ? Int32Array : Float32Array)(rows.length * width).fill(filler);
  rows.forEach((row, i) => data.set(row, i * width));
  return tensor(data, [rows.length, width]);
}

function typesOf(rows: readonly (readonly number[])[], limits: BatchLimits, width: number): Tensor {
  checkRange(
    'token type',
    rows,
    limits.tokenTypes,
    `the model has ${limits.tokenTypes} token types`,
  );
  return padded(rows, width, 0);
}

function positionsOf({ inputIds, positions = [] }: BatchRows, width: number): Tensor {
  if (positions.length === 0) throw new InputError('a batch with positions needs at least one');
  checkRange('position', [positions], inputIds.length * width, 'positions are b·T + t');
  return tensor(Int32Array.from(positions));
}

function labelsOf(rows: BatchRows, limits: BatchLimits, width: number): Tensor {
  const labels = rows.labels ?? [];
  const wanted = rows.positions ? rows.positions.length : rows.inputIds.length;
  if (labels.length !== wanted)
    throw new InputError(`${labels.length} labels were given for ${wanted} rows or positions`);
  const nested = labels.map((label) => (typeof label === 'number' ? [label] : label));
  const tensorOf = {
    class: classLabels,
    value: valueLabels,
    probability: probabilities,
    token: tokenLabels,
  }[limits.labels.kind];
  return tensorOf(nested, limits, rows.positions ? 1 : width);
}

function classLabels(labels: readonly (readonly number[])[], limits: BatchLimits): Tensor {
  const advice = `the model has ${limits.labels.count} classes`;
  checkRange('label', labels, limits.labels.count, advice, IGNORED_LABEL);
  return tensor(Int32Array.from(labels, (label) => oneOf(label)));
}

function valueLabels(labels: readonly (readonly number[])[], limits: BatchLimits): Tensor {
  const { count } = limits.labels;
  for (const [i, label] of labels.entries())
    if (label.length !== count || !label.every(Number.isFinite))
      throw new InputError(`row ${i}: label ${label.join(', ')} is not ${count} finite number(s)`);
  const values = Float32Array.from(labels.flat());
  return count === 1 ? tensor(values) : tensor(values, [labels.length, count]);
}

function probabilities(labels: readonly (readonly number[])[], limits: BatchLimits): Tensor {
  const bad = labels.findIndex((row) => row.some((value) => value < 0 || value > 1));
  if (bad >= 0)
    throw new InputError(
      `row ${bad}: label ${labels[bad]!.join(', ')} is not 0 or 1 (or between them) for each of the classes`,
    );
  return valueLabels(labels, limits);
}

function tokenLabels(
  labels: readonly (readonly number[])[],
  limits: BatchLimits,
  width: number,
): Tensor {
  const advice = `or ${IGNORED_LABEL} for no label`;
  checkRange('label', labels, limits.labels.count, advice, IGNORED_LABEL);
  for (const [i, row] of labels.entries())
    if (row.length > width)
      throw new InputError(`row ${i} has ${row.length} labels for ${width} tokens`);
  return width === 1 && labels.every((row) => row.length === 1)
    ? tensor(Int32Array.from(labels.flat()))
    : padded(labels, width, IGNORED_LABEL);
}

function oneOf(label: readonly number[]): number {
  if (label.length !== 1) throw new InputError(`a class label is one number, not ${label.length}`);
  return label[0]!;
}
