/**
 * @file The values of a GGUF header: numbers, strings and lists, read from a window of the file that grows until the
 * header fits. Every length is checked against what the file still holds before anything of it is allocated.
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import { InputError } from '@camada/tensor';
import { decodeUtf8 } from '../bytes/text.ts';

/** A list of numbers, in the type that the file has. */
export type NumberList =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

/** A value of the metadata; 64-bit integers that a number cannot hold are bigints. */
export type MetadataValue =
  number | bigint | boolean | string | NumberList | readonly MetadataValue[];

/** Deepest list within lists. */
const MAX_DEPTH = 4;

/** Thrown when the window ends before the header does: read a larger one. */
export class WindowEnd extends Error {
  /** Bytes that are needed at least, from the start of the file. */
  readonly needed: number;

  /** A window of `needed` bytes would go on. */
  constructor(needed: number) {
    super('the window of the header is too small');
    this.needed = needed;
  }
}

interface NumberType {
  readonly bytes: 1 | 2 | 4 | 8;
  read(view: DataView, at: number): number | bigint;
  list(buffer: ArrayBufferLike): NumberList;
}

const NUMBER_TYPES: ReadonlyMap<number, NumberType> = new Map<number, NumberType>([
  [0, { bytes: 1, read: (v, at) => v.getUint8(at), list: (b) => new Uint8Array(b) }],
  [1, { bytes: 1, read: (v, at) => v.getInt8(at), list: (b) => new Int8Array(b) }],
  [2, { bytes: 2, read: (v, at) => v.getUint16(at, true), list: (b) => new Uint16Array(b) }],
  [3, { bytes: 2, read: (v, at) => v.getInt16(at, true), list: (b) => new Int16Array(b) }],
  [4, { bytes: 4, read: (v, at) => v.getUint32(at, true), list: (b) => new Uint32Array(b) }],
  [5, { bytes: 4, read: (v, at) => v.getInt32(at, true), list: (b) => new Int32Array(b) }],
  [6, { bytes: 4, read: (v, at) => v.getFloat32(at, true), list: (b) => new Float32Array(b) }],
  [10, { bytes: 8, read: (v, at) => v.getBigUint64(at, true), list: (b) => new BigUint64Array(b) }],
  [11, { bytes: 8, read: (v, at) => v.getBigInt64(at, true), list: (b) => new BigInt64Array(b) }],
  [12, { bytes: 8, read: (v, at) => v.getFloat64(at, true), list: (b) => new Float64Array(b) }],
]);

const BOOL = 7;
const STRING = 8;
const LIST = 9;

/** Reads values one after the other from the start of a file. */
export class HeaderCursor {
  /** The next byte. */
  at = 0;
  /** What errors call the file. */
  readonly file: string;
  readonly #window: Uint8Array;
  readonly #view: DataView;
  readonly #fileSize: number;

  /** A cursor at the first byte of `window`, which is the beginning of a file of `fileSize` bytes. */
  constructor(window: Uint8Array, fileSize: number, file: string) {
    this.#window = window;
    this.#view = new DataView(window.buffer, window.byteOffset, window.byteLength);
    this.#fileSize = fileSize;
    this.file = file;
  }

  /** A number of four bytes. */
  u32(what: string): number {
    return this.#view.getUint32(this.#take(4, what), true);
  }

  /** A length of eight bytes. Throws `InputError` when it cannot be one. */
  length(what: string): number {
    const at = this.#take(8, what);
    const value = this.#view.getBigUint64(at, true);
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    throw this.broken(at, `${what} is ${value}, which no file can hold`);
  }

  /** How many things of at least `bytes` each follow. Throws `InputError` when the file is too short for them. */
  count(what: string, bytes: number): number {
    const at = this.at;
    const count = this.length(what);
    if (count * bytes <= this.#fileSize - this.at) return count;
    throw this.broken(at, `${what} is ${count}, but only ${this.#fileSize - this.at} bytes follow`);
  }

  /** A string. Throws `InputError` when it is not UTF-8 or runs over the end. */
  text(what: string): string {
    const length = this.count(`the length of ${what}`, 1);
    const at = this.#take(length, what);
    return decodeUtf8(this.#window.subarray(at, at + length), `${this.file}: ${what}`);
  }

  /** A value with its type in front. Throws `InputError` on a type that does not exist. */
  value(what: string): MetadataValue {
    return this.#typed(this.u32(`the type of ${what}`), what, 0);
  }

  /** The error for byte `at`. */
  broken(at: number, problem: string): InputError {
    return new InputError(
      `${this.file}: byte ${at}: ${problem}; the file is damaged, so download or write it again.`,
    );
  }

  #typed(type: number, what: string, depth: number): MetadataValue {
    const number = NUMBER_TYPES.get(type);
    if (number) return plain(number.read(this.#view, this.#take(number.bytes, what)));
    if (type === BOOL) return this.#bool(what);
    if (type === STRING) return this.text(what);
    if (type === LIST && depth < MAX_DEPTH) return this.#list(what, depth);
    throw this.broken(
      this.at,
      `${what} has the type ${type}, which is not known or nested too deep`,
    );
  }

  #bool(what: string): boolean {
    const at = this.#take(1, what);
    const value = this.#view.getUint8(at);
    if (value <= 1) return value === 1;
    throw this.broken(at, `${what} is ${value}; 0 and 1 are allowed`);
  }

  #list(what: string, depth: number): MetadataValue {
    const type = this.u32(`the element type of ${what}`);
    const number = NUMBER_TYPES.get(type);
    if (number) {
      const count = this.count(`the length of ${what}`, number.bytes);
      const at = this.#take(count * number.bytes, what);
      return number.list(this.#window.slice(at, at + count * number.bytes).buffer);
    }
    // A string or list takes 8 bytes or more, a bool one.
    const count = this.count(`the length of ${what}`, type === BOOL ? 1 : 8);
    const items: MetadataValue[] = [];
    for (let i = 0; i < count; i++) items.push(this.#typed(type, `${what}[${i}]`, depth + 1));
    return items;
  }

  /** Moves on by `bytes` and gives the place where they begin. */
  #take(bytes: number, what: string): number {
    const at = this.at;
    if (at + bytes > this.#fileSize)
      throw this.broken(at, `${what} takes ${bytes} bytes, but ${this.#fileSize - at} follow`);
    if (at + bytes > this.#window.byteLength) throw new WindowEnd(at + bytes);
    this.at += bytes;
    return at;
  }
}

function plain(value: number | bigint): number | bigint {
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
