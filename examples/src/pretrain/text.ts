/**
 * @file From the corpus to what training reads: a vocabulary, a stream of ids to learn from and one that is held out.
 */
import { readCorpus, type Passage } from './corpus.ts';
import { learnVocabulary } from './vocabulary.ts';
import { countWords } from './words.ts';
import { WordPieceEncoder } from './wordpiece.ts';

/** The prepared text. */
export interface PretrainingText {
  /** The vocabulary in the order of its ids. */
  readonly pieces: readonly string[];
  /** Token ids to learn from. */
  readonly train: Int32Array;
  /** Token ids that training never sees. */
  readonly heldOut: Int32Array;
}

/** Every 50th passage (2 %) is held out, before the vocabulary is learnt. */
const heldOutEvery = 50;

/** Reads the corpus, learns `vocabularySize` pieces from its training part and encodes both parts; a few seconds. */
export function prepareText(
  vocabularySize: number,
  corpus: readonly Passage[] = readCorpus(),
): PretrainingText {
  const texts = corpus.map((passage) => passage.text);
  const train = texts.filter((_, i) => i % heldOutEvery !== 0);
  const heldOut = texts.filter((_, i) => i % heldOutEvery === 0);
  const pieces = learnVocabulary(countWords(train), { size: vocabularySize });
  const encoder = new WordPieceEncoder(pieces);
  const encode = (parts: readonly string[]): Int32Array =>
    Int32Array.from(parts.flatMap((text) => encoder.encode(text)));
  return { pieces, train: encode(train), heldOut: encode(heldOut) };
}
