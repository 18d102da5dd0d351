/**
 * @file How byte-level BPE cuts text before it merges. GGUF files name the way (`tokenizer.ggml.pre`); the expressions
 * are those of the models' own `tokenizer.json`, as llama.cpp lists them (`src/llama-vocab.cpp`).
 */
import { InputError } from '@camada/tensor';
import { isRecord, type JsonRecord } from '../bytes/text.ts';
import type { MetadataValue } from './metadata.ts';

/** How text is prepared and cut. */
export interface PreTokenizer {
  readonly normalizer: JsonRecord | null;
  readonly pre: JsonRecord;
}

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";

/** Letters with one sign before them, numbers, signs with line ends after them, white space. */
const words = (digits: string): string =>
  String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

const UPPER = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
const LOWER = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;
const SIGN = String.raw`[^\r\n\p{L}\p{N}]?`;

/** GPT-4o cuts words where small letters turn to capitals. */
const cased = (ending: string, digits: string): string =>
  `${SIGN}${UPPER}*${LOWER}+${ending}|${SIGN}${UPPER}+${LOWER}*${ending}|${digits}` +
  String.raw`| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

const byteLevel = (use_regex: boolean): JsonRecord => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex,
});

const sequence = (...pretokenizers: JsonRecord[]): JsonRecord => ({
  type: 'Sequence',
  pretokenizers,
});

const split = (expression: string): PreTokenizer => ({
  normalizer: null,
  pre: sequence(
    { type: 'Split', pattern: { Regex: expression }, behavior: 'Isolated', invert: false },
    byteLevel(false),
  ),
});

const GPT2: PreTokenizer = { normalizer: null, pre: byteLevel(true) };
const DIGITS: PreTokenizer = {
  normalizer: null,
  pre: sequence({ type: 'Digits', individual_digits: true }, byteLevel(true)),
};
const LLAMA3 = split(words(String.raw`\p{N}{1,3}`));
const QWEN2: PreTokenizer = { ...split(words(String.raw`\p{N}`)), normalizer: { type: 'NFC' } };
const GPT4O = split(cased(`${CONTRACTIONS}?`, String.raw`\p{N}{1,3}`));
const TEKKEN = split(cased('', String.raw`\p{N}`));

/** Ways by their names in files; the same way has several names. */
export const PRE_TOKENIZERS: ReadonlyMap<string, PreTokenizer> = new Map([
  ...['gpt-2', 'phi-2', 'mpt', 'olmo', 'jais', 'trillion'].map((name) => [name, GPT2] as const),
  ...['smollm', 'starcoder', 'refact', 'command-r', 'codeshell', 'exaone', 'minerva-7b'].map(
    (name) => [name, DIGITS] as const,
  ),
  ...['llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'smaug-bpe', 'dbrx'].map(
    (name) => [name, LLAMA3] as const,
  ),
  ...['qwen2', 'deepseek-r1-qwen', 'stablelm2'].map((name) => [name, QWEN2] as const),
  ...['gpt-4o', 'llama4'].map((name) => [name, GPT4O] as const),
  ['tekken', TEKKEN] as const,
]);

/** Files from before the key was there do not name a way; their architecture does. */
const BY_ARCHITECTURE: ReadonlyMap<unknown, string> = new Map([
  ['gpt2', 'gpt-2'],
  ['llama', 'llama-bpe'],
  ['qwen2', 'qwen2'],
  ['qwen3', 'qwen2'],
]);

/** The way of a file. Throws `InputError` listing all when it names another. */
export function preTokenizer(
  metadata: ReadonlyMap<string, MetadataValue>,
  file: string,
): PreTokenizer {
  const stored = metadata.get('tokenizer.ggml.pre');
  const named = stored ?? BY_ARCHITECTURE.get(metadata.get('general.architecture'));
  const found = typeof named === 'string' ? PRE_TOKENIZERS.get(named) : undefined;
  if (found) return found;
  throw new InputError(
    `${file}: "tokenizer.ggml.pre" is ${String(stored)}; ${[...PRE_TOKENIZERS.keys()].join(', ')} are known, ` +
      'so take the safetensors files.',
  );
}

/** Whether this way belongs to Llama 3, which opens every text and prefers whole words (as llama.cpp does). */
export function startsText(name: MetadataValue | undefined): boolean {
  return typeof name === 'string' && PRE_TOKENIZERS.get(name) === LLAMA3;
}

/**
 * The name of the way that a `tokenizer.json` cuts text. Throws `InputError` where files have no name for it.
 */
export function preTokenizerName(tokenizer: JsonRecord): string {
  const given = fingerprint(tokenizer['pre_tokenizer']);
  for (const [name, { pre }] of PRE_TOKENIZERS) if (fingerprint(pre) === given) return name;
  throw new InputError(
    'tokenizer.json cuts text in a way that GGUF has no name for; save the model as safetensors instead.',
  );
}

/** What decides how text is cut: the expressions and the flags, in order, without fields that change nothing. */
function fingerprint(pre: unknown): string {
  if (!isRecord(pre)) return '';
  const inner = pre['pretokenizers'];
  if (Array.isArray(inner)) return inner.map(fingerprint).join(' ');
  const kind = String(pre['type']);
  if (kind === 'Split') return `Split ${JSON.stringify(pre['pattern'])}`;
  if (kind === 'ByteLevel')
    return `ByteLevel ${pre['use_regex'] !== false} ${pre['add_prefix_space'] !== false}`;
  return `${kind} ${pre['individual_digits'] === true}`;
}
