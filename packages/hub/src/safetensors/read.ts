/** @file Reading tensors by name, from one safetensors file or from the shards of a folder. */
import { InputError } from '@camada/tensor';
import { openSource } from '../bytes/folder.ts';
import type { ByteSource } from '../bytes/source.ts';
import type { PackedTensor } from '../gguf/packed.ts';
import { readHeader, type Header, type HeaderEntry } from './header.ts';
import { decodeStored, type TensorData } from './types.ts';

/** What a checkpoint says about a tensor before it is read. */
export interface TensorEntry {
  /** Element type by its name in the file, such as `F32` or `I64`. */
  readonly dtype: string;
  /** Lengths of the axes. */
  readonly shape: readonly number[];
}

/** Named tensors that are read one by one. */
export interface TensorReader {
  /** What errors call it. */
  readonly source: string;
  /** All names, sorted. */
  readonly names: readonly string[];
  /** Strings that the file carries about itself. */
  readonly metadata: Readonly<Record<string, string>>;
  /** True when there is a tensor of this name. */
  has(name: string): boolean;
  /** Type and shape of a tensor. Throws `InputError` naming similar tensors when there is none. */
  entry(name: string): TensorEntry;
  /** Reads a tensor. Throws `InputError` when it is missing, damaged or of a type without an equal here. */
  read(name: string): Promise<TensorData>;
  /**
   * The tensor as the file packs it (GGUF); undefined where it is stored as plain numbers. Readers of files that know no
   * packed types do not have this.
   */
  packed?(name: string): Promise<PackedTensor | undefined>;
}

/**
 * Opens one safetensors file: a path (Node) or a source. The whole header is checked; data are read when
 * asked for. Throws `InputError` with the file, the place and the remedy.
 */
export async function openSafetensors(file: string | ByteSource): Promise<TensorReader> {
  const source = await openSource(file);
  return headerReader(source, await readHeader(source));
}

function headerReader(source: ByteSource, header: Header): TensorReader {
  const names = [...header.entries.keys()].sort();
  const entry = (name: string): HeaderEntry => {
    const found = header.entries.get(name);
    if (found) return found;
    throw missingTensor(source.name, name, names);
  };
  return {
    source: source.name,
    names,
    metadata: header.metadata,
    has: (name) => header.entries.has(name),
    entry: (name) => ({ dtype: entry(name).dtype, shape: entry(name).shape }),
    async read(name: string): Promise<TensorData> {
      const { dtype, shape, begin, end } = entry(name);
      const bytes = await source.read(header.dataStart + begin, end - begin);
      return { shape, ...decodeStored(dtype, bytes, `${source.name}: tensor "${name}"`) };
    },
  };
}

/** The error for a name that is not there; it lists the names with the same ending, else the first ones. */
export function missingTensor(file: string, name: string, names: readonly string[]): InputError {
  const ending = name.split('.').slice(-2).join('.');
  const similar = names.filter((other) => other.endsWith(ending));
  const shown = (similar.length > 0 ? similar : names).slice(0, 5).join(', ') || 'no tensors';
  return new InputError(
    `${file} has no tensor "${name}" (it holds ${shown}, …); check that the file belongs to this model.`,
  );
}
