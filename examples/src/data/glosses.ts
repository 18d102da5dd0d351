/**
 * @file The demo's task: "which kind of thing does this definition describe?" A balanced subset of WordNet's definitions,
 * each labelled with its lexicographer file, split by synset under a fixed seed, and written as TSV for the `camada` command.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom, shuffled } from './random.ts';
import { readSynsets, type Synset } from './wordnet.ts';

/** One labelled example. */
export interface Gloss {
  /** A definition, as in `a domesticated bovine animal`. */
  readonly text: string;
  /** The class: a lexicographer file, as in `noun.animal`. */
  readonly label: string;
}

/** What to take. */
export interface GlossOptions {
  /** Training definitions of each class. */
  readonly trainPerClass?: number;
  /** Held-out definitions of each class. */
  readonly testPerClass?: number;
  /** Only noun and verb classes with at least this many definitions take part. */
  readonly enough?: number;
  /** Seeds the choice and the split. */
  readonly seed?: number;
}

/** Disjoint, balanced, shuffled sets. */
export interface GlossSplit {
  readonly train: readonly Gloss[];
  readonly test: readonly Gloss[];
  /** The classes, sorted by name. */
  readonly labels: readonly string[];
}

/**
 * The demo's defaults: the 24 noun and verb classes that have at least 1,000 definitions, 160 definitions of each to learn
 * from and 40 to be judged by, so 3,840 and 960. The majority class (and chance) is 1/24 = 4.2 %. Adjectives and adverbs are
 * left out: their four files name a part of speech, not a kind of thing.
 */
export const glossDefaults: Required<GlossOptions> = {
  trainPerClass: 160,
  testPerClass: 40,
  enough: 1000,
  seed: 7,
};

/** Draws the balanced subset. A definition that several synsets share is left out, so no text is on both sides. */
export function makeGlosses(
  options: GlossOptions = {},
  synsets: readonly Synset[] = readSynsets(),
): GlossSplit {
  const { trainPerClass, testPerClass, enough, seed } = { ...glossDefaults, ...options };
  const classes = [...byLabel(usable(synsets))]
    .filter(([, members]) => members.length >= Math.max(enough, trainPerClass + testPerClass))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const drawn = classes.map(([, members], i) => shuffled(members, seededRandom(seed, i)));
  const rows = (from: number, to: number): Gloss[] =>
    shuffled(
      drawn.flatMap((members) => members.slice(from, to)),
      seededRandom(seed, 1000 + from),
    ).map((synset) => ({ text: synset.definition, label: synset.label }));
  return {
    train: rows(0, trainPerClass),
    test: rows(trainPerClass, trainPerClass + testPerClass),
    labels: classes.map(([label]) => label),
  };
}

/** Writes `train.tsv` and `test.tsv` with the header `text, label`; returns their paths. */
export function writeGlosses(split: GlossSplit, folder: string): { train: string; test: string } {
  mkdirSync(folder, { recursive: true });
  const paths = { train: join(folder, 'train.tsv'), test: join(folder, 'test.tsv') };
  writeFileSync(paths.train, toTsv(split.train));
  writeFileSync(paths.test, toTsv(split.test));
  return paths;
}

/** Definitions hold neither tabs nor quotes (the parser cut them), so no field needs quoting. */
function toTsv(rows: readonly Gloss[]): string {
  return ['text\tlabel', ...rows.map((row) => `${row.text}\t${row.label}`)].join('\n') + '\n';
}

/** Nouns and verbs with a definition of three words or more that no other synset has. */
function usable(synsets: readonly Synset[]): Synset[] {
  const seen = new Map<string, number>();
  const key = (synset: Synset): string => synset.definition.toLowerCase();
  for (const synset of synsets) seen.set(key(synset), (seen.get(key(synset)) ?? 0) + 1);
  return synsets.filter(
    (synset) =>
      /^(noun|verb)\./.test(synset.label) &&
      seen.get(key(synset)) === 1 &&
      synset.definition.split(' ').length >= 3,
  );
}

function byLabel(synsets: readonly Synset[]): Map<string, Synset[]> {
  const classes = new Map<string, Synset[]>();
  for (const synset of synsets) {
    const members = classes.get(synset.label);
    if (members === undefined) classes.set(synset.label, [synset]);
    else members.push(synset);
  }
  return classes;
}
