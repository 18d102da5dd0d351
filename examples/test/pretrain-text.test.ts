import { Tokenizer } from '@huggingface/tokenizers';
import { expect, test } from 'vitest';
import { passagesOf, readCorpus, untag } from '../src/pretrain/corpus.ts';
import { MaskedBatches } from '../src/pretrain/masking.ts';
import { learnVocabulary } from '../src/pretrain/vocabulary.ts';
import { countWords, splitWords } from '../src/pretrain/words.ts';
import {
  special,
  tokenizerConfig,
  tokenizerJson,
  WordPieceEncoder,
} from '../src/pretrain/wordpiece.ts';

const corpus = readCorpus();
const some = corpus.filter((_, i) => i % 10 === 0).map((passage) => passage.text);
const pieces = learnVocabulary(countWords(some), { size: 2000 });
const encoder = new WordPieceEncoder(pieces);

test('the corpus is whole and clean', () => {
  const words = (source: string): number =>
    corpus.filter((p) => p.source === source).reduce((sum, p) => sum + p.text.split(' ').length, 0);
  expect(words('brown')).toBeGreaterThan(1_000_000);
  expect(words('sotu')).toBeGreaterThan(1_700_000);
  expect(words('moby-dick')).toBeGreaterThan(200_000);
  expect(corpus.filter((p) => p.source === 'brown' && /\/(nn|at|jj)\b/.test(p.text))).toEqual([]);
});

test('tags go and punctuation closes up', () => {
  expect(untag("The/at jury/nn said/vbd ,/, ``/`` no/rb 1\\/2/cd ?/. ?/. ''/''")).toBe(
    'The jury said, "no 1\\/2?"',
  );
  expect(passagesOf('sotu', 'One two. Three four! five. Six', 2).map((p) => p.text)).toEqual([
    'One two.',
    'Three four! five.',
    'Six',
  ]);
});

test('pieces are the frequent pairs: a worked example', () => {
  // hug 10, pug 5, hugs 5: u+g occurs 20 times, h+ug 15, then p+ug and hug+s 5 each (the smaller id first).
  const counts = new Map([
    ['hug', 10],
    ['pug', 5],
    ['hugs', 5],
  ]);
  const learnt = learnVocabulary(counts, { size: 100, minCharacterCount: 1 });
  expect(learnt.slice(5, 10)).toEqual(['##g', '##s', '##u', 'h', 'p']);
  expect(learnt.slice(10)).toEqual(['##ug', 'hug', 'pug', 'hugs']);
});

test('our encoder gives the ids of the tokenizers library for the file we write', () => {
  const library = new Tokenizer(tokenizerJson(pieces), tokenizerConfig(64));
  const texts = [...some.slice(0, 300), 'Crème brûlée, £5 & co. <naïve> 我', ''];
  for (const text of texts)
    expect([special.cls, ...encoder.encode(text), special.sep]).toEqual(library.encode(text).ids);
  expect(library.decode(encoder.encode('A whale, sir!'))).toBe('a whale, sir!');
  expect(splitWords("Don't")).toEqual(['don', "'", 't']);
});

const ids = Int32Array.from(some.flatMap((text) => encoder.encode(text)));
const options = { batchSize: 8, sequence: 32, share: 0.15, vocabularySize: 2000, seed: 3 };

test('a batch hides what it asks for, in one shape, and nothing else', () => {
  const { inputs, positions, labels } = new MaskedBatches(ids, options).batch(5);
  expect([inputs.length, positions.length, labels.length]).toEqual([256, 40, 40]); // round(0.15 * 30) = 5 a row
  const restored = Int32Array.from(inputs);
  positions.forEach((place, k) => (restored[place] = labels[k] ?? 0));
  for (let row = 0; row < 8; row++) {
    const text = [...restored.subarray(row * 32 + 1, row * 32 + 31)];
    expect(restored[row * 32]).toBe(special.cls);
    expect(restored[row * 32 + 31]).toBe(special.sep);
    expect(text.includes(special.mask)).toBe(false);
    expect(` ${ids.join(' ')} `).toContain(` ${text.join(' ')} `);
  }
});

test('of the chosen tokens about 80 % are masked, 10 % replaced, 10 % kept', () => {
  const batches = new MaskedBatches(ids, options);
  let masked = 0;
  let kept = 0;
  let total = 0;
  for (let n = 0; n < 100; n++) {
    const { inputs, positions, labels } = batches.batch(n);
    positions.forEach((place, k) => {
      total++;
      if (inputs[place] === special.mask) masked++;
      else if (inputs[place] === labels[k]) kept++;
    });
  }
  expect(masked / total).toBeCloseTo(0.8, 1);
  expect(kept / total).toBeCloseTo(0.1, 1);
});

test('batches depend on the seed and their number alone, and an epoch repeats no sequence', () => {
  const batches = new MaskedBatches(ids, options);
  const far = Math.ceil(batches.sequences / 8) + 2;
  const late = batches.batch(far);
  batches.batch(0);
  expect(batches.batch(far)).toEqual(late);
  expect(new MaskedBatches(ids, options).batch(far)).toEqual(late);
  expect(new MaskedBatches(ids, { ...options, seed: 4 }).batch(far)).not.toEqual(late);
  expect(() => new MaskedBatches(ids.subarray(0, 40), options)).toThrow('too few');
});
