/**
 * @file Parts of `tokenizer.json` that the library reads differently from the Rust tokenizers, said in a way that both
 * read alike.
 */
import { isRecord, type JsonRecord } from '../bytes/text.ts';

/** `\w` of Rust's regular expressions: https://docs.rs/regex/latest/regex/#syntax. */
const WORD = String.raw`\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}`;

/** Punctuation of the Rust tokenizers: Unicode's and ASCII's signs. */
const SIGN = String.raw`\p{P}$+<=>^\x60|~`;

/** The expression that finds the pieces which a pre-tokenizer keeps; undefined where the library is right. */
function expressionOf(pre: JsonRecord): string | undefined {
  switch (pre['type']) {
    // The library's \w and \d know ASCII only, and its white space lacks U+0085.
    case 'WhitespaceSplit':
      return String.raw`[^\s]+`;
    case 'Whitespace':
      return String.raw`[${WORD}]+|[^${WORD}\s]+`;
    case 'Digits':
      return String.raw`\P{N}+|\p{N}${pre['individual_digits'] === true ? '' : '+'}`;
    // The library keeps neighbouring signs together.
    case 'Punctuation':
      return (pre['behavior'] ?? 'Isolated') === 'Isolated' ? `[^${SIGN}]+|[${SIGN}]` : undefined;
    default:
      return undefined;
  }
}

/** The tokenizer with its pre-tokenizers repaired. */
export function repairTokenizer(tokenizer: JsonRecord): JsonRecord {
  return { ...tokenizer, pre_tokenizer: repairPre(tokenizer['pre_tokenizer']) };
}

function repairPre(pre: unknown): unknown {
  if (!isRecord(pre)) return pre ?? null;
  const inner = pre['pretokenizers'];
  if (Array.isArray(inner)) return { ...pre, pretokenizers: inner.map(repairPre) };
  const Regex = expressionOf(pre);
  return Regex === undefined
    ? pre
    : { type: 'Split', pattern: { Regex }, behavior: 'Removed', invert: true };
}

/** The configuration, in which the library looks for the unknown token of a WordLevel model. */
export function repairConfig(tokenizer: JsonRecord, config: JsonRecord): JsonRecord {
  const model = tokenizer['model'];
  const isWordLevel = isRecord(model) && model['type'] === 'WordLevel';
  return isWordLevel ? { ...config, unk_token: model['unk_token'] } : config;
}
