/** @file What the library takes for granted in a `tokenizer.json`: the ids of its tokens. */
import { InputError } from '@camada/tensor';
import { describe, isRecord, type JsonRecord } from '../bytes/text.ts';

/** Ids below this; the library makes a list as long as the largest. */
const MAX_ID = 2 ** 24;

/** Throws `InputError` unless every token has an id of its own that a list can have. */
export function checkIds(tokenizer: JsonRecord, file: string): void {
  const model = isRecord(tokenizer['model']) ? tokenizer['model'] : {};
  if (isRecord(model['vocab']))
    for (const [token, id] of Object.entries(model['vocab'])) checkId(token, id, file);
  const added = tokenizer['added_tokens'] ?? [];
  if (!Array.isArray(added)) throw broken('added_tokens', added, file);
  for (const token of added) {
    if (!isRecord(token) || typeof token['content'] !== 'string')
      throw broken('added_tokens', token, file);
    checkId(token['content'], token['id'], file);
  }
}

function checkId(token: string, id: unknown, file: string): void {
  if (Number.isInteger(id) && Number(id) >= 0 && Number(id) < MAX_ID) return;
  throw broken(`the id of ${describe(token)}`, id, file);
}

function broken(what: string, value: unknown, file: string): InputError {
  return new InputError(
    `${file}: ${what} is ${describe(value)}; the file is damaged, so download it again.`,
  );
}
