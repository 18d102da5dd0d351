/** @file Loading a tokenizer from a model folder. */
import { openFolder, openRequired, type Folder } from '../bytes/folder.ts';
import { readJsonRecord, readText, type JsonRecord } from '../bytes/text.ts';
import { legacyTokenizer } from './legacy.ts';
import { createTokenizer, type Tokenizer, type TokenizerFiles } from './tokenizer.ts';

/**
 * Loads `tokenizer.json`, and beside it `tokenizer_config.json` and `special_tokens_map.json` where they
 * are, from a path (Node) or a `Folder`; of older folders the vocabulary files that it would be made from. Throws
 * `InputError` when it is missing, damaged or not supported.
 */
export async function loadTokenizer(directory: string | Folder): Promise<Tokenizer> {
  const folder = await openFolder(directory);
  const file = (await folder.list()).includes('tokenizer.json') ? 'tokenizer.json' : 'tokenizer';
  return createTokenizer(await tokenizerFiles(folder), `${folder.name}/${file}`);
}

/**
 * The records that a folder's tokenizer is made from; a chat template in a file of its own (`chat_template.jinja`) takes
 * its place in the configuration. Throws `InputError` when `tokenizer.json` is missing or damaged.
 */
export async function tokenizerFiles(folder: Folder): Promise<TokenizerFiles> {
  const config = await optionalRecord(folder, 'tokenizer_config.json');
  const source = await folder.open('tokenizer.json');
  const tokenizer = source
    ? await readJsonRecord(source)
    : ((await legacyTokenizer(folder, config)) ??
      (await readJsonRecord(await openRequired(folder, 'tokenizer.json'))));
  const specialTokensMap = await optionalRecord(folder, 'special_tokens_map.json');
  const template = await folder.open('chat_template.jinja');
  const chat = template && { chat_template: await readText(template) };
  return { tokenizer, config: { ...config, ...chat }, specialTokensMap };
}

async function optionalRecord(folder: Folder, file: string): Promise<JsonRecord> {
  const source = await folder.open(file);
  return source ? readJsonRecord(source) : {};
}
