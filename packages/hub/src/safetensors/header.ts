/**
 * @file The header of a safetensors file, read and checked in full before any tensor is: 8 bytes of
 * length (little-endian), that many bytes of JSON, then the data. Every number in it is untrusted: the
 * length is bounded before the header is allocated, and the tensors must tile the data exactly.
 * Format: https://huggingface.co/docs/safetensors
 */
import { InputError } from '@camada/tensor';
import { type ByteSource } from '../bytes/source.ts';
import { decodeUtf8, describe, isRecord, parseJsonRecord, type JsonRecord } from '../bytes/text.ts';
import { duplicateKey } from './keys.ts';
import { STORED_BITS } from './types.ts';

/** Longest header accepted, in bytes; the limit of the format's own reader. */
const MAX_HEADER = 100_000_000;

/** Where a tensor lies: `begin` and `end` count bytes from the start of the data. */
export interface HeaderEntry {
  /** Element type by its name in the file, such as `F32` or `BF16`. */
  readonly dtype: string;
  /** Lengths of the axes. */
  readonly shape: readonly number[];
  /** First byte. */
  readonly begin: number;
  /** One past the last byte. */
  readonly end: number;
}

/** A checked header. */
export interface Header {
  /** Tensors by name, in the file's order. */
  readonly entries: ReadonlyMap<string, HeaderEntry>;
  /** The `__metadata__` strings. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Where the data starts, in bytes from the start of the file. */
  readonly dataStart: number;
}

/** Reads and checks the header of a source. Throws `InputError` with the file, the place and the remedy. */
export async function readHeader(source: ByteSource): Promise<Header> {
  const length = await headerLength(source);
  const text = decodeUtf8(await source.read(8, length), `${source.name}: header`);
  const record = parseJsonRecord(text, `${source.name}: header`);
  const twice = duplicateKey(text);
  if (twice !== undefined) {
    throw new InputError(
      `${source.name}: header names "${twice}" twice; write the file again with distinct names.`,
    );
  }
  const entries = readEntries(record, source.name);
  checkTiling(entries, source.size - 8 - length, source.name);
  return { entries, metadata: readMetadata(record, source.name), dataStart: 8 + length };
}

async function headerLength(source: ByteSource): Promise<number> {
  const damaged = 'the file is damaged or not safetensors, so download or write it again.';
  if (source.size < 8) {
    throw new InputError(
      `${source.name} holds ${source.size} bytes, too few for a header; ${damaged}`,
    );
  }
  const bytes = await source.read(0, 8);
  const length = new DataView(bytes.buffer).getBigUint64(0, true);
  if (length <= BigInt(Math.min(MAX_HEADER, source.size - 8))) return Number(length);
  throw new InputError(
    `${source.name}: bytes 0 to 8 announce a header of ${length} bytes, but ${source.size - 8} follow ` +
      `and ${MAX_HEADER} are allowed; ${damaged}`,
  );
}

function readEntries(record: JsonRecord, file: string): Map<string, HeaderEntry> {
  const entries = new Map<string, HeaderEntry>();
  for (const [name, value] of Object.entries(record)) {
    if (name !== '__metadata__') entries.set(name, readEntry(value, `${file}: tensor "${name}"`));
  }
  return entries;
}

function readEntry(value: unknown, place: string): HeaderEntry {
  if (!isRecord(value)) throw broken(place, `is ${describe(value)} instead of an object`);
  const dtype = value['dtype'];
  const bits = typeof dtype === 'string' ? STORED_BITS.get(dtype) : undefined;
  if (typeof dtype !== 'string' || bits === undefined) {
    throw broken(place, `has the unknown element type ${describe(dtype)}`);
  }
  const shape = readShape(value['shape'], place);
  const [begin, end] = readOffsets(value['data_offsets'], place);
  const bytes = byteCount(shape, bits, place);
  if (end - begin === bytes) return { dtype, shape, begin, end };
  throw broken(
    place,
    `of shape [${shape.join(', ')}] and type ${dtype} needs ${bytes} bytes, but data_offsets give ${end - begin}`,
  );
}

function readShape(value: unknown, place: string): readonly number[] {
  if (Array.isArray(value) && value.every(isCount)) return value;
  throw broken(place, `has shape ${describe(value)}; whole numbers from 0 are allowed`);
}

function readOffsets(value: unknown, place: string): readonly [number, number] {
  if (Array.isArray(value) && value.length === 2) {
    const [begin, end]: readonly unknown[] = value;
    if (isCount(begin) && isCount(end) && begin <= end) return [begin, end];
  }
  throw broken(place, `has data_offsets ${describe(value)}; two growing whole numbers are allowed`);
}

/** Bytes that a shape takes. Throws `InputError` where the count overflows or ends inside a byte. */
function byteCount(shape: readonly number[], bits: number, place: string): number {
  let total = bits;
  for (const length of shape) {
    total *= length;
    if (!Number.isSafeInteger(total)) throw broken(place, `has a shape too large to exist`);
  }
  if (total % 8 === 0) return total / 8;
  throw broken(place, 'ends inside a byte');
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** The tensors must cover the data without overlap, hole or remainder, as the format demands. */
function checkTiling(entries: ReadonlyMap<string, HeaderEntry>, size: number, file: string): void {
  const order = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let position = 0;
  for (const [name, { begin, end }] of order) {
    const place = `${file}: tensor "${name}"`;
    if (begin < position) throw broken(place, `overlaps the one before it at data byte ${begin}`);
    if (begin > position)
      throw broken(place, `leaves a hole at data bytes ${position} to ${begin}`);
    if (end > size)
      throw broken(place, `ends at data byte ${end}, but the data hold ${size} bytes`);
    position = end;
  }
  if (position < size) throw broken(file, `has ${size - position} bytes that belong to no tensor`);
}

function readMetadata(record: JsonRecord, file: string): Readonly<Record<string, string>> {
  const value = record['__metadata__'] ?? {};
  const pairs = isRecord(value) ? Object.entries(value) : undefined;
  if (pairs?.every((pair): pair is [string, string] => typeof pair[1] === 'string')) {
    return Object.fromEntries(pairs);
  }
  throw broken(`${file}: __metadata__`, `is ${describe(value)}; an object of strings is allowed`);
}

function broken(place: string, problem: string): InputError {
  return new InputError(`${place} ${problem}; the file is damaged, so download or write it again.`);
}
