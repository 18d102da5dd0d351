/** @file A short number for the content of a host array: equal contents have equal numbers (FNV-1a, 32 bits). */
import type { TypedArray } from '../dtype.ts';

/** FNV-1a over the bytes of an array. */
export function digest(data: TypedArray): number {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
