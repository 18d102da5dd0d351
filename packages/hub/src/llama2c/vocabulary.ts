/**
 * @file llama2.c's `tokenizer.bin`, and the Hugging Face tokenizer that encodes as it does. The file holds
 * the longest piece's length and then, for each piece, its score (f32), its length (i32) and its bytes; it
 * is a SentencePiece BPE model, whose best score is merged first.
 */
import { InputError } from '@camada/tensor';
import type { ByteSource } from '../bytes/source.ts';
import { decodeUtf8, type JsonRecord } from '../bytes/text.ts';

/** A piece of the vocabulary; its id is its position. */
export interface Piece {
  /** Text, with `▁` for a space. */
  readonly text: string;
  /** Pairs that join to the piece with the largest score are merged first. */
  readonly score: number;
}

const CONTROL = ['<unk>', '<s>', '</s>'] as const;

/** Reads `tokenizer.bin`. Throws `InputError` unless it holds exactly `count` pieces. */
export async function readVocabulary(source: ByteSource, count: number): Promise<readonly Piece[]> {
  const bytes = await source.read(0, source.size);
  const view = new DataView(bytes.buffer);
  const pieces: Piece[] = [];
  for (let at = 4; at < bytes.byteLength;) {
    const length = at + 8 <= bytes.byteLength ? view.getInt32(at + 4, true) : -1;
    if (length < 0 || at + 8 + length > bytes.byteLength) throw damaged(source, pieces.length, at);
    const raw = decodeUtf8(
      bytes.subarray(at + 8, at + 8 + length),
      `${source.name}: piece ${pieces.length}`,
    );
    const text = CONTROL[pieces.length] ?? raw.replaceAll(' ', '▁');
    pieces.push({ text, score: view.getFloat32(at, true) });
    at += 8 + length;
  }
  if (pieces.length === count) return pieces;
  throw new InputError(
    `${source.name} holds ${pieces.length} pieces, but the checkpoint has a vocabulary of ${count}; ` +
      'give the tokenizer that belongs to it.',
  );
}

function damaged(source: ByteSource, piece: number, at: number): InputError {
  return new InputError(
    `${source.name}: piece ${piece} at byte ${at} runs over the end of the file; download it again.`,
  );
}

/** Every way to join two pieces into a third, best score first, as a BPE model lists its merges. */
export function deriveMerges(pieces: readonly Piece[]): readonly (readonly [string, string])[] {
  const ids = new Map(pieces.map(({ text }, id) => [text, id]));
  const merges: { pair: readonly [string, string]; score: number; left: number; right: number }[] =
    [];
  for (const { text, score } of pieces.filter(isMergeable)) {
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

/** Control pieces and byte pieces (`<0x0A>`) never come out of a merge. */
function isMergeable({ text }: Piece, id: number): boolean {
  return id >= CONTROL.length && !/^<0x[0-9A-F]{2}>$/.test(text);
}

/** `tokenizer.json` as Transformers writes it for Llama: `▁` for spaces, bytes for unknown characters. */
export function tokenizerJson(pieces: readonly Piece[]): JsonRecord {
  const vocabulary = Object.fromEntries(pieces.map(({ text }, id) => [text, id]));
  if (Object.keys(vocabulary).length !== pieces.length) {
    throw new InputError('The vocabulary holds a piece twice; give an undamaged tokenizer.bin.');
  }
  const sequence = (name: string, type_id: number): unknown => ({
    Sequence: { id: name, type_id },
  });
  const start = (type_id: number): unknown => ({ SpecialToken: { id: '<s>', type_id } });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: CONTROL.map(addedToken),
    normalizer: {
      type: 'Sequence',
      normalizers: [{ type: 'Prepend', prepend: '▁' }, replace(' ', '▁')],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [start(0), sequence('A', 0)],
      pair: [start(0), sequence('A', 0), start(1), sequence('B', 1)],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [replace('▁', ' '), { type: 'ByteFallback' }, { type: 'Fuse' }, strip()],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: vocabulary,
      merges: deriveMerges(pieces),
    },
  };
}

function addedToken(content: string, id: number): unknown {
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return { id, content, ...flags, special: true };
}

function replace(from: string, content: string): unknown {
  return { type: 'Replace', pattern: { String: from }, content };
}

/** Takes away the space that the normalizer put in front. */
function strip(): unknown {
  return { type: 'Strip', content: ' ', start: 1, stop: 0 };
}

/** `tokenizer_config.json` to go with it. */
export function tokenizerConfig(maxLength: number): JsonRecord {
  return {
    add_bos_token: true,
    add_eos_token: false,
    bos_token: '<s>',
    eos_token: '</s>',
    unk_token: '<unk>',
    clean_up_tokenization_spaces: false,
    model_max_length: maxLength,
    tokenizer_class: 'LlamaTokenizerFast',
  };
}
