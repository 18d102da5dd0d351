/** @file The tensors of a GGUF file under the names that Hugging Face gives them. */
import type { ByteSource } from '../bytes/source.ts';
import { missingTensor, type TensorReader } from '../safetensors/read.ts';
import type { TensorData } from '../safetensors/types.ts';
import { changeOf, hubName, type Change, type GgufArchitecture } from './architectures.ts';
import { BLOCK_FORMATS } from './blocks.ts';
import { reorderRotary, transposed, type Heads } from './changes.ts';
import type { GgufEntry, GgufHeader } from './header.ts';
import { unpackTensor, type PackedTensor } from './packed.ts';

/** A tensor under its new name. */
interface NamedEntry extends GgufEntry {
  readonly change: Change | undefined;
  /** The shape as Hugging Face has it. */
  readonly hubShape: readonly number[];
}

/**
 * Tensors of a file, read one by one; the converter's changes are undone. Those without a parameter at Hugging Face keep
 * the file's name.
 */
export function ggufTensors(
  source: ByteSource,
  header: GgufHeader,
  architecture: GgufArchitecture,
  heads: Heads,
): TensorReader {
  const entries = renamed(header, architecture);
  const names = [...entries.keys()].sort();
  const entry = (name: string): NamedEntry => {
    const found = entries.get(name);
    if (found) return found;
    throw missingTensor(source.name, name, names);
  };
  return {
    source: source.name,
    names,
    metadata: {},
    has: (name) => entries.has(name),
    entry: (name) => ({ dtype: entry(name).type, shape: entry(name).hubShape }),
    read: async (name) => readNumbers(source, entry(name), heads),
    packed: async (name) => readPacked(source, entry(name), heads),
  };
}

function renamed(header: GgufHeader, architecture: GgufArchitecture): Map<string, NamedEntry> {
  const entries = new Map<string, NamedEntry>();
  for (const [name, entry] of header.entries) {
    const change = changeOf(architecture, name);
    const hubShape = change === 'transposed' ? [...entry.shape].reverse() : entry.shape;
    entries.set(hubName(architecture, name) ?? name, { ...entry, change, hubShape });
  }
  return entries;
}

/** Plain numbers keep their type where nothing must be computed; everything else becomes f32. */
async function readNumbers(
  source: ByteSource,
  entry: NamedEntry,
  heads: Heads,
): Promise<TensorData> {
  const { change, hubShape: shape } = entry;
  const { bytes, type } = await readRows(source, entry, heads);
  if ((type === 'F16' || type === 'BF16') && change !== 'plus-one' && change !== 'transposed')
    return { dtype: type === 'F16' ? 'f16' : 'bf16', shape, data: new Uint16Array(bytes.buffer) };
  const data = unpackTensor({ type, bytes });
  if (change === 'plus-one') for (let i = 0; i < data.length; i++) data[i]! -= 1;
  return {
    dtype: 'f32',
    shape,
    data: change === 'transposed' ? transposed(data, entry.shape[0]!) : data,
  };
}

/** The blocks as they are; undefined for plain numbers and where a change would have to unpack them. */
async function readPacked(
  source: ByteSource,
  entry: NamedEntry,
  heads: Heads,
): Promise<PackedTensor | undefined> {
  const { change, type, shape } = entry;
  const { blockSize, blockBytes } = BLOCK_FORMATS[type];
  if (blockSize === 1 || change === 'plus-one' || change === 'transposed') return undefined;
  const { bytes } = await readRows(source, entry, heads);
  return { type, shape, bytes, blockSize, blockBytes };
}

/** The bytes of a tensor with its rows in Hugging Face's order. */
async function readRows(
  source: ByteSource,
  { begin, bytes: length, change, type, shape }: NamedEntry,
  heads: Heads,
): Promise<Pick<PackedTensor, 'type' | 'bytes'>> {
  const bytes = await source.read(begin, length);
  if (change !== 'rotary-query' && change !== 'rotary-key') return { type, bytes };
  const count = shape[0] ?? 1;
  return {
    type,
    bytes: reorderRotary(bytes, count, change === 'rotary-query' ? heads.query : heads.key),
  };
}
