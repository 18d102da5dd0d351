/**
 * @file The vocabulary at work: `tokenizer.json` for everyone else, and a fast encoder for the corpus that gives the same ids
 * (greedy longest match first; BERT's WordPiece, https://github.com/google-research/bert#tokenization).
 */
import { specialTokens } from './vocabulary.ts';
import { splitWords } from './words.ts';

/** Ids of the special tokens. */
export const special = { pad: 0, unknown: 1, cls: 2, sep: 3, mask: 4 } as const;

/** Encodes text without special tokens. */
export class WordPieceEncoder {
  private readonly ids: ReadonlyMap<string, number>;
  private readonly known = new Map<string, readonly number[]>();

  /** `pieces`: the vocabulary in the order of its ids. */
  constructor(pieces: readonly string[]) {
    this.ids = new Map(pieces.map((piece, id) => [piece, id]));
  }

  /** The ids of a text. */
  encode(text: string): number[] {
    return splitWords(text).flatMap((word) => this.encodeWord(word));
  }

  private encodeWord(word: string): readonly number[] {
    const known = this.known.get(word);
    if (known !== undefined) return known;
    const ids = this.split(word);
    this.known.set(word, ids);
    return ids;
  }

  /** The longest piece that fits, again and again; a word that cannot be covered is one `[UNK]`. */
  private split(word: string): readonly number[] {
    const ids: number[] = [];
    for (let start = 0; start < word.length;) {
      let end = word.length;
      let id: number | undefined;
      for (; end > start && id === undefined; end--)
        id = this.ids.get((start > 0 ? '##' : '') + word.slice(start, end));
      if (id === undefined || word.length > maxWordLength) return [special.unknown];
      ids.push(id);
      start = end + 1;
    }
    return ids;
  }
}

const maxWordLength = 100;

/** The record of `tokenizer.json`: BERT's uncased pipeline over the given pieces. */
export function tokenizerJson(pieces: readonly string[]): object {
  const sequence = (id: 'A' | 'B', type: number): object => ({ Sequence: { id, type_id: type } });
  const token = (id: string, type: number): object => ({ SpecialToken: { id, type_id: type } });
  const entry = (id: string): object => ({
    id,
    ids: [specialTokens.findIndex((t) => t === id)],
    tokens: [id],
  });
  const single = [token('[CLS]', 0), sequence('A', 0), token('[SEP]', 0)];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map(addedToken),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single,
      pair: [...single, sequence('B', 1), token('[SEP]', 1)],
      special_tokens: { '[CLS]': entry('[CLS]'), '[SEP]': entry('[SEP]') },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: maxWordLength,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
    },
  };
}

/** The record of `tokenizer_config.json`. */
export function tokenizerConfig(maxLength: number): object {
  return {
    tokenizer_class: 'BertTokenizer',
    do_lower_case: true,
    model_max_length: maxLength,
    pad_token: '[PAD]',
    unk_token: '[UNK]',
    cls_token: '[CLS]',
    sep_token: '[SEP]',
    mask_token: '[MASK]',
  };
}

function addedToken(content: string, id: number): object {
  return {
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  };
}
