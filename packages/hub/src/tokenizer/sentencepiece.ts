/**
 * @file `tokenizer.json` of a SentencePiece BPE vocabulary, as Transformers writes it for Llama: `▁` for spaces, bytes for
 * unknown characters, and the merges that the scores stand for (the best score is joined first).
 */
import { InputError } from '@camada/tensor';
import type { JsonRecord } from '../bytes/text.ts';

/** A piece of the vocabulary; its id is its position. */
export interface Piece {
  /** Text, with `▁` for a space. */
  readonly text: string;
  /** Pairs that join to the piece with the largest score are merged first. */
  readonly score: number;
  /** Whether text can become it by merging; control, byte and user-defined pieces cannot. */
  readonly mergeable: boolean;
}

/** An added token: found in the text before anything is merged. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Left out of decoded text on request. */
  readonly special: boolean;
  /** Sought in the normalised text instead of the given one. */
  readonly normalized?: boolean;
  /** Takes the white space before it with it. */
  readonly lstrip?: boolean;
}

/** The tokens put around every text. */
export interface Frame {
  readonly first?: { readonly id: number; readonly content: string } | undefined;
  readonly last?: { readonly id: number; readonly content: string } | undefined;
}

/** What a SentencePiece tokenizer is made of. */
export interface SentencePiece {
  readonly pieces: readonly Piece[];
  readonly added: readonly AddedToken[];
  /** The piece for what cannot be said otherwise. */
  readonly unknown: string | null;
  /** Whether a space is put before the text. */
  readonly prefix: boolean;
  readonly frame: Frame;
}

/** `tokenizer.json` of a SentencePiece BPE vocabulary. Throws `InputError` when a piece is there twice. */
export function sentencePieceJson(model: SentencePiece): JsonRecord {
  const { pieces, prefix } = model;
  const spaces = replace(' ', '▁');
  const decoders = [replace('▁', ' '), { type: 'ByteFallback' }, { type: 'Fuse' }];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: model.added.map(addedToken),
    normalizer: prefix
      ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, spaces] }
      : spaces,
    pre_tokenizer: null,
    post_processor: frameTemplate(model.frame),
    decoder: { type: 'Sequence', decoders: prefix ? [...decoders, STRIP] : decoders },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: model.unknown,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: vocabularyOf(pieces.map(({ text }) => text)),
      merges: deriveMerges(pieces),
    },
  };
}

/** Tokens with their positions as ids. Throws `InputError` when one is there twice. */
export function vocabularyOf(tokens: readonly string[]): JsonRecord {
  const vocabulary = Object.fromEntries(tokens.map((token, id) => [token, id]));
  if (Object.keys(vocabulary).length === tokens.length) return vocabulary;
  const twice = tokens.find((token, id) => vocabulary[token] !== id);
  throw new InputError(
    `The vocabulary holds ${JSON.stringify(twice)} twice; give an undamaged tokenizer.`,
  );
}

/** Every way to join two pieces into a third, best score first, as a BPE model lists its merges. */
export function deriveMerges(pieces: readonly Piece[]): readonly (readonly [string, string])[] {
  const ids = new Map(pieces.map(({ text }, id) => [text, id]));
  const merges: { pair: readonly [string, string]; score: number; left: number; right: number }[] =
    [];
  for (const { text, score } of pieces.filter(({ mergeable }) => mergeable)) {
    const chars = Array.from(text);
    for (let cut = 1; cut < chars.length; cut++) {
      const pair = [chars.slice(0, cut).join(''), chars.slice(cut).join('')] as const;
      const left = ids.get(pair[0]);
      const right = ids.get(pair[1]);
      if (left !== undefined && right !== undefined) merges.push({ pair, score, left, right });
    }
  }
  merges.sort((a, b) => b.score - a.score || a.left - b.left || a.right - b.right);
  return merges.map(({ pair }) => pair);
}

/** An entry of `added_tokens`. */
export function addedToken(token: AddedToken): JsonRecord {
  const { id, content, special, normalized = false, lstrip = false } = token;
  return { id, content, single_word: false, lstrip, rstrip: false, normalized, special };
}

/** The post-processor that puts the frame around a text and around each of a pair; null without one. */
export function frameTemplate({ first, last }: Frame): JsonRecord | null {
  const special = [first, last].filter((token) => token !== undefined);
  if (special.length === 0) return null;
  const framed = (id: string, type_id: number): unknown[] => [
    ...(first ? [{ SpecialToken: { id: first.content, type_id } }] : []),
    { Sequence: { id, type_id } },
    ...(last ? [{ SpecialToken: { id: last.content, type_id } }] : []),
  ];
  return {
    type: 'TemplateProcessing',
    single: framed('A', 0),
    pair: [...framed('A', 0), ...framed('B', 1)],
    special_tokens: Object.fromEntries(
      special.map(({ id, content }) => [content, { id: content, ids: [id], tokens: [content] }]),
    ),
  };
}

function replace(from: string, content: string): JsonRecord {
  return { type: 'Replace', pattern: { String: from }, content };
}

/** Takes away the space that the normalizer put in front. */
const STRIP: JsonRecord = { type: 'Strip', content: ' ', start: 1, stop: 0 };
