/**
 * @file Which tokens play which part. `tokenizer_config.json` says so, older folders say it in
 * `special_tokens_map.json`; a bare `tokenizer.json` is searched for the field's usual names.
 */
import { isRecord, type JsonRecord } from '../bytes/text.ts';

/** Ids of the tokens with a part of their own; undefined where the tokenizer has none. */
export interface SpecialIds {
  /** Fills the end of short rows. */
  readonly padId: number | undefined;
  /** Opens a text. */
  readonly bosId: number | undefined;
  /** Closes a text. */
  readonly eosId: number | undefined;
  /** Stands for what the vocabulary lacks. */
  readonly unkId: number | undefined;
  /** Opens a row of a BERT-like model. */
  readonly clsId: number | undefined;
  /** Separates the texts of a BERT-like model. */
  readonly sepId: number | undefined;
  /** Hides a token in masked language modelling. */
  readonly maskId: number | undefined;
}

const USUAL: Readonly<Record<string, readonly string[]>> = {
  pad_token: ['[PAD]', '<pad>', '<|pad|>'],
  bos_token: ['<s>', '<|begin_of_text|>', '<|endoftext|>'],
  eos_token: ['</s>', '<|end_of_text|>', '<|im_end|>', '<|endoftext|>'],
  unk_token: ['[UNK]', '<unk>'],
  cls_token: ['[CLS]'],
  sep_token: ['[SEP]'],
  mask_token: ['[MASK]', '<mask>'],
};

/** Finds the special ids; `records` are searched in order, then the usual names. */
export function findSpecialIds(
  records: readonly JsonRecord[],
  idOf: (token: string) => number | undefined,
): SpecialIds {
  const find = (key: string): number | undefined => {
    for (const record of records) {
      if (key in record) return idOfContent(record[key], idOf);
    }
    return (USUAL[key] ?? []).map(idOf).find((id) => id !== undefined);
  };
  return {
    padId: find('pad_token'),
    bosId: find('bos_token'),
    eosId: find('eos_token'),
    unkId: find('unk_token'),
    clsId: find('cls_token'),
    sepId: find('sep_token'),
    maskId: find('mask_token'),
  };
}

/** A token is written as its text or as `{ "content": text, … }`; null says that there is none. */
function idOfContent(
  value: unknown,
  idOf: (token: string) => number | undefined,
): number | undefined {
  const content = isRecord(value) ? value['content'] : value;
  return typeof content === 'string' ? idOf(content) : undefined;
}
