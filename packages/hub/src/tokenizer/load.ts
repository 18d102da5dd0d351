/** @file Loading a tokenizer from a model folder. */
import { openFolder, openRequired, type Folder } from '../bytes/folder.ts';
import { readJsonRecord, type JsonRecord } from '../bytes/text.ts';
import { createTokenizer, type Tokenizer } from './tokenizer.ts';

/**
 * Loads `tokenizer.json`, and beside it `tokenizer_config.json` and `special_tokens_map.json` where they
 * are, from a path (Node) or a `Folder`. Throws `InputError` when it is missing, damaged or not supported.
 */
export async function loadTokenizer(directory: string | Folder): Promise<Tokenizer> {
  const folder = await openFolder(directory);
  const source = await openRequired(folder, 'tokenizer.json');
  const tokenizer = await readJsonRecord(source);
  const config = await optionalRecord(folder, 'tokenizer_config.json');
  const specialTokensMap = await optionalRecord(folder, 'special_tokens_map.json');
  return createTokenizer({ tokenizer, config, specialTokensMap }, source.name);
}

async function optionalRecord(folder: Folder, file: string): Promise<JsonRecord> {
  const source = await folder.open(file);
  return source ? readJsonRecord(source) : {};
}
