/**
 * @file llama2.c's `tokenizer.bin`, and the Hugging Face tokenizer that encodes as it does. The file holds
 * the longest piece's length and then, for each piece, its score (f32), its length (i32) and its bytes; it
 * is a SentencePiece BPE model, whose best score is merged first.
 */
import { InputError } from '@camada/tensor';
import type { ByteSource } from '../bytes/source.ts';
import { decodeUtf8, type JsonRecord } from '../bytes/text.ts';
import { sentencePieceJson, type Piece } from '../tokenizer/sentencepiece.ts';

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
    const mergeable = pieces.length >= CONTROL.length && !/^<0x[0-9A-F]{2}>$/.test(text);
    pieces.push({ text, score: view.getFloat32(at, true), mergeable });
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

/** `tokenizer.json` as Transformers writes it for Llama. Throws `InputError` when a piece is there twice. */
export function tokenizerJson(pieces: readonly Piece[]): JsonRecord {
  return sentencePieceJson({
    pieces,
    added: CONTROL.map((content, id) => ({ id, content, special: true })),
    unknown: '<unk>',
    prefix: true,
    frame: { first: { id: 1, content: '<s>' } },
  });
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
