/**
 * @file Checkpoints of a model folder: `model.safetensors` or PyTorch's `pytorch_model.bin`, or several shards with an
 * index, whose `weight_map` names the shard of every tensor (Hugging Face). Written are safetensors only.
 */
import { InputError } from '@camada/tensor';
import { openFolder, openRequired, type Folder } from '../bytes/folder.ts';
import { nodeFs } from '../bytes/node.ts';
import type { ByteSource } from '../bytes/source.ts';
import { describe, isRecord, readJsonRecord } from '../bytes/text.ts';
import { jsonBytes, writeFiles, type FileContent } from '../bytes/write.ts';
import { openPickle } from '../pickle/read.ts';
import { missingTensor, openSafetensors, type TensorReader } from './read.ts';
import {
  encodeTensors,
  layOut,
  PT_METADATA,
  type EncodedTensor,
  type TensorEntries,
} from './write.ts';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

/** One way to store a checkpoint. */
interface Format {
  readonly single: string;
  readonly index: string;
  /** Names that a shard may have: beside the index, never a path. */
  readonly shard: RegExp;
  open(source: ByteSource): Promise<TensorReader>;
}

/** Formats in the order in which they are looked for. */
const FORMATS: readonly Format[] = [
  { single: SINGLE, index: INDEX, shard: /^[^/\\]+\.safetensors$/, open: openSafetensors },
  {
    single: 'pytorch_model.bin',
    index: 'pytorch_model.bin.index.json',
    shard: /^[^/\\]+\.bin$/,
    open: openPickle,
  },
];

/**
 * Opens the checkpoint of a model folder, single or sharded, safetensors before pickles. Throws `InputError` when there
 * is none, when a shard is missing or damaged, or when the index names a tensor that its shard does not hold.
 */
export async function openCheckpoint(folder: string | Folder): Promise<TensorReader> {
  const opened = await openFolder(folder);
  for (const format of FORMATS) {
    const single = await opened.open(format.single);
    if (single) return format.open(single);
    const index = await opened.open(format.index);
    if (!index) continue;
    const map = readWeightMap(await readJsonRecord(index), index.name, format);
    return shardReader(index.name, map, await openShards(opened, map, index.name, format));
  }
  throw await noCheckpoint(opened);
}

async function noCheckpoint(folder: Folder): Promise<InputError> {
  const known = FORMATS.map(({ single, index }) => `${single} or ${index}`).join(', ');
  const names = (await folder.list()).slice(0, 8).join(', ') || 'nothing';
  return new InputError(
    `${folder.name} has no ${known} (it holds ${names}); check the path or download the model again.`,
  );
}

function readWeightMap(
  record: Readonly<Record<string, unknown>>,
  file: string,
  format: Format,
): Map<string, string> {
  const value = record['weight_map'];
  if (!isRecord(value)) {
    throw new InputError(
      `${file}: "weight_map" is ${describe(value)}; an object is needed, so download it again.`,
    );
  }
  return new Map(
    Object.entries(value).map(([name, shard]) => [name, checkShard(shard, file, format)]),
  );
}

/** A shard lies beside its index: a path out of the folder is refused. */
function checkShard(shard: unknown, file: string, format: Format): string {
  if (typeof shard === 'string' && format.shard.test(shard)) return shard;
  throw new InputError(
    `${file}: "weight_map" names the shard ${describe(shard)}; a file beside it, named like ${format.single}, is allowed.`,
  );
}

async function openShards(
  folder: Folder,
  map: ReadonlyMap<string, string>,
  file: string,
  format: Format,
): Promise<Map<string, TensorReader>> {
  const shards = new Map<string, TensorReader>();
  for (const shard of new Set(map.values())) {
    shards.set(shard, await format.open(await openRequired(folder, shard)));
  }
  for (const [name, shard] of map) {
    if (shards.get(shard)?.has(name)) continue;
    throw new InputError(
      `${file} places tensor "${name}" in ${shard}, which does not hold it; download both files again.`,
    );
  }
  return shards;
}

function shardReader(
  file: string,
  map: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, TensorReader>,
): TensorReader {
  const names = [...map.keys()].sort();
  const shardOf = (name: string): TensorReader => {
    const shard = shards.get(map.get(name) ?? '');
    if (shard) return shard;
    throw missingTensor(file, name, names);
  };
  return {
    source: file,
    names,
    metadata: Object.assign({}, ...[...shards.values()].map((shard) => shard.metadata)),
    has: (name) => map.has(name),
    entry: (name) => shardOf(name).entry(name),
    read: async (name) => shardOf(name).read(name),
  };
}

/** How a checkpoint is written. */
export interface CheckpointOptions {
  /** Bytes of tensors above which a further shard is begun; 5 GB as in Hugging Face. */
  readonly maxShardBytes?: number;
  /** Strings for the header. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Writes the checkpoint of a model folder (Node): one file, or shards with an index where it is larger
 * than `maxShardBytes`. All files are complete before the first gets its name; files of an earlier
 * checkpoint that would be read instead are removed. Throws `InputError` on bad entries.
 */
export async function writeCheckpoint(
  directory: string,
  entries: TensorEntries,
  options: CheckpointOptions = {},
): Promise<void> {
  const shards = splitShards(encodeTensors(entries), options.maxShardBytes ?? 5e9);
  const names = shards.map((_, i) => shardName(i, shards.length));
  const metadata = options.metadata ?? PT_METADATA;
  const files: FileContent[] = shards.map((shard, i) => ({
    path: `${directory}/${names[i] ?? SINGLE}`,
    chunks: layOut(shard, metadata),
  }));
  if (shards.length > 1) {
    files.push({ path: `${directory}/${INDEX}`, chunks: [jsonBytes(indexOf(shards, names))] });
  }
  await writeFiles(files);
  await removeOlder(directory, names);
}

function shardName(index: number, count: number): string {
  if (count === 1) return SINGLE;
  const digits = (n: number): string => String(n).padStart(5, '0');
  return `model-${digits(index + 1)}-of-${digits(count)}.safetensors`;
}

function splitShards(tensors: readonly EncodedTensor[], limit: number): EncodedTensor[][] {
  const shards: EncodedTensor[][] = [[]];
  let size = 0;
  for (const tensor of tensors) {
    if (size > 0 && size + tensor.bytes.byteLength > limit) {
      shards.push([]);
      size = 0;
    }
    shards.at(-1)?.push(tensor);
    size += tensor.bytes.byteLength;
  }
  return shards;
}

function indexOf(shards: readonly EncodedTensor[][], names: readonly string[]): unknown {
  const total = shards.flat().reduce((sum, tensor) => sum + tensor.bytes.byteLength, 0);
  const map = shards.flatMap((shard, i) => shard.map(({ name }) => [name, names[i]] as const));
  map.sort(([a], [b]) => (a < b ? -1 : 1));
  return { metadata: { total_size: total }, weight_map: Object.fromEntries(map) };
}

/** Removes checkpoint files of the folder that do not belong to the one just written. */
async function removeOlder(directory: string, names: readonly string[]): Promise<void> {
  const fs = await nodeFs();
  const current = new Set(names.length > 1 ? [...names, INDEX] : names);
  const pattern = /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/;
  const older = (await fs.readdir(directory)).filter((n) => pattern.test(n) && !current.has(n));
  await Promise.all(older.map((name) => fs.rm(`${directory}/${name}`)));
}
