/**
 * @file Writing safetensors. Files equal those of the format's own writer byte for byte: wide types first
 * and names sorted within a type (so that every tensor is aligned), header padded with spaces to 8 bytes.
 */
import { InputError } from '@camada/tensor';
import { writeFile } from '../bytes/write.ts';
import { encodeStored, storedName, type TensorData } from './types.ts';

/** Tensors to write: a map, pairs, or an object. */
export type TensorEntries =
  Iterable<readonly [string, TensorData]> | Readonly<Record<string, TensorData>>;

/** What PyTorch's side expects to find in `__metadata__`. */
export const PT_METADATA: Readonly<Record<string, string>> = { format: 'pt' };

/** What a header says of a tensor. */
export interface StoredShape {
  readonly name: string;
  /** Element type by its name in the file. */
  readonly stored: string;
  readonly shape: readonly number[];
  readonly byteLength: number;
}

/** One tensor ready to store. */
interface EncodedTensor extends StoredShape {
  readonly bytes: Uint8Array;
}

/**
 * The bytes of a safetensors file, in chunks: header, then every tensor. Throws `InputError` on a name
 * given twice, on data that do not fill their shape, and on an array that does not go with its dtype.
 */
export function encodeSafetensors(
  entries: TensorEntries,
  metadata: Readonly<Record<string, string>> = PT_METADATA,
): Uint8Array[] {
  const tensors = encodeTensors(entries);
  return [headerOf(tensors, metadata), ...tensors.map(({ bytes }) => bytes)];
}

/** Writes one safetensors file, whole or not at all. Throws `InputError` as `encodeSafetensors` does. */
export async function writeSafetensors(
  path: string,
  entries: TensorEntries,
  metadata: Readonly<Record<string, string>> = PT_METADATA,
): Promise<void> {
  await writeFile(path, encodeSafetensors(entries, metadata));
}

/** Encodes tensors and puts them in the order of the file. Throws `InputError` on bad entries. */
export function encodeTensors(entries: TensorEntries): EncodedTensor[] {
  const pairs = isIterable(entries) ? [...entries] : Object.entries(entries);
  const seen = new Set<string>(['__metadata__']);
  const encoded = pairs.map(([name, tensor]) => {
    if (seen.has(name))
      throw new InputError(`The tensor name "${name}" is taken; rename one of the two.`);
    seen.add(name);
    return encodeTensor(name, tensor);
  });
  return fileOrder(encoded);
}

/** Tensors in the order of a file, so that each is aligned. */
export function fileOrder<T extends StoredShape>(tensors: readonly T[]): T[] {
  return [...tensors].sort((a, b) => rank(a) - rank(b) || compare(a.name, b.name));
}

function isIterable(entries: TensorEntries): entries is Iterable<readonly [string, TensorData]> {
  return Symbol.iterator in entries;
}

/** Types in the order of the format's own writer. */
const ORDER: readonly string[] = ['F32', 'U32', 'I32', 'BF16', 'F16', 'BOOL'];

function rank({ stored }: StoredShape): number {
  return ORDER.indexOf(stored);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function encodeTensor(name: string, tensor: TensorData): EncodedTensor {
  const place = `Tensor "${name}"`;
  const size = tensor.shape.reduce((total, length) => total * length, 1);
  if (tensor.data.length !== size) {
    throw new InputError(
      `${place} of shape [${tensor.shape.join(', ')}] needs ${size} elements, but ${tensor.data.length} were given.`,
    );
  }
  const stored = storedName(tensor.dtype);
  const bytes = encodeStored(tensor, place);
  return { name, stored, shape: tensor.shape, bytes, byteLength: bytes.byteLength };
}

/** The header of tensors that are in the order of the file. */
export function headerOf(
  tensors: readonly StoredShape[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push(['__metadata__', metadata]);
  let offset = 0;
  for (const { name, stored, shape, byteLength } of tensors) {
    const end = offset + byteLength;
    header.push([name, { dtype: stored, shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  return headerBytes(header);
}

/** Written pair by pair: an object would move names that look like numbers to the front. */
function headerBytes(pairs: readonly (readonly [string, unknown])[]): Uint8Array {
  const parts = pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  const json = new TextEncoder().encode(`{${parts.join(',')}}`);
  const length = Math.ceil(json.byteLength / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20, 8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}
