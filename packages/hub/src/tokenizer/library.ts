/**
 * @file The library that splits text into tokens, behind checks: what it takes for granted is looked at before, and its
 * own errors are said in words.
 */
import { InputError } from '@camada/tensor';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import type { JsonRecord } from '../bytes/text.ts';
import { checkIds } from './check.ts';
import { repairConfig, repairTokenizer } from './repair.ts';

/** The part of the library that is used; its own types do not resolve under NodeNext (no extensions). */
export interface Library {
  encode(
    text: string,
    options: { add_special_tokens: boolean },
  ): { ids: readonly (number | undefined)[]; tokens: readonly string[] };
  decode(
    ids: readonly number[],
    options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean },
  ): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  get_vocab(): Map<string, number>;
  get_added_tokens_decoder(): Map<number, { readonly special: boolean }>;
}

/** Opens `tokenizer.json`. Throws `InputError` when it is damaged or not supported; so do all methods. */
export function openLibrary(tokenizer: JsonRecord, config: JsonRecord, file: string): Library {
  checkIds(tokenizer, file);
  const library: Library = inWords(
    file,
    () =>
      new LibraryTokenizer(
        { added_tokens: [], ...repairTokenizer(tokenizer), post_processor: null },
        repairConfig(tokenizer, config),
      ),
  );
  return {
    encode: (text, options) => inWords(file, () => library.encode(text, options)),
    decode: (ids, options) => inWords(file, () => library.decode(ids, options)),
    token_to_id: (token) => library.token_to_id(token),
    id_to_token: (id) => library.id_to_token(id),
    get_vocab: () => library.get_vocab(),
    get_added_tokens_decoder: () => library.get_added_tokens_decoder(),
  };
}

function inWords<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(
      `${file} cannot be used (${reason}); save it again with a current tokenizers.`,
      { cause: error },
    );
  }
}
