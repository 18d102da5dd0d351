/**
 * @file Text to ids and back. The library splits text into tokens; pairs, segments, truncation and special
 * tokens are done here, as Transformers does them (see `template.ts` and `truncate.ts`). The truncation
 * and padding settings stored inside `tokenizer.json` are ignored, as Transformers ignores them.
 */
import { InputError } from '@camada/tensor';
import type { JsonRecord } from '../bytes/text.ts';
import { chatRenderer, type ChatMessage, type ChatOptions } from './chat.ts';
import { openLibrary, type Library } from './library.ts';
import { findSpecialIds, type SpecialIds } from './special.ts';
import { readTemplate, type Template, type TemplatePart } from './template.ts';
import { keptLengths, type TruncationStrategy } from './truncate.ts';

/** How text is encoded. */
export interface EncodeOptions {
  /** Largest number of ids, special tokens included; without it nothing is cut. */
  readonly maxLength?: number;
  /** Which text gives up tokens; `longest_first` unless told. */
  readonly truncation?: TruncationStrategy;
  /** The end that is cut away; `right` unless the tokenizer's config says otherwise. */
  readonly truncationSide?: 'left' | 'right';
  /** Whether the special tokens of the model are added; true unless told. */
  readonly addSpecialTokens?: boolean;
}

/** One encoded text or pair; the three lists have equal length. */
export interface Encoding {
  /** Token ids. */
  readonly ids: number[];
  /** Segment of each token: 0 for the first text, 1 for the second where the model tells them apart. */
  readonly typeIds: number[];
  /** 1 for every token; padding, added when batches are made, is 0. */
  readonly attentionMask: number[];
}

/** How ids are decoded. */
export interface DecodeOptions {
  /** Leaves special tokens out; false unless told. */
  readonly skipSpecialTokens?: boolean;
}

/** A loaded tokenizer. */
export interface Tokenizer extends SpecialIds {
  /** One more than the largest token id, added tokens included. */
  readonly vocabularySize: number;
  /** `model_max_length` of the tokenizer's config; undefined where it has none or an absurd one. */
  readonly maxLength: number | undefined;
  /** Ids that `skipSpecialTokens` leaves out. */
  readonly specialIds: ReadonlySet<number>;
  /** Encodes a text or a pair. Throws `InputError` when `maxLength` cannot be met. */
  encode(text: string, pair?: string, options?: EncodeOptions): Encoding;
  /** The text of ids. Throws `InputError` on an id outside the vocabulary. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  /** The id of a token, or undefined. */
  tokenToId(token: string): number | undefined;
  /** The token of an id, or undefined. */
  idToToken(id: number): string | undefined;
  /** The template that conversations are rendered with; undefined where there is none. */
  readonly chatTemplate: string | undefined;
  /**
   * The text of a conversation, special tokens included: encode it with `addSpecialTokens: false`. Throws `InputError`
   * where there is no chat template, or the template refuses the conversation.
   */
  chat(messages: readonly ChatMessage[], options?: ChatOptions): string;
}

/** The records that make a tokenizer. */
export interface TokenizerFiles {
  /** `tokenizer.json`. */
  readonly tokenizer: JsonRecord;
  /** `tokenizer_config.json`. */
  readonly config?: JsonRecord;
  /** `special_tokens_map.json`, of older folders. */
  readonly specialTokensMap?: JsonRecord;
}

/** Makes a tokenizer from its records. Throws `InputError` where `file` is damaged or not supported. */
export function createTokenizer(files: TokenizerFiles, file = 'tokenizer.json'): Tokenizer {
  const config = files.config ?? {};
  const template = readTemplate(files.tokenizer['post_processor'], file);
  const library = openLibrary(files.tokenizer, config, file);
  const vocabularySize = largestId(library) + 1;
  const special = findSpecialIds([config, files.specialTokensMap ?? {}], (token) =>
    library.token_to_id(token),
  );
  const chat = chatRenderer(config, file);
  const side = config['truncation_side'] === 'left' ? 'left' : 'right';
  return {
    ...special,
    vocabularySize,
    maxLength: readMaxLength(config),
    specialIds: readSpecialIds(library),
    encode: (text, pair, options) =>
      assemble(
        tokenIds(library, text, file),
        pair === undefined ? undefined : tokenIds(library, pair, file),
        template,
        { truncationSide: side, ...options },
      ),
    decode: (ids, options) => decode(library, Array.from(ids), vocabularySize, options),
    tokenToId: (token) => library.token_to_id(token),
    idToToken: (id) => library.id_to_token(id),
    chatTemplate: chat.template,
    chat: (messages, chatOptions) => chat.render(messages, chatOptions),
  };
}

function largestId(library: Library): number {
  let largest = -1;
  for (const id of library.get_vocab().values()) largest = Math.max(largest, id);
  return largest;
}

function readSpecialIds(library: Library): ReadonlySet<number> {
  const added = [...library.get_added_tokens_decoder()];
  return new Set(added.filter(([, token]) => token.special).map(([id]) => id));
}

/** Folders without a limit store 1e30 here. */
function readMaxLength(config: JsonRecord): number | undefined {
  const value = config['model_max_length'];
  return typeof value === 'number' && value > 0 && value < 1e9 ? Math.floor(value) : undefined;
}

function tokenIds(library: Library, text: string, file: string): number[] {
  const { ids, tokens } = library.encode(text, { add_special_tokens: false });
  return ids.map((id, i) => {
    if (id !== undefined) return id;
    throw new InputError(
      `${file} has neither the token "${tokens[i]}" nor an unknown token; add an "unk_token" to its model.`,
    );
  });
}

/** Cuts the texts to length and puts the template around them. */
function assemble(
  first: number[],
  second: number[] | undefined,
  template: Template,
  options: EncodeOptions,
): Encoding {
  const parts = (second ? template.pair : template.single).filter(
    (part) => part.kind === 'text' || (options.addSpecialTokens ?? true),
  );
  const [keepFirst, keepSecond] = roomFor(first.length, second?.length, parts, options);
  const side = options.truncationSide ?? 'right';
  const texts = { A: cut(first, keepFirst, side), B: cut(second ?? [], keepSecond, side) };
  const ids: number[] = [];
  const typeIds: number[] = [];
  for (const part of parts) {
    for (const id of part.kind === 'special' ? part.ids : texts[part.text]) {
      ids.push(id);
      typeIds.push(part.typeId);
    }
  }
  return { ids, typeIds, attentionMask: new Array<number>(ids.length).fill(1) };
}

function roomFor(
  first: number,
  second: number | undefined,
  parts: readonly TemplatePart[],
  options: EncodeOptions,
): readonly [number, number] {
  const { maxLength } = options;
  if (maxLength === undefined) return [first, second ?? 0];
  const special = parts.reduce((n, part) => n + (part.kind === 'special' ? part.ids.length : 0), 0);
  if (!Number.isSafeInteger(maxLength) || maxLength < special) {
    throw new InputError(
      `maxLength is ${maxLength}, but ${special} special tokens are added; give a whole number above that.`,
    );
  }
  return keptLengths(first, second, maxLength - special, options.truncation ?? 'longest_first');
}

function cut(ids: number[], keep: number, side: 'left' | 'right'): number[] {
  if (keep >= ids.length) return ids;
  return side === 'right' ? ids.slice(0, keep) : ids.slice(ids.length - keep);
}

function decode(
  library: Library,
  ids: number[],
  vocabularySize: number,
  options: DecodeOptions = {},
): string {
  const bad = ids.find((id) => library.id_to_token(id) === undefined);
  if (bad !== undefined) {
    throw new InputError(
      `Token id ${bad} cannot be decoded: the vocabulary has ids 0 to ${vocabularySize - 1}; ` +
        'use the tokenizer that belongs to the model.',
    );
  }
  if (ids.length === 0) return '';
  // Transformers' spacing clean-up would change the text; decoding gives what the tokens say.
  return library.decode(ids, {
    skip_special_tokens: options.skipSpecialTokens ?? false,
    clean_up_tokenization_spaces: false,
  });
}
