/**
 * @file Text for language models: documents are joined and cut into blocks of equal length, as Transformers'
 * `run_clm` does it, except that every block begins with the model's first token where it has one, so
 * that each token of the text is predicted exactly once and always from a beginning the model knows.
 */
import { InputError } from '@camada/tensor';
import type { Tokenizer } from '@camada/hub';
import type { EncodedRows, Row } from './encode.ts';
import type { Examples } from './source.ts';

/** Longer documents are tokenized in pieces of about this many characters, cut at line ends. */
const PIECE = 20_000;

/** Blocks of at most `maxLength` tokens. Throws InputError when the text is too short to predict anything. */
export function encodeBlocks(
  examples: Examples,
  tokenizer: Tokenizer,
  maxLength: number,
): EncodedRows {
  const { before, after } = frame(tokenizer);
  const ids = examples.rows.flatMap(({ text }) => [...documentIds(text, tokenizer), ...after]);
  const size = maxLength - before.length;
  const rows: Row[] = [];
  for (let start = 0; start < ids.length; start += size) {
    const block = [...before, ...ids.slice(start, start + size)];
    if (block.length >= 2) rows.push({ ids: block, typeIds: [], target: block });
  }
  if (rows.length > 0) return { name: examples.name, rows, truncated: 0 };
  throw new InputError(`${examples.name} holds too little text to train or measure a model on.`);
}

/** What stands before each block and behind each document. */
function frame(tokenizer: Tokenizer): { readonly before: number[]; readonly after: number[] } {
  const { bosId, eosId } = tokenizer;
  const opens = bosId !== undefined && tokenizer.encode('a').ids[0] === bosId;
  return { before: opens ? [bosId] : [], after: eosId === undefined ? [] : [eosId] };
}

function documentIds(text: string, tokenizer: Tokenizer): number[] {
  return pieces(text).flatMap(
    (piece) => tokenizer.encode(piece, undefined, { addSpecialTokens: false }).ids,
  );
}

/** Splits behind line ends, so that the pieces joined are the text. */
function pieces(text: string): string[] {
  const result: string[] = [];
  for (let start = 0; start < text.length;) {
    const lineEnd = text.indexOf('\n', start + PIECE);
    const end = lineEnd < 0 || text.length - start <= PIECE ? text.length : lineEnd + 1;
    result.push(text.slice(start, end));
    start = end;
  }
  return result;
}
