/**
 * @file PyTorch's checkpoints (`.bin`, `.pt`, `.pth`) as named tensors: a zip file with one pickle that describes the
 * tensors and one entry a storage. Only what `torch.save` writes for a state dict is understood; no code is run.
 */
import { InputError } from '@camada/tensor';
import { openSource } from '../bytes/folder.ts';
import type { ByteSource } from '../bytes/source.ts';
import { missingTensor, type TensorReader } from '../safetensors/read.ts';
import { decodeStored, STORED_BITS, type TensorData } from '../safetensors/types.ts';
import { malformed } from './globals.ts';
import { readPickle } from './machine.ts';
import { StoredTensor, type PickleValue } from './values.ts';
import { isZip, readEntryBytes, readZip, type ZipEntry } from './zip.ts';

/** Largest pickle accepted, in bytes; it holds names and shapes, never numbers. */
const MAX_PICKLE = 2 ** 27;

/** Keys under which training scripts keep the weights beside other things. */
const WEIGHT_KEYS = ['state_dict', 'model_state_dict', 'model', 'module'] as const;

/** The zip file with its tensors. */
interface Archive {
  readonly source: ByteSource;
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** The folder that everything lies in. */
  readonly root: string;
}

/**
 * Opens a checkpoint by `torch.save`: a path (Node) or a source; tensors are read when asked for. Throws `InputError`
 * when it holds anything but plain values and tensors, or is damaged.
 */
export async function openPickle(file: string | ByteSource): Promise<TensorReader> {
  const source = await openSource(file);
  const archive = await openArchive(source);
  const pickle = await entryBytes(archive, 'data.pkl', MAX_PICKLE);
  const tensors = namedTensors(readPickle(pickle, source.name), source.name);
  for (const [name, tensor] of tensors) checkTensor(archive, name, tensor);
  return archiveReader(archive, tensors);
}

async function openArchive(source: ByteSource): Promise<Archive> {
  if (!(await isZip(source))) {
    throw new InputError(
      `${source.name} is no zip file, as PyTorch writes checkpoints since version 1.6; save it again, best as safetensors.`,
    );
  }
  const entries = await readZip(source);
  const pickle = [...entries.keys()].find((name) => name.endsWith('/data.pkl'));
  if (pickle === undefined)
    throw new InputError(
      `${source.name} is a zip file without data.pkl; it was not written by torch.save.`,
    );
  const archive = { source, entries, root: pickle.slice(0, -'data.pkl'.length) };
  await checkByteOrder(archive);
  return archive;
}

async function checkByteOrder(archive: Archive): Promise<void> {
  if (!archive.entries.has(`${archive.root}byteorder`)) return;
  const order = new TextDecoder().decode(await entryBytes(archive, 'byteorder', 16));
  if (order !== 'little')
    throw new InputError(
      `${archive.source.name} has the byte order ${JSON.stringify(order)}; only little is read, so save it again.`,
    );
}

async function entryBytes(
  { source, entries, root }: Archive,
  name: string,
  limit: number,
): Promise<Uint8Array> {
  const entry = entries.get(root + name);
  if (entry && entry.size <= limit) return readEntryBytes(source, entry);
  throw malformed(source.name, `${name} of ${entry?.size ?? 0} bytes`);
}

/** The tensors of a state dict, or of the one that lies inside a training checkpoint. */
function namedTensors(value: PickleValue, file: string): Map<string, StoredTensor> {
  const inner = value instanceof Map && WEIGHT_KEYS.map((key) => value.get(key));
  const dict = (inner && inner.find((item) => item instanceof Map)) ?? value;
  const tensors = new Map<string, StoredTensor>();
  if (dict instanceof Map)
    for (const [name, item] of dict)
      if (typeof name === 'string' && item instanceof StoredTensor) tensors.set(name, item);
  if (tensors.size > 0) return tensors;
  throw new InputError(
    `${file} holds no dictionary of named tensors; save model.state_dict(), best as safetensors.`,
  );
}

/** A tensor must lie inside its storage, and have no more elements: a small file cannot ask for a large array. */
function checkTensor(archive: Archive, name: string, tensor: StoredTensor): void {
  const { storage, offset, shape, strides } = tensor;
  const file = `${archive.source.name}: tensor "${name}"`;
  const entry = archive.entries.get(`${archive.root}data/${storage.key}`);
  if (!entry || storage.elements * bytesOf(tensor) > entry.size)
    throw malformed(file, 'a storage that the file lacks or has cut short');
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, offset);
  const count = elementsOf(shape);
  if (count === 0 || (count <= storage.elements && last < storage.elements)) return;
  throw malformed(file, `more elements than its storage of ${storage.elements}`);
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((total, size) => total * size, 1);
}

function bytesOf({ storage }: StoredTensor): number {
  return (STORED_BITS.get(storage.type) ?? 8) / 8;
}

function archiveReader(archive: Archive, tensors: ReadonlyMap<string, StoredTensor>): TensorReader {
  const { name: file } = archive.source;
  const names = [...tensors.keys()].sort();
  const tensor = (name: string): StoredTensor => {
    const found = tensors.get(name);
    if (found) return found;
    throw missingTensor(file, name, names);
  };
  return {
    source: file,
    names,
    metadata: {},
    has: (name) => tensors.has(name),
    entry: (name) => ({ dtype: tensor(name).storage.type, shape: tensor(name).shape }),
    async read(name: string): Promise<TensorData> {
      const found = tensor(name);
      const bytes = await tensorBytes(archive, found);
      const decoded = decodeStored(found.storage.type, bytes, `${file}: tensor "${name}"`);
      return { shape: found.shape, ...decoded };
    },
  };
}

/** The elements in row-major order, on a buffer of their own. */
async function tensorBytes(archive: Archive, tensor: StoredTensor): Promise<Uint8Array> {
  const { storage, offset, shape, strides } = tensor;
  const width = bytesOf(tensor);
  const entry = archive.entries.get(`${archive.root}data/${storage.key}`)!;
  const count = elementsOf(shape);
  if (count === 0) return new Uint8Array(0);
  const span = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, 1);
  const bytes = await readEntryBytes(archive.source, entry, offset * width, span * width);
  return isRowMajor(shape, strides) ? bytes : gather(bytes, width, shape, strides);
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

/** Copies elements of `width` bytes into row-major order. */
function gather(
  bytes: Uint8Array,
  width: number,
  shape: readonly number[],
  strides: readonly number[],
): Uint8Array {
  const out = new Uint8Array(elementsOf(shape) * width);
  const index = shape.map(() => 0);
  for (let to = 0, from = 0; to < out.length; to += width) {
    for (let i = 0; i < width; i++) out[to + i] = bytes[from * width + i]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}
