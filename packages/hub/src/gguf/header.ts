/**
 * @file The header of a GGUF file, version 2 or 3: metadata, and where every tensor lies. All of it is checked before a
 * tensor is read. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import { InputError } from '@camada/tensor';
import type { ByteSource } from '../bytes/source.ts';
import { BLOCK_FORMATS, TYPE_NAMES, type GgufType } from './blocks.ts';
import { HeaderCursor, WindowEnd, type MetadataValue } from './metadata.ts';

/** Where a tensor lies. */
export interface GgufEntry {
  readonly type: GgufType;
  /** Lengths of the axes, the last one contiguous (the file counts them the other way round). */
  readonly shape: readonly number[];
  /** First byte, from the start of the file. */
  readonly begin: number;
  /** Length in bytes. */
  readonly bytes: number;
}

/** A checked header. */
export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  /** Tensors by their name in the file, in its order. */
  readonly entries: ReadonlyMap<string, GgufEntry>;
}

/** `GGUF` as a little-endian number. */
export const MAGIC = 0x46554747;

/** Most axes of a tensor (`GGML_MAX_DIMS`). */
const MAX_AXES = 4;

/** Bytes of the first look; most headers without a vocabulary fit. */
const FIRST_WINDOW = 2 ** 20;

/** Reads and checks the header of a source. Throws `InputError` with the file, the place and the remedy. */
export async function readGgufHeader(source: ByteSource): Promise<GgufHeader> {
  for (let size = FIRST_WINDOW; ; size *= 4) {
    const window = await source.read(0, Math.min(size, source.size));
    try {
      return parseHeader(new HeaderCursor(window, source.size, source.name), source);
    } catch (error) {
      if (!(error instanceof WindowEnd)) throw error;
      size = Math.max(size, error.needed);
    }
  }
}

function parseHeader(cursor: HeaderCursor, source: ByteSource): GgufHeader {
  const version = readVersion(cursor, source);
  const tensors = cursor.count('the number of tensors', 24);
  const pairs = cursor.count('the number of metadata', 13);
  const metadata = new Map<string, MetadataValue>();
  for (let i = 0; i < pairs; i++) {
    const at = cursor.at;
    const key = cursor.text(`key ${i}`);
    if (metadata.has(key)) throw cursor.broken(at, `the key "${key}" is there twice`);
    metadata.set(key, cursor.value(`"${key}"`));
  }
  const found = Array.from({ length: tensors }, (_, i) => readInfo(cursor, i));
  const alignment = readAlignment(metadata, source.name);
  const start = Math.ceil(cursor.at / alignment) * alignment;
  return { version, metadata, entries: placeTensors(found, start, alignment, source) };
}

function readVersion(cursor: HeaderCursor, { name, size }: ByteSource): number {
  if (size < 24 || cursor.u32('the magic') !== MAGIC) {
    throw new InputError(
      `${name} does not begin with GGUF; it is another kind of file or damaged, so check the path or download it again.`,
    );
  }
  const version = cursor.u32('the version');
  if (version === 2 || version === 3) return version;
  const swapped = version > 0xffffff ? ' (it is big-endian)' : '';
  throw new InputError(
    `${name} is GGUF of version ${version}${swapped}; little-endian files of version 2 and 3 are read, so convert it again.`,
  );
}

interface Info extends Pick<GgufEntry, 'type' | 'shape' | 'bytes'> {
  readonly name: string;
  readonly offset: number;
}

function readInfo(cursor: HeaderCursor, index: number): Info {
  const at = cursor.at;
  const name = cursor.text(`the name of tensor ${index}`);
  const axes = cursor.u32(`the axes of tensor "${name}"`);
  if (axes > MAX_AXES)
    throw cursor.broken(at, `tensor "${name}" has ${axes} axes; ${MAX_AXES} are allowed`);
  const shape: number[] = [];
  for (let axis = 0; axis < axes; axis++) shape.unshift(cursor.length(`axis ${axis} of "${name}"`));
  const type = readType(cursor, name);
  const bytes = byteCount(cursor, at, name, shape, type);
  return { name, type, shape, bytes, offset: cursor.length(`the offset of "${name}"`) };
}

function readType(cursor: HeaderCursor, name: string): GgufType {
  const id = cursor.u32(`the type of "${name}"`);
  const type = TYPE_NAMES.get(id);
  if (type) return type;
  throw new InputError(
    `${cursor.file}: tensor "${name}" has the element type number ${id}; ` +
      `${[...TYPE_NAMES.values()].join(', ')} are read, so take a file in one of these.`,
  );
}

function byteCount(
  cursor: HeaderCursor,
  at: number,
  name: string,
  shape: readonly number[],
  type: GgufType,
): number {
  const { blockSize, blockBytes } = BLOCK_FORMATS[type];
  const row = shape.at(-1) ?? 1;
  if (row % blockSize !== 0) {
    throw cursor.broken(
      at,
      `tensor "${name}" has rows of ${row} elements, but blocks of ${type} hold ${blockSize}`,
    );
  }
  let bytes = blockBytes / blockSize;
  for (const length of shape) bytes *= length;
  if (Number.isSafeInteger(bytes) || shape.length === 0) return bytes;
  throw cursor.broken(at, `tensor "${name}" of shape [${shape.join(', ')}] is too large to exist`);
}

function readAlignment(metadata: ReadonlyMap<string, MetadataValue>, file: string): number {
  const value = metadata.get('general.alignment') ?? 32;
  const usable = typeof value === 'number' && Number.isInteger(value) && value >= 8;
  if (usable && value <= 2 ** 20 && value % 8 === 0) return value;
  throw new InputError(
    `${file}: "general.alignment" is ${String(value)}; a multiple of 8 up to 1048576 is allowed, so write it again.`,
  );
}

/** Tensors must be aligned, inside the file, and apart from each other. */
function placeTensors(
  found: readonly Info[],
  start: number,
  alignment: number,
  source: ByteSource,
): Map<string, GgufEntry> {
  const entries = new Map<string, GgufEntry>();
  for (const { name, offset, type, shape, bytes } of found) {
    const begin = start + offset;
    const place = `${source.name}: tensor "${name}"`;
    if (entries.has(name)) throw misplaced(place, 'is there twice');
    if (offset % alignment !== 0)
      throw misplaced(place, `begins at ${offset}, no multiple of ${alignment}`);
    if (begin + bytes > source.size)
      throw misplaced(
        place,
        `ends at byte ${begin + bytes}, but the file holds ${source.size} bytes`,
      );
    entries.set(name, { type, shape, begin, bytes });
  }
  checkApart(entries, source.name);
  return entries;
}

function checkApart(entries: ReadonlyMap<string, GgufEntry>, file: string): void {
  const order = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.bytes - b.bytes);
  let end = 0;
  for (const [name, { begin, bytes }] of order) {
    if (begin < end) throw misplaced(`${file}: tensor "${name}"`, 'overlaps the one before it');
    end = begin + bytes;
  }
}

function misplaced(place: string, problem: string): InputError {
  return new InputError(
    `${place} ${problem}; the file is damaged or cut short, so download it again.`,
  );
}
