/**
 * @file Where bytes come from. A source is read by ranges, so that a checkpoint larger than memory can
 * be opened; every reader of this package takes one, so that a path in Node, a `File` picked in a
 * browser and bytes in memory are read by the same code.
 */
import { InputError } from '@camada/tensor';

/** Bytes of known length that are read by ranges. */
export interface ByteSource {
  /** What errors call it: a path or a file name. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * A fresh copy of `length` bytes from `offset`, on its own buffer from byte 0, so that it can be viewed
   * as any element type. Throws `InputError` where the range is not inside the source or cannot be read.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Throws `InputError` unless the range lies inside a source of `size` bytes. */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (whole && offset >= 0 && length >= 0 && offset + length <= size) return;
  throw new InputError(
    `${name}: bytes ${offset} to ${offset + length} were asked for, but the file holds ${size} bytes; ` +
      'it was cut short or changed while open, so download or write it again.',
  );
}

/** A source over bytes in memory; `read` copies, so that the caller's array stays its own. */
export function memorySource(bytes: Uint8Array, name = 'memory'): ByteSource {
  return {
    name,
    size: bytes.byteLength,
    async read(offset: number, length: number): Promise<Uint8Array> {
      checkRange(name, bytes.byteLength, offset, length);
      return new Uint8Array(bytes.subarray(offset, offset + length));
    },
  };
}

/** A source over a `Blob` or a `File` that a user picked in a browser; nothing is loaded before it is read. */
export function blobSource(blob: Blob, name?: string): ByteSource {
  const label = name ?? ('name' in blob && typeof blob.name === 'string' ? blob.name : 'blob');
  return {
    name: label,
    size: blob.size,
    async read(offset: number, length: number): Promise<Uint8Array> {
      checkRange(label, blob.size, offset, length);
      return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
    },
  };
}
