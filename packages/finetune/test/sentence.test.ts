/** @file The files of sentence-transformers: what is read from them, and what is refused in which words. */
import { memoryFolder, type Folder } from '@camada/hub';
import { InputError } from '@camada/tensor';
import { expect, test } from 'vitest';
import { readSentenceModel } from '../src/model/sentence.ts';

function folderOf(files: Record<string, unknown>): Folder {
  const bytes = Object.entries(files).map(
    ([name, value]) => [name, new TextEncoder().encode(JSON.stringify(value))] as const,
  );
  return memoryFolder(new Map(bytes), 'folder');
}

const step = (type: string, path: string): object => ({
  type: `sentence_transformers.models.${type}`,
  path,
});
const transformer = step('Transformer', '');
const pooling = step('Pooling', '1_Pooling');

test('poolings, normalisation, length and case are read', async () => {
  const files = {
    'modules.json': [transformer, pooling, step('Normalize', '2_Normalize')],
    '1_Pooling/config.json': { pooling_mode_mean_tokens: true, pooling_mode_cls_token: true },
    'sentence_bert_config.json': { max_seq_length: 256, do_lower_case: true },
  };
  expect(await readSentenceModel(folderOf(files))).toEqual({
    pooling: ['cls_token', 'mean_tokens'],
    normalize: true,
    maxLength: 256,
    lowerCase: true,
  });
});

test('a folder without modules.json says nothing', async () => {
  expect(await readSentenceModel(folderOf({}))).toBeUndefined();
});

test.each([
  [{ 'modules.json': {} }, /a list of modules was expected/],
  [{ 'modules.json': [transformer, step('Dense', '2_Dense')] }, /models\.Dense.*not supported/],
  [{ 'modules.json': [step('Transformer', '0_Transformer')] }, /in '0_Transformer'/],
  [{ 'modules.json': [pooling] }, /1_Pooling\/config\.json is missing/],
  [{ 'modules.json': [pooling], '1_Pooling/config.json': {} }, /no pooling is switched on/],
])('%j is refused', async (files, message) => {
  const read = readSentenceModel(folderOf(files));
  await expect(read).rejects.toThrow(InputError);
  await expect(readSentenceModel(folderOf(files))).rejects.toThrow(message);
});
