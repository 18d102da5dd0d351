/**
 * @file Tokenizers of folders without `tokenizer.json`: the vocabulary files of the original programs, turned into what
 * Transformers' `convert_slow_tokenizer.py` makes of them.
 */
import { InputError } from '@camada/tensor';
import { openRequired, type Folder } from '../bytes/folder.ts';
import { readJsonRecord, readText, type JsonRecord } from '../bytes/text.ts';
import {
  addedToken,
  frameTemplate,
  sentencePieceJson,
  vocabularyOf,
  type Frame,
} from './sentencepiece.ts';
import { readSpm, type SpmModel } from './spm.ts';

/** Where a tokenizer's parts come from. */
interface Origin {
  readonly folder: Folder;
  /** `tokenizer_config.json`. */
  readonly config: JsonRecord;
  /** `model_type` of `config.json`, and `tokenizer_class`, in small letters. */
  readonly family: string;
}

/** Files that a vocabulary may be in, and how each becomes a `tokenizer.json`; the first that is there is taken. */
const FORMS: readonly (readonly [string, (origin: Origin) => Promise<JsonRecord>])[] = [
  ['spm.model', unigramTokenizer],
  ['tokenizer.model', pieceTokenizer],
  ['vocab.txt', wordPieceTokenizer],
  ['merges.txt', byteLevelTokenizer],
];

/** Whether a folder has a tokenizer in one of the older forms. */
export function hasLegacyTokenizer(names: readonly string[]): boolean {
  return FORMS.some(([file]) => names.includes(file));
}

/**
 * `tokenizer.json` of a folder that has none; undefined where there is no vocabulary either. Throws `InputError` when it is
 * damaged or of a kind that is not read.
 */
export async function legacyTokenizer(
  folder: Folder,
  config: JsonRecord,
): Promise<JsonRecord | undefined> {
  const names = await folder.list();
  const form = FORMS.find(([file]) => names.includes(file));
  if (!form) return undefined;
  const model = names.includes('config.json')
    ? await readJsonRecord(await openRequired(folder, 'config.json'))
    : {};
  const family = [model['model_type'], config['tokenizer_class']].join(' ').toLowerCase();
  return form[1]({ folder, config, family });
}

/** DeBERTa's: Unigram with the tokens of BERT, and a mask that is not in the file. */
async function unigramTokenizer({ folder, config }: Origin): Promise<JsonRecord> {
  const source = await openRequired(folder, 'spm.model');
  const model = await readSpm(source);
  if (model.kind !== 'unigram')
    throw new InputError(`${source.name} is a BPE model; save the tokenizer as tokenizer.json.`);
  const tokens = model.pieces.map(({ text }) => text);
  const names = ['[PAD]', '[CLS]', '[SEP]', '[UNK]', '[MASK]'];
  const added = names.map((content, i) => ({
    id: tokens.includes(content) ? tokens.indexOf(content) : tokens.length + Math.max(0, i - 4),
    content,
    special: true,
  }));
  const space = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true };
  return {
    version: '1.0',
    added_tokens: added.map(addedToken),
    normalizer: { type: 'Sequence', normalizers: normalizersOf(model, config) },
    pre_tokenizer:
      config['split_by_punct'] === true
        ? {
            type: 'Sequence',
            pretokenizers: [{ type: 'Punctuation', behavior: 'Isolated' }, space],
          }
        : space,
    post_processor: bertTemplate(added[1]!, added[2]!),
    decoder: space,
    model: {
      type: 'Unigram',
      unk_id: model.pieces.findIndex(({ type }) => type === 2),
      vocab: model.pieces.map(({ text, score }) => [text, score]),
      byte_fallback: false,
    },
  };
}

/** The library's own form of the character map is NFKC with SentencePiece's exceptions; it needs no table. */
function normalizersOf({ maps }: SpmModel, config: JsonRecord): JsonRecord[] {
  return [
    ...(config['do_lower_case'] === true ? [{ type: 'Lowercase' }] : []),
    { type: 'Strip', strip_left: true, strip_right: true },
    ...(maps ? [{ type: 'Precompiled', precompiled_charsmap: '' }] : []),
    { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' },
  ];
}

/** Llama's: BPE with scores and bytes. */
async function pieceTokenizer({ folder, config }: Origin): Promise<JsonRecord> {
  const source = await openRequired(folder, 'tokenizer.model');
  const { pieces, kind, prefix } = await readSpm(source);
  if (kind !== 'bpe')
    throw new InputError(
      `${source.name} is a Unigram model; save the tokenizer as tokenizer.json.`,
    );
  const special = (type: number): boolean => type === 2 || type === 3;
  const token = (key: string, otherwise: string): Frame['first'] => {
    const content = textOf(config[key]) ?? otherwise;
    const id = pieces.findIndex(({ text }) => text === content);
    return id < 0 ? undefined : { id, content };
  };
  return sentencePieceJson({
    pieces: pieces.map(({ text, score, type }) => ({
      text,
      score,
      mergeable: type === 1 || type === 4,
    })),
    added: pieces.flatMap(({ text: content, type }, id) =>
      special(type) || type === 4
        ? [{ id, content, special: special(type), normalized: type === 4 }]
        : [],
    ),
    unknown: pieces.find(({ type }) => type === 2)?.text ?? null,
    prefix,
    frame: {
      first: config['add_bos_token'] === false ? undefined : token('bos_token', '<s>'),
      last: config['add_eos_token'] === true ? token('eos_token', '</s>') : undefined,
    },
  });
}

/** BERT's: one token a line. */
async function wordPieceTokenizer({ folder, config }: Origin): Promise<JsonRecord> {
  const source = await openRequired(folder, 'vocab.txt');
  const lines = (await readText(source)).replace(/\r?\n$/, '').split(/\r?\n/);
  const names = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
  const special = names.filter((content) => lines.includes(content));
  const added = special.map((content) => ({ id: lines.indexOf(content), content, special: true }));
  const [cls, sep] = ['[CLS]', '[SEP]'].map((name) =>
    added.find(({ content }) => content === name),
  );
  if (!cls || !sep)
    throw new InputError(`${source.name} has no [CLS] and [SEP]; it is no vocabulary of BERT.`);
  return {
    version: '1.0',
    added_tokens: added.map(addedToken),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: config['tokenize_chinese_chars'] !== false,
      strip_accents: config['strip_accents'] ?? null,
      lowercase: config['do_lower_case'] !== false,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: bertTemplate(cls, sep),
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: vocabularyOf(lines),
    },
  };
}

/** GPT-2's and RoBERTa's: byte-level BPE in two files. */
async function byteLevelTokenizer({ folder, config, family }: Origin): Promise<JsonRecord> {
  const vocab = await readJsonRecord(await openRequired(folder, 'vocab.json'));
  const text = await readText(await openRequired(folder, 'merges.txt'));
  const merges = text.split('\n').filter((line) => line !== '' && !line.startsWith('#version'));
  const isRoberta = family.includes('roberta');
  const names = isRoberta ? ['<s>', '<pad>', '</s>', '<unk>', '<mask>'] : ['<|endoftext|>'];
  const added = names.flatMap((content) => {
    const id = vocab[content];
    return typeof id === 'number'
      ? [{ id, content, special: true, lstrip: content === '<mask>' }]
      : [];
  });
  return {
    version: '1.0',
    added_tokens: added.map(addedToken),
    normalizer: null,
    pre_tokenizer: {
      type: 'ByteLevel',
      add_prefix_space: config['add_prefix_space'] === true,
      trim_offsets: true,
      use_regex: true,
    },
    post_processor: isRoberta
      ? { type: 'RobertaProcessing', cls: ['<s>', vocab['<s>']], sep: ['</s>', vocab['</s>']] }
      : null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      vocab,
      merges,
    },
  };
}

/** `[CLS] A [SEP]`, and of a pair `B [SEP]` as the second segment. */
function bertTemplate(cls: NonNullable<Frame['first']>, sep: NonNullable<Frame['last']>): unknown {
  const framed = frameTemplate({ first: cls, last: sep });
  const closing = [
    { Sequence: { id: 'B', type_id: 1 } },
    { SpecialToken: { id: sep.content, type_id: 1 } },
  ];
  const single = framed?.['single'];
  return { ...framed, pair: [...(Array.isArray(single) ? (single as unknown[]) : []), ...closing] };
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const content =
    typeof value === 'object' && value !== null && 'content' in value ? value.content : undefined;
  return typeof content === 'string' ? content : undefined;
}
