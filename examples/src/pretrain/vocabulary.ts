/**
 * @file Learns a WordPiece vocabulary: starting from characters, the most frequent neighbouring pair of pieces becomes a new
 * piece until the vocabulary is full (Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016,
 * algorithm 1), with the mark `##` on pieces that continue a word. Hugging Face's WordPiece trainer does the same.
 */
import { PairTable } from './pairs.ts';

/** The special tokens; their ids are their places here. */
export const specialTokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] as const;

/** What to learn. */
export interface VocabularyOptions {
  /** Pieces in all, the special tokens included. */
  readonly size: number;
  /** A character seen less often than this does not enter the alphabet: its words become `[UNK]`. */
  readonly minCharacterCount?: number;
}

/** Learns from word counts; returns the pieces in the order of their ids. The same counts give the same pieces. */
export function learnVocabulary(
  counts: ReadonlyMap<string, number>,
  options: VocabularyOptions,
): string[] {
  const known = frequentCharacters(counts, options.minCharacterCount ?? 20);
  const words = [...counts].filter(([word, n]) => n > 1 && [...word].every((c) => known.has(c)));
  const alphabet = new Set(words.flatMap(([word]) => charactersOf(word)));
  const pieces = [...specialTokens, ...[...alphabet].sort()];
  const ids = new Map(pieces.map((piece, id) => [piece, id]));
  const table = new PairTable(
    words.map(([word, count]) => ({
      pieces: charactersOf(word).map((c) => ids.get(c) ?? 1),
      count,
    })),
  );
  while (pieces.length < options.size) {
    const pair = table.mostFrequent();
    if (pair === undefined) break;
    const merged = join(pieces[pair[0]] ?? '', pieces[pair[1]] ?? '');
    const id = ids.get(merged) ?? pieces.push(merged) - 1;
    ids.set(merged, id);
    table.merge(pair, id);
  }
  return pieces;
}

/** `cat` as `c ##a ##t`. */
function charactersOf(word: string): string[] {
  return [...word].map((c, i) => (i === 0 ? c : `##${c}`));
}

function join(left: string, right: string): string {
  return left + right.replace(/^##/, '');
}

function frequentCharacters(counts: ReadonlyMap<string, number>, least: number): Set<string> {
  const seen = new Map<string, number>();
  for (const [word, n] of counts) for (const c of word) seen.set(c, (seen.get(c) ?? 0) + n);
  return new Set([...seen].filter(([, n]) => n >= least).map(([c]) => c));
}
