import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeGlosses, writeGlosses } from '../src/data/glosses.ts';
import {
  definitionOf,
  lexicographerFiles,
  parseSynsets,
  readSynsets,
} from '../src/data/wordnet.ts';

const synsets = readSynsets();
const split = makeGlosses({}, synsets);

test('all 45 lexicographer files occur, and dog is an animal', () => {
  expect(new Set(synsets.map((s) => s.label))).toEqual(new Set(lexicographerFiles));
  expect(synsets.find((s) => s.definition.startsWith('a member of the genus Canis'))?.label).toBe(
    'noun.animal',
  );
});

test('examples are cut from definitions', () => {
  expect(definitionOf('a tangible entity; an entity that casts a shadow; "full of balls"')).toBe(
    'a tangible entity; an entity that casts a shadow',
  );
  expect(definitionOf('"no definition at all"')).toBe('');
});

test('a damaged line is refused', () => {
  expect(() => parseSynsets('00001740 99 n 01 entity 0 000 | a thing')).toThrow(
    'not a WordNet synset',
  );
});

test('the split is balanced, disjoint and the same every time', () => {
  const count = (rows: readonly { label: string }[], label: string): number =>
    rows.filter((row) => row.label === label).length;
  expect(split.labels.length).toBe(24);
  for (const label of split.labels) {
    expect(count(split.train, label)).toBe(160);
    expect(count(split.test, label)).toBe(40);
  }
  const train = new Set(split.train.map((row) => row.text.toLowerCase()));
  expect(split.test.filter((row) => train.has(row.text.toLowerCase()))).toEqual([]);
  expect(makeGlosses({}, synsets)).toEqual(split);
  expect(makeGlosses({ seed: 8 }, synsets).train).not.toEqual(split.train);
});

test('files have a header and two columns', () => {
  const paths = writeGlosses(split, mkdtempSync(join(tmpdir(), 'glosses-')));
  const lines = readFileSync(paths.test, 'utf8').trimEnd().split('\n');
  expect(lines[0]).toBe('text\tlabel');
  expect(lines.length).toBe(961);
  expect(lines.every((line) => line.split('\t').length === 2)).toBe(true);
});
