/** @file Texts as token rows, cut to a length. */
import { InputError } from '@camada/tensor';
import type { BatchLimits } from '@camada/nn';
import type { Tokenizer } from '@camada/hub';
import type { Examples } from './source.ts';

/** One token row with its target. */
export interface Row {
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
  /** A class, a value, or (language models) the row's own ids; undefined where there is no label. */
  readonly target: number | readonly number[] | undefined;
}

/** Rows of one file. */
export interface EncodedRows {
  /** What errors call it. */
  readonly name: string;
  readonly rows: readonly Row[];
  /** How many texts were cut. */
  readonly truncated: number;
}

/** Tokenizes texts and pairs; each gets the target of its number. Throws InputError when a text has no tokens. */
export function encodeExamples(
  examples: Examples,
  targets: readonly number[] | undefined,
  tokenizer: Tokenizer,
  maxLength: number,
): EncodedRows {
  let truncated = 0;
  const rows = examples.rows.map(({ text, pair, line }, i) => {
    const { ids, typeIds } = tokenizer.encode(text, pair, { maxLength });
    if (ids.length === 0)
      throw new InputError(`${examples.name}, line ${line}: the text is empty; remove the row.`);
    if (ids.length === maxLength) truncated++;
    return { ids, typeIds, target: targets?.[i] };
  });
  return { name: examples.name, rows, truncated };
}

/** Length that texts are cut to where the user names none. */
const USUAL_LENGTH = 128;

/**
 * The length to cut to: the one asked for, else 128 or what the model takes if that is less. Throws InputError
 * when the model or its tokenizer cannot take so many tokens.
 */
export function cutLength(
  wanted: number | undefined,
  limits: BatchLimits,
  tokenizer: Tokenizer,
): number {
  const most = Math.min(limits.maxLength, tokenizer.maxLength ?? Infinity);
  if (wanted === undefined) return Math.min(USUAL_LENGTH, most);
  if (Number.isInteger(wanted) && wanted >= 4 && wanted <= most) return wanted;
  throw new InputError(
    `max-length ${wanted} is not possible with this model; give a whole number from 4 to ${most}.`,
  );
}
