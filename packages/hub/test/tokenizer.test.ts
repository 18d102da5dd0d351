/** @file Tokenizers: pairs, truncation, special ids; expected ids come from Python's tokenizers 0.23.3. */
import { Config, createTokenizer, loadTokenizer, memoryFolder, type Tokenizer } from '@camada/hub';
import fc from 'fast-check';
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { keptLengths } from '../src/tokenizer/truncate.ts';
import { expectInputError, hasShared, SHARED, utf8 } from './support.ts';

const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'the', 'cat', 'sat', '##s', 'on', 'mat'];

function added(content: string, id: number): unknown {
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

function wordPiece(postProcessor: unknown): Record<string, unknown> {
  return {
    added_tokens: words.slice(0, 4).map(added),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: postProcessor,
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(words.map((word, id) => [word, id])),
    },
  };
}

const bert = { type: 'BertProcessing', cls: ['[CLS]', 2], sep: ['[SEP]', 3] };
const make = (postProcessor: unknown): Tokenizer =>
  createTokenizer({ tokenizer: wordPiece(postProcessor) });

describe('encoding', () => {
  test('BERT: special tokens, segments, mask', () => {
    const tokenizer = make(bert);
    expect(tokenizer.encode('The cats sat', 'on the dog')).toEqual({
      ids: [2, 4, 5, 7, 6, 3, 8, 4, 1, 3],
      typeIds: [0, 0, 0, 0, 0, 0, 1, 1, 1, 1],
      attentionMask: new Array(10).fill(1),
    });
    expect(tokenizer.encode('cat', 'mat', { addSpecialTokens: false })).toMatchObject({
      ids: [5, 9],
      typeIds: [0, 1],
    });
    expect(tokenizer.encode('', '').ids).toEqual([2, 3, 3]);
  });

  test('RoBERTa: two separators, one segment; none: the second text is segment 1', () => {
    const roberta = make({ ...bert, type: 'RobertaProcessing' });
    expect(roberta.encode('cat', 'mat')).toMatchObject({
      ids: [2, 5, 3, 3, 9, 3],
      typeIds: [0, 0, 0, 0, 0, 0],
    });
    expect(make(null).encode('cat', 'mat')).toMatchObject({ ids: [5, 9], typeIds: [0, 1] });
    const sequence = { type: 'Sequence', processors: [{ type: 'ByteLevel' }, bert] };
    expect(make(sequence).encode('cat').ids).toEqual([2, 5, 3]);
  });

  test('truncation keeps special tokens and takes from the longer text', () => {
    const tokenizer = make(bert);
    const long = 'the cat sat on the mat';
    expect(tokenizer.encode(long, undefined, { maxLength: 4 }).ids).toEqual([2, 4, 5, 3]);
    expect(tokenizer.encode(long, undefined, { maxLength: 4, truncationSide: 'left' }).ids).toEqual(
      [2, 4, 9, 3],
    );
    expect(tokenizer.encode(long, 'cat', { maxLength: 6 }).ids).toEqual([2, 4, 5, 3, 5, 3]);
    expect(tokenizer.encode('cat', long, { maxLength: 6, truncation: 'only_second' }).ids).toEqual([
      2, 5, 3, 4, 5, 3,
    ]);
  });

  test('what cannot be met is said', async () => {
    const tokenizer = make(bert);
    await expectInputError(
      () => tokenizer.encode('cat', 'mat', { maxLength: 2 }),
      /maxLength is 2, but 3 special/,
    );
    await expectInputError(
      () => tokenizer.encode('cat', 'mat', { maxLength: 1.5 }),
      /maxLength is 1\.5/,
    );
    const short = (): unknown =>
      tokenizer.encode('cat', 'the mat the mat', { maxLength: 5, truncation: 'only_first' });
    await expectInputError(short, /the first text has 1 tokens, but 3 must go/);
    await expectInputError(() => tokenizer.decode([5, 99]), /id 99 cannot be decoded.*0 to 9/);
    await expectInputError(() => make({ type: 'Strange' }), /"post_processor" holds "Strange"/);
  });

  test('lengths kept: never above the room, never more than there was, and fair', () => {
    const count = fc.nat(40);
    fc.assert(
      fc.property(count, count, count, (first, second, room) => {
        const [a, b] = keptLengths(first, second, room, 'longest_first');
        expect(a + b).toBe(Math.min(room, first + second));
        expect(a <= first && b <= second).toBe(true);
        if (a < first && b < second) expect(Math.abs(a - b)).toBeLessThanOrEqual(1);
        if (a < first && b === second) expect(a).toBeGreaterThanOrEqual(b - 1);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('special tokens', () => {
  test('usual names are found; the config decides', () => {
    expect(make(bert)).toMatchObject({
      padId: 0,
      unkId: 1,
      clsId: 2,
      sepId: 3,
      bosId: undefined,
      vocabularySize: 10,
    });
    const config = { pad_token: { content: 'mat' }, sep_token: null, model_max_length: 128 };
    const tokenizer = createTokenizer({ tokenizer: wordPiece(bert), config });
    expect(tokenizer).toMatchObject({ padId: 9, sepId: undefined, maxLength: 128 });
    expect(
      createTokenizer({ tokenizer: wordPiece(bert), config: { model_max_length: 1e30 } }).maxLength,
    ).toBe(undefined);
  });

  test('are left out on request', () => {
    const tokenizer = make(bert);
    expect(tokenizer.decode([2, 5, 7, 3])).toBe('[CLS] cats [SEP]');
    expect(tokenizer.decode([2, 5, 7, 3], { skipSpecialTokens: true })).toBe('cats');
    expect(tokenizer.decode([])).toBe('');
    expect([...tokenizer.specialIds]).toEqual([0, 1, 2, 3]);
  });
});

test('damaged files are named', async () => {
  const load = (text: string) => () =>
    loadTokenizer(memoryFolder(new Map([['tokenizer.json', utf8(text)]]), 'm'));
  await expectInputError(load('{'), /m\/tokenizer\.json is not valid JSON/);
  await expectInputError(load('{}'), /m\/tokenizer\.json cannot be used/);
  await expectInputError(
    () => loadTokenizer(memoryFolder(new Map(), 'm')),
    /m has no tokenizer\.json/,
  );
});

test('a config names the key that is wrong', async () => {
  const config = new Config({ n: 1.5, s: 'x', o: { k: 2 }, z: null }, 'config.json');
  expect([config.number('n'), config.string('s'), config.section('o')?.integer('k')]).toEqual([
    1.5,
    'x',
    2,
  ]);
  expect([config.integer('z', 3), config.has('z'), config.section('none')]).toEqual([
    3,
    false,
    undefined,
  ]);
  await expectInputError(
    () => config.integer('n'),
    /config\.json: "n" is 1\.5, but must be a whole number/,
  );
  await expectInputError(() => config.boolean('b'), /"b" is missing, but must be true or false/);
  await expectInputError(() => config.strings('s'), /"s" is "x", but must be a list of strings/);
  await expectInputError(() => config.section('s'), /must be an object/);
  await expectInputError(
    () => config.get('constructor') ?? config.string('constructor'),
    /is missing/,
  );
});

describe.skipIf(!hasShared)('real tokenizers', () => {
  let minilm: Tokenizer;
  let gpt2: Tokenizer;
  beforeAll(async () => {
    const load = async (file: string): Promise<Tokenizer> => {
      const bytes = new Uint8Array(await readFile(`${SHARED}models/${file}`));
      return loadTokenizer(memoryFolder(new Map([['tokenizer.json', bytes]])));
    };
    minilm = await load('bert-base-uncased-tokenizer/all-minilm-l6-v2-tokenizer.json');
    gpt2 = await load('gpt2-tokenizer/tokenizer.json');
  });

  test('MiniLM: accents, unknown characters, and a pair cut to length', () => {
    const text = 'Hello naïve café 世界 🤗 unbelievable!';
    const { ids } = minilm.encode(text);
    expect(ids).toEqual([101, 7592, 15743, 7668, 1745, 100, 100, 23653, 999, 102]);
    expect(minilm.decode(ids, { skipSpecialTokens: true })).toBe(
      'hello naive cafe 世 unbelievable!',
    );
    const pair = [
      'A man with a hard hat is dancing.',
      'A man wearing a hard hat, and unquestionably happy, is dancing.',
    ] as const;
    expect(minilm.encode(...pair, { maxLength: 16 })).toMatchObject({
      ids: [
        101, 1037, 2158, 2007, 1037, 2524, 6045, 102, 1037, 2158, 4147, 1037, 2524, 6045, 1010, 102,
      ],
      typeIds: [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1],
    });
    expect(minilm).toMatchObject({
      vocabularySize: 30522,
      padId: 0,
      clsId: 101,
      sepId: 102,
      maskId: 103,
    });
  });

  test('GPT-2: bytes come back exactly; pairs are not lost', () => {
    const text = "Hello naïve café 世界 🤗, don't  stop\n\n";
    const { ids } = gpt2.encode(text);
    expect(ids).toEqual([
      15496, 41492, 40304, 220, 10310, 244, 45911, 234, 12520, 97, 245, 11, 836, 470, 220, 2245,
      628,
    ]);
    expect(gpt2.decode(ids)).toBe(text);
    expect(
      gpt2.encode('First text', 'and a second one that is longer', { maxLength: 7 }),
    ).toMatchObject({
      ids: [5962, 2420, 392, 257, 1218, 530, 326],
      typeIds: [0, 0, 1, 1, 1, 1, 1],
    });
    expect(gpt2).toMatchObject({ vocabularySize: 50257, eosId: 50256, padId: undefined });
  });

  test('GPT-2: any text comes back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(gpt2.decode(gpt2.encode(text).ids)).toBe(text);
      }),
    );
  });
});
