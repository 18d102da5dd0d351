/**
 * @file How text becomes words before WordPiece: BERT's uncased normaliser and pre-tokeniser, as `tokenizer.json` describes
 * them (`BertNormalizer`, `BertPreTokenizer`), for the fast paths of learning a vocabulary and encoding a corpus.
 * Devlin et al., "BERT", 2019, https://github.com/google-research/bert#tokenization
 */

/** Every ASCII mark counts as punctuation, also those that Unicode calls symbols. */
const wordOrMark = /[^\s\p{P}$+<=>^`|~]+|[\p{P}$+<=>^`|~]/gu;

/** Lower-cased words and single punctuation marks, accents removed. */
export function splitWords(text: string): string[] {
  const normal = text
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '')
    .toLowerCase();
  return normal.match(wordOrMark) ?? [];
}

/** How often each word occurs in the texts. */
export function countWords(texts: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts)
    for (const word of splitWords(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
