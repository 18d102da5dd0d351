/**
 * @file Counts of neighbouring pairs in a list of words, kept up to date while pairs are merged: only the words that hold
 * the merged pair are recounted, and a heap with stale entries finds the most frequent pair.
 */

/** Two piece ids, left and right. */
export type Pair = readonly [number, number];

/** A word as piece ids, and how often it occurs. */
export interface CountedWord {
  pieces: number[];
  readonly count: number;
}

/** A pair as one number; piece ids stay below 2^20. */
const shift = 2 ** 20;

/** See the file's head. */
export class PairTable {
  private readonly words: readonly CountedWord[];
  private readonly counts = new Map<number, number>();
  private readonly holders = new Map<number, Set<number>>();
  private readonly heap = new Heap();

  constructor(words: readonly CountedWord[]) {
    this.words = words;
    words.forEach((word, i) => this.add(word, i, 1));
    for (const [key, count] of this.counts) this.heap.push(count, key);
  }

  /** The most frequent pair (ties: the smaller ids), or undefined when no pair occurs twice. */
  mostFrequent(): Pair | undefined {
    for (let top = this.heap.pop(); top !== undefined; top = this.heap.pop()) {
      if (top.count < 2) return undefined;
      if (this.counts.get(top.key) === top.count)
        return [Math.floor(top.key / shift), top.key % shift];
    }
    return undefined;
  }

  /** Replaces the pair by one piece in every word. */
  merge(pair: Pair, piece: number): void {
    const changed = new Set<number>();
    for (const i of [...(this.holders.get(keyOf(pair[0], pair[1])) ?? [])]) {
      const word = this.words[i] as CountedWord;
      this.add(word, i, -1, changed);
      word.pieces = replacePair(word.pieces, pair, piece);
      this.add(word, i, 1, changed);
    }
    for (const key of changed) this.heap.push(this.counts.get(key) ?? 0, key);
  }

  private add(word: CountedWord, index: number, sign: 1 | -1, changed?: Set<number>): void {
    for (let i = 0; i + 1 < word.pieces.length; i++) {
      const key = keyOf(word.pieces[i] ?? 0, word.pieces[i + 1] ?? 0);
      this.counts.set(key, (this.counts.get(key) ?? 0) + sign * word.count);
      const holders = this.holders.get(key) ?? new Set();
      if (sign > 0) this.holders.set(key, holders.add(index));
      else holders.delete(index);
      changed?.add(key);
    }
  }
}

function keyOf(left: number, right: number): number {
  return left * shift + right;
}

function replacePair(pieces: readonly number[], [left, right]: Pair, merged: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < pieces.length; i++) {
    const hit = pieces[i] === left && pieces[i + 1] === right;
    result.push(hit ? merged : (pieces[i] ?? 0));
    if (hit) i++;
  }
  return result;
}

interface Entry {
  readonly count: number;
  readonly key: number;
}

/** A binary heap, largest count first, then smallest key (Knuth, TAOCP vol. 3, 5.2.3). */
class Heap {
  private readonly items: Entry[] = [];

  push(count: number, key: number): void {
    const items = this.items;
    let i = items.push({ count, key }) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.above(i, parent)) break;
      this.swap(i, parent);
      i = parent;
    }
  }

  pop(): Entry | undefined {
    const top = this.items[0];
    const last = this.items.pop();
    if (this.items.length > 0 && last !== undefined) {
      this.items[0] = last;
      this.sink(0);
    }
    return top;
  }

  private sink(start: number): void {
    for (let i = start; ;) {
      let best = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < this.items.length && this.above(child, best)) best = child;
      if (best === i) return;
      this.swap(i, best);
      i = best;
    }
  }

  private above(i: number, j: number): boolean {
    const a = this.items[i] as Entry;
    const b = this.items[j] as Entry;
    return a.count > b.count || (a.count === b.count && a.key < b.key);
  }

  private swap(i: number, j: number): void {
    const kept = this.items[i] as Entry;
    this.items[i] = this.items[j] as Entry;
    this.items[j] = kept;
  }
}
