/**
 * @file Folders without `tokenizer.json`: their vocabulary files give the ids of the fast tokenizers that Transformers makes
 * of them. Goldens by `tools/oracle/files.py`.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { CamadaError } from '@camada/tensor';
import { describe, expect, test } from 'vitest';
import { loadTokenizer, memoryFolder, memorySource, openFolder } from '@camada/hub';
import { readSpm } from '../src/tokenizer/spm.ts';
import { expectInputError, utf8 } from './support.ts';

const GOLDEN = new URL('golden/tokenizers/', import.meta.url).pathname;

interface Golden {
  readonly single: { text: string; ids: number[] }[];
  readonly pairs: { ids: number[]; typeIds: number[] }[];
  readonly special: Record<string, number | null>;
}

describe.each(['bert', 'gpt2', 'roberta', 'deberta-v2', 'llama'])('%s', (name) => {
  const { single, pairs, special } = JSON.parse(
    readFileSync(`${GOLDEN}${name}/golden.json`, 'utf8'),
  ) as Golden;

  test('texts and pairs', async () => {
    const tokenizer = await loadTokenizer(`${GOLDEN}${name}`);
    for (const [i, { text, ids }] of single.entries()) {
      expect([text, tokenizer.encode(text).ids]).toEqual([text, ids]);
      const pair = tokenizer.encode(single[0]!.text, text);
      expect([text, pair.ids]).toEqual([text, pairs[i]!.ids]);
      expect([text, pair.typeIds]).toEqual([text, pairs[i]!.typeIds]);
    }
  });

  test('the special tokens that it names', async () => {
    const tokenizer = await loadTokenizer(`${GOLDEN}${name}`);
    const ours = {
      pad: tokenizer.padId,
      unk: tokenizer.unkId,
      cls: tokenizer.clsId,
      sep: tokenizer.sepId,
      mask: tokenizer.maskId,
    };
    for (const [part, id] of Object.entries(ours))
      if (id !== undefined) expect([part, id]).toEqual([part, special[part]]);
  });
});

describe('SentencePiece files', () => {
  const bytes = new Uint8Array(readFileSync(`${GOLDEN}llama/tokenizer.model`));

  test('say what they are', async () => {
    const model = await readSpm(memorySource(bytes));
    expect(model).toMatchObject({ kind: 'bpe', maps: false, prefix: true });
    expect(model.pieces[0]).toEqual({ text: '<unk>', score: 0, type: 2 });
    expect(
      await readSpm(memorySource(new Uint8Array(readFileSync(`${GOLDEN}deberta-v2/spm.model`)))),
    ).toMatchObject({
      kind: 'unigram',
    });
  });

  test('damaged ones are refused or read, never worse', async () => {
    const property = fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 4 }),
      fc.nat(bytes.length),
      async (changes, end) => {
        const copy = bytes.slice(0, end % 3 === 0 ? end : bytes.length);
        for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
        try {
          const { pieces } = await readSpm(memorySource(copy));
          expect(pieces.length).toBeLessThan(copy.length);
        } catch (error) {
          expect(error).toBeInstanceOf(CamadaError);
        }
      },
    );
    await fc.assert(property, { numRuns: 2000, seed: 1 });
    await expectInputError(
      () => readSpm(memorySource(utf8('no model'))),
      /is no SentencePiece model/,
    );
  });
});

test('a folder with neither says so', async () => {
  const folder = await openFolder(memoryFolder(new Map([['config.json', utf8('{}')]]), 'm'));
  await expectInputError(
    () => loadTokenizer(folder),
    /m has no tokenizer\.json \(it holds config\.json\)/,
  );
});
