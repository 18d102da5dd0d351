/**
 * @file The directory of a zip file whose entries are stored without compression, which is how PyTorch writes
 * checkpoints; files over 4 GB (zip64) too. Nothing is unpacked and no name is used as a path.
 * Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
import { InputError } from '@camada/tensor';
import type { ByteSource } from '../bytes/source.ts';

/** Where an entry lies. */
export interface ZipEntry {
  /** First byte of its local header. */
  readonly header: number;
  /** Length in bytes. */
  readonly size: number;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

/** The end record, and the longest comment behind it. */
const END_BYTES = 22;
const MAX_TAIL = END_BYTES + 65535;

/** Whether a file begins as a zip file does. */
export async function isZip(source: ByteSource): Promise<boolean> {
  if (source.size < END_BYTES) return false;
  return (await viewOf(source, 0, 4)).getUint32(0, true) === LOCAL;
}

/** Entries by name. Throws `InputError` when the directory is damaged or an entry is compressed or encrypted. */
export async function readZip(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const { at, size, count } = await findDirectory(source);
  if (at + size > source.size || count * 46 > size)
    throw damaged(source, 'its directory does not fit into it');
  const view = await viewOf(source, at, size);
  const entries = new Map<string, ZipEntry>();
  for (let i = 0, place = 0; i < count; i++) {
    const { name, entry, next } = readEntry(source, view, place);
    if (entries.has(name)) throw damaged(source, `"${name}" is there twice`);
    entries.set(name, entry);
    place = next;
  }
  return entries;
}

/** Reads `length` bytes from byte `from` of an entry. Throws `InputError` when they are not inside it. */
export async function readEntryBytes(
  source: ByteSource,
  { header, size }: ZipEntry,
  from = 0,
  length: number = size - from,
): Promise<Uint8Array> {
  const local = await viewOf(source, header, 30);
  if (local.getUint32(0, true) !== LOCAL) throw damaged(source, `no entry begins at ${header}`);
  const start = header + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  if (from < 0 || length < 0 || from + length > size || start + size > source.size)
    throw damaged(source, `an entry at ${header} runs over its end`);
  return source.read(start + from, length);
}

interface Directory {
  readonly at: number;
  readonly size: number;
  readonly count: number;
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  const tail = Math.min(source.size, MAX_TAIL);
  const view = await viewOf(source, source.size - tail, tail);
  for (let at = tail - END_BYTES; at >= 0; at--) {
    if (view.getUint32(at, true) !== END) continue;
    const long = await longDirectory(source, source.size - tail + at);
    return (
      long ?? {
        count: view.getUint16(at + 10, true),
        size: view.getUint32(at + 12, true),
        at: view.getUint32(at + 16, true),
      }
    );
  }
  throw damaged(source, 'its directory is missing');
}

/** The directory by the records of zip64 before the end record; undefined where there are none. */
async function longDirectory(source: ByteSource, end: number): Promise<Directory | undefined> {
  if (end < 20) return undefined;
  const locator = await viewOf(source, end - 20, 20);
  if (locator.getUint32(0, true) !== END64_LOCATOR) return undefined;
  const at = long(source, locator, 8);
  if (at + 56 > source.size) throw damaged(source, 'its directory does not fit into it');
  const record = await viewOf(source, at, 56);
  if (record.getUint32(0, true) !== END64) throw damaged(source, 'its directory is missing');
  return {
    count: long(source, record, 32),
    size: long(source, record, 40),
    at: long(source, record, 48),
  };
}

function readEntry(
  source: ByteSource,
  view: DataView,
  at: number,
): { name: string; entry: ZipEntry; next: number } {
  const fits = (bytes: number): boolean => at + bytes <= view.byteLength;
  if (!fits(46) || view.getUint32(at, true) !== CENTRAL)
    throw damaged(source, 'its directory holds something else');
  const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((o) =>
    view.getUint16(at + o, true),
  ) as [number, number, number];
  const next = at + 46 + nameBytes + extraBytes + commentBytes;
  if (next > view.byteLength) throw damaged(source, 'its directory is cut short');
  const raw = new Uint8Array(view.buffer, view.byteOffset + at + 46, nameBytes);
  const name = new TextDecoder().decode(raw);
  const extra = new DataView(view.buffer, view.byteOffset + at + 46 + nameBytes, extraBytes);
  const [size, packed, header] = longFields(source, view, at, extra);
  if (view.getUint16(at + 8, true) & 1) throw damaged(source, `"${name}" is encrypted`);
  if (view.getUint16(at + 10, true) !== 0 || packed !== size)
    throw damaged(source, `"${name}" is compressed, which PyTorch does not do`);
  return { name, entry: { header, size }, next };
}

/** Size, packed size and place; those that are all ones are in the zip64 field, in this order. */
function longFields(
  source: ByteSource,
  view: DataView,
  at: number,
  extra: DataView,
): readonly [number, number, number] {
  let next = 0;
  let end = 0;
  for (let place = 0; place + 4 <= extra.byteLength;) {
    const length = extra.getUint16(place + 2, true);
    if (extra.getUint16(place, true) === 1) [next, end] = [place + 4, place + 4 + length];
    place += 4 + length;
  }
  const field = (offset: number): number => {
    const value = view.getUint32(at + offset, true);
    if (value !== 0xffffffff) return value;
    next += 8;
    if (next > end || next > extra.byteLength) throw damaged(source, 'a zip64 field is missing');
    return long(source, extra, next - 8);
  };
  return [field(24), field(20), field(42)];
}

function long(source: ByteSource, view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value <= BigInt(source.size)) return Number(value);
  throw damaged(source, `${value} is more than its ${source.size} bytes`);
}

async function viewOf(source: ByteSource, at: number, length: number): Promise<DataView> {
  const bytes = await source.read(at, length);
  return new DataView(bytes.buffer, bytes.byteOffset, length);
}

function damaged(source: ByteSource, problem: string): InputError {
  return new InputError(
    `${source.name} is a damaged zip file: ${problem}; download or write it again.`,
  );
}
