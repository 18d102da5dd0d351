/**
 * @file The tokenizer inside a GGUF file as `tokenizer.json` and `tokenizer_config.json`. Two kinds are read: `gpt2`
 * (byte-level BPE with its merges) and `llama` (SentencePiece BPE with scores).
 */
import { InputError } from '@camada/tensor';
import type { JsonRecord } from '../bytes/text.ts';
import {
  addedToken,
  frameTemplate,
  sentencePieceJson,
  vocabularyOf,
  type AddedToken,
  type Frame,
} from '../tokenizer/sentencepiece.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizer.ts';
import type { MetadataValue } from './metadata.ts';
import { preTokenizer, startsText } from './pre-tokenizers.ts';

/** Kinds of tokens (`TokenType` of the Python package `gguf`). */
export const TOKEN_TYPE = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

type Metadata = ReadonlyMap<string, MetadataValue>;

/** The vocabulary as the file has it. */
interface Vocabulary {
  readonly file: string;
  readonly metadata: Metadata;
  readonly tokens: readonly string[];
  /** Kind of each token. */
  readonly types: readonly number[];
  readonly added: readonly AddedToken[];
  readonly frame: Frame;
}

/**
 * The tokenizer of a file; undefined where it has none. Throws `InputError` when it is damaged or of a kind that is
 * not read.
 */
export function tokenizerFromGguf(metadata: Metadata, file: string): TokenizerFiles | undefined {
  const kind = metadata.get('tokenizer.ggml.model');
  if (kind === undefined || kind === 'none') return undefined;
  if (kind !== 'gpt2' && kind !== 'llama') {
    throw new InputError(
      `${file}: "tokenizer.ggml.model" is ${String(kind)}; gpt2 and llama are read, so take the safetensors files.`,
    );
  }
  const vocabulary = readVocabulary(metadata, file, kind);
  const tokenizer = kind === 'gpt2' ? byteLevelJson(vocabulary) : pieceJson(vocabulary);
  return { tokenizer, config: configOf(vocabulary, kind) };
}

function readVocabulary(metadata: Metadata, file: string, kind: 'gpt2' | 'llama'): Vocabulary {
  const tokens = texts(metadata, 'tokens', file);
  const types = numbers(metadata, 'token_type', tokens.length, file) ?? tokens.map(() => 1);
  const added = tokens.flatMap((content, id) => {
    const special = types[id] === TOKEN_TYPE.control || types[id] === TOKEN_TYPE.unknown;
    if (!special && types[id] !== TOKEN_TYPE.userDefined) return [];
    return [{ id, content, special, normalized: !special && kind === 'llama' }];
  });
  const byDefault = kind === 'llama' || startsText(metadata.get('tokenizer.ggml.pre'));
  const around = (key: string, name: string, otherwise: boolean): Frame['first'] => {
    if ((metadata.get(`tokenizer.ggml.${key}`) ?? otherwise) !== true) return undefined;
    return namedToken(metadata, tokens, name);
  };
  const frame = {
    first: around('add_bos_token', 'bos', byDefault),
    last: around('add_eos_token', 'eos', false),
  };
  return { file, metadata, tokens, types, added, frame };
}

function byteLevelJson({ metadata, file, tokens, added, frame }: Vocabulary): JsonRecord {
  const { normalizer, pre } = preTokenizer(metadata, file);
  const merges = texts(metadata, 'merges', file).map((pair, i) => {
    const space = pair.indexOf(' ', 1);
    if (space > 0) return [pair.slice(0, space), pair.slice(space + 1)] as const;
    throw new InputError(
      `${file}: merge ${i} is ${JSON.stringify(pair)}; two tokens with a space between are needed, so download it again.`,
    );
  });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added.map(addedToken),
    normalizer,
    pre_tokenizer: pre,
    post_processor: frameTemplate(frame),
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: ignoresMerges(metadata),
      vocab: vocabularyOf(tokens),
      merges,
    },
  };
}

/** Llama 3 takes a whole word that is a token before it merges; llama.cpp ties this to the pre-tokenizer. */
function ignoresMerges(metadata: Metadata): boolean {
  return startsText(metadata.get('tokenizer.ggml.pre'));
}

function pieceJson({ metadata, file, tokens, types, added, frame }: Vocabulary): JsonRecord {
  const scores = numbers(metadata, 'scores', tokens.length, file) ?? tokens.map((_, id) => -id);
  const pieces = tokens.map((text, id) => ({
    text,
    score: scores[id] ?? 0,
    mergeable: types[id] === TOKEN_TYPE.normal || types[id] === TOKEN_TYPE.userDefined,
  }));
  const unknown = namedToken(metadata, tokens, 'unknown')?.content ?? null;
  const prefix = metadata.get('tokenizer.ggml.add_space_prefix') !== false;
  return sentencePieceJson({ pieces, added, unknown, prefix, frame });
}

function configOf(vocabulary: Vocabulary, kind: 'gpt2' | 'llama'): JsonRecord {
  const { metadata, tokens, frame } = vocabulary;
  const token = (name: string): string | null =>
    namedToken(metadata, tokens, name)?.content ?? null;
  const template = metadata.get('tokenizer.chat_template');
  return {
    add_bos_token: frame.first !== undefined,
    add_eos_token: frame.last !== undefined,
    bos_token: token('bos'),
    eos_token: token('eos'),
    unk_token: token('unknown'),
    pad_token: token('padding'),
    clean_up_tokenization_spaces: false,
    tokenizer_class: kind === 'llama' ? 'LlamaTokenizerFast' : 'PreTrainedTokenizerFast',
    ...(typeof template === 'string' && { chat_template: template }),
  };
}

/** The token that the metadata name for a part; undefined where they do not. */
function namedToken(
  metadata: Metadata,
  tokens: readonly string[],
  name: string,
): { id: number; content: string } | undefined {
  const id = metadata.get(`tokenizer.ggml.${name}_token_id`);
  const content = typeof id === 'number' ? tokens[id] : undefined;
  return typeof id === 'number' && content !== undefined ? { id, content } : undefined;
}

function texts(metadata: Metadata, name: string, file: string): readonly string[] {
  const value = metadata.get(`tokenizer.ggml.${name}`);
  if (Array.isArray(value) && value.every((item): item is string => typeof item === 'string'))
    return value;
  throw new InputError(
    `${file}: "tokenizer.ggml.${name}" is not a list of texts; the file is damaged, so download it again.`,
  );
}

function numbers(
  metadata: Metadata,
  name: string,
  length: number,
  file: string,
): readonly number[] | undefined {
  const value = metadata.get(`tokenizer.ggml.${name}`);
  if (value === undefined) return undefined;
  const list = ArrayBuffer.isView(value) ? Array.from(value, Number) : [];
  if (list.length === length && list.every(Number.isFinite)) return list;
  throw new InputError(
    `${file}: "tokenizer.ggml.${name}" is not a list of ${length} numbers; the file is damaged, so download it again.`,
  );
}
