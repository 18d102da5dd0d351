/** @file Writing GGUF version 3: header, metadata and tensors, one tensor in memory at a time. */
import { InputError, narrowHalves, toF16 } from '@camada/tensor';
import { toFloat32 } from '../safetensors/convert.ts';
import type { TensorData } from '../safetensors/types.ts';
import { BLOCK_FORMATS } from './blocks.ts';
import { MAGIC } from './header.ts';

/** Types that are written. */
export type WrittenType = 'F32' | 'F16' | 'Q8_0';

/** A value of the metadata with its type in the file. */
export type WrittenValue =
  | readonly ['u32' | 'i32' | 'f32', number]
  | readonly ['bool', boolean]
  | readonly ['text', string]
  | readonly ['texts', readonly string[]]
  | readonly ['i32s' | 'f32s', readonly number[]];

/** A tensor to write; `read` is called once, when its turn comes. */
export interface WrittenTensor {
  /** Its name in the file. */
  readonly name: string;
  readonly type: WrittenType;
  readonly shape: readonly number[];
  read(): TensorData | Promise<TensorData>;
}

/** Bytes to whose multiples tensors are aligned. */
const ALIGNMENT = 32;

/**
 * The bytes of a GGUF file in order: header, then tensor after tensor. Throws `InputError` when a tensor does not fill its
 * shape.
 */
export async function* encodeGguf(
  metadata: ReadonlyMap<string, WrittenValue>,
  tensors: readonly WrittenTensor[],
): AsyncGenerator<Uint8Array> {
  yield headerBytes(metadata, tensors);
  for (const tensor of tensors) {
    const bytes = encodeTensor(await tensor.read(), tensor);
    yield bytes;
    yield new Uint8Array(padding(bytes.byteLength));
  }
}

/** Growing bytes. */
class Bytes {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  push(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#length += bytes.byteLength;
  }

  number(type: 'u32' | 'i32' | 'f32' | 'u64' | 'u8', value: number): void {
    const view = new DataView(new ArrayBuffer(type === 'u64' ? 8 : type === 'u8' ? 1 : 4));
    if (type === 'u64') view.setBigUint64(0, BigInt(value), true);
    else if (type === 'u8') view.setUint8(0, value);
    else if (type === 'u32') view.setUint32(0, value, true);
    else if (type === 'i32') view.setInt32(0, value, true);
    else view.setFloat32(0, value, true);
    this.push(new Uint8Array(view.buffer));
  }

  text(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.number('u64', bytes.byteLength);
    this.push(bytes);
  }

  /** All of it, filled up with zeros to the alignment. */
  joined(): Uint8Array {
    const out = new Uint8Array(this.#length + padding(this.#length));
    let at = 0;
    for (const part of this.#parts) {
      out.set(part, at);
      at += part.byteLength;
    }
    return out;
  }
}

/** Zero bytes after `length` bytes. */
function padding(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;
}

function headerBytes(
  metadata: ReadonlyMap<string, WrittenValue>,
  tensors: readonly WrittenTensor[],
): Uint8Array {
  const out = new Bytes();
  out.number('u32', MAGIC);
  out.number('u32', 3);
  out.number('u64', tensors.length);
  out.number('u64', metadata.size);
  for (const [key, value] of metadata) {
    out.text(key);
    writeValue(out, value);
  }
  let offset = 0;
  for (const tensor of tensors) {
    writeInfo(out, tensor, offset);
    const length = byteLength(tensor);
    offset += length + padding(length);
  }
  return out.joined();
}

/** Numbers of the types in a file. */
const VALUE_TYPES = { u32: 4, i32: 5, f32: 6, bool: 7, text: 8, list: 9 } as const;

function writeValue(out: Bytes, value: WrittenValue): void {
  const [type] = value;
  switch (type) {
    case 'texts':
      writeList(out, 'text', value[1], (item) => out.text(item));
      return;
    case 'i32s':
      writeList(out, 'i32', value[1], (item) => out.number('i32', item));
      return;
    case 'f32s':
      writeList(out, 'f32', value[1], (item) => out.number('f32', item));
      return;
    case 'text':
      out.number('u32', VALUE_TYPES.text);
      out.text(value[1]);
      return;
    case 'bool':
      out.number('u32', VALUE_TYPES.bool);
      out.number('u8', Number(value[1]));
      return;
    default:
      out.number('u32', VALUE_TYPES[type]);
      out.number(type, value[1]);
  }
}

function writeList<T>(
  out: Bytes,
  type: 'text' | 'i32' | 'f32',
  items: readonly T[],
  write: (item: T) => void,
): void {
  out.number('u32', VALUE_TYPES.list);
  out.number('u32', VALUE_TYPES[type]);
  out.number('u64', items.length);
  for (const item of items) write(item);
}

function writeInfo(out: Bytes, { name, type, shape }: WrittenTensor, offset: number): void {
  out.text(name);
  out.number('u32', shape.length);
  for (const length of [...shape].reverse()) out.number('u64', length);
  out.number('u32', BLOCK_FORMATS[type].id);
  out.number('u64', offset);
}

function byteLength({ type, shape }: WrittenTensor): number {
  const { blockSize, blockBytes } = BLOCK_FORMATS[type];
  return (shape.reduce((total, length) => total * length, 1) / blockSize) * blockBytes;
}

function encodeTensor(data: TensorData, tensor: WrittenTensor): Uint8Array {
  const values = toFloat32(data);
  const bytes = quantize(values, tensor.type);
  if (bytes.byteLength === byteLength(tensor)) return bytes;
  throw new InputError(
    `Tensor "${tensor.name}" of shape [${tensor.shape.join(', ')}] cannot be filled with ${values.length} elements.`,
  );
}

/** Packs values; Q8_0 needs a multiple of 32, and rounds as ggml does (the bits of `gguf.quants`). */
export function quantize(values: Float32Array, type: WrittenType): Uint8Array {
  if (type === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (type === 'F16') return new Uint8Array(narrowHalves(values, 'f16').buffer);
  const { blockSize, blockBytes } = BLOCK_FORMATS.Q8_0;
  const out = new Uint8Array(Math.ceil(values.length / blockSize) * blockBytes);
  const view = new DataView(out.buffer);
  for (let block = 0; block * blockSize < values.length; block++) {
    packQ8(values.subarray(block * blockSize, (block + 1) * blockSize), view, block * blockBytes);
  }
  return out;
}

/** d = max |x| / 127 and x / d rounded half away from zero, all in f32. */
function packQ8(values: Float32Array, view: DataView, at: number): void {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  const d = Math.fround(largest / 127);
  const inverse = d === 0 ? 0 : Math.fround(1 / d);
  view.setUint16(at, toF16(d), true);
  for (let i = 0; i < values.length; i++) {
    const scaled = Math.fround(values[i]! * inverse);
    view.setInt8(at + 2 + i, Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5));
  }
}
