/**
 * @file The structure of a graph as integers: a record for each node, equal records shared, and a short name
 * for the whole. Hashes only find candidates; what is taken for equal has been compared in full.
 */

/** Numbers for texts, the same in every trace. */
const texts = new Map<string, number>();

/** The number of a text. */
export function textId(text: string): number {
  let id = texts.get(text);
  if (id === undefined) texts.set(text, (id = texts.size));
  return id;
}

/** Structures that have a name; the least recently used loses its own. */
const NAMED = 512;

interface Named {
  readonly words: Int32Array;
  readonly hash: number;
  readonly name: string;
}

const byHash = new Map<number, Named[]>();
const recent = new Set<Named>();
let named = 0;

const bits = new Float64Array(1);
const halves = new Int32Array(bits.buffer);

/** Where records are written; one structure is built at a time. */
let words = new Int32Array(1 << 16);

/** Records of integers, one after the other. */
export class Structure {
  private used = 0;
  /** Where each record ends. */
  private readonly ends: number[] = [];
  /** The latest record of each hash, and for each record the one before it of the same hash. */
  private readonly latest = new Map<number, number>();
  private readonly before: number[] = [];

  /** Appends to the record being written. */
  push(word: number): void {
    if (this.used === words.length) {
      const larger = new Int32Array(2 * words.length);
      larger.set(words);
      words = larger;
    }
    words[this.used++] = word;
  }

  /** Appends a list with its length. */
  pushAll(list: readonly number[]): void {
    this.push(list.length);
    for (let i = 0; i < list.length; i++) this.push(list[i]!);
  }

  /** Appends the bits of a number: −0 and 0 differ, NaN is NaN. */
  pushNumber(value: number): void {
    bits[0] = value;
    this.push(halves[0]!);
    this.push(halves[1]!);
  }

  /** Ends the record. With `share`, an equal earlier one takes its place. Returns the record's number. */
  end(share: boolean): number {
    const id = this.ends.length;
    const start = this.start(id);
    if (share) {
      const hash = hashOf(start, this.used);
      const newest = this.latest.get(hash) ?? -1;
      for (let other = newest; other >= 0; other = this.before[other]!)
        if (this.equals(other, start)) {
          this.used = start;
          return other;
        }
      this.before.push(newest);
      this.latest.set(hash, id);
    } else this.before.push(-1);
    this.ends.push(this.used);
    return id;
  }

  private start(id: number): number {
    return id === 0 ? 0 : this.ends[id - 1]!;
  }

  private equals(other: number, start: number): boolean {
    const from = this.start(other);
    const length = this.ends[other]! - from;
    if (length !== this.used - start) return false;
    for (let i = 0; i < length; i++) if (words[from + i] !== words[start + i]) return false;
    return true;
  }

  /** The name of all records together: the same for the same structure, different for different ones. */
  name(): string {
    const hash = hashOf(0, this.used);
    const known = byHash.get(hash)?.find((other) => equalWords(other.words, this.used));
    const found = known ?? this.enter(hash);
    recent.delete(found);
    recent.add(found);
    return found.name;
  }

  private enter(hash: number): Named {
    const entry = { words: words.slice(0, this.used), hash, name: `program ${named++}` };
    byHash.set(hash, [...(byHash.get(hash) ?? []), entry]);
    if (recent.size >= NAMED) forget(recent.values().next().value!);
    return entry;
  }
}

function forget(entry: Named): void {
  recent.delete(entry);
  const rest = byHash.get(entry.hash)!.filter((other) => other !== entry);
  if (rest.length > 0) byHash.set(entry.hash, rest);
  else byHash.delete(entry.hash);
}

function hashOf(start: number, end: number): number {
  let hash = end - start;
  for (let i = start; i < end; i++) {
    hash = Math.imul(hash ^ words[i]!, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

function equalWords(other: Int32Array, used: number): boolean {
  if (other.length !== used) return false;
  for (let i = 0; i < used; i++) if (other[i] !== words[i]) return false;
  return true;
}
