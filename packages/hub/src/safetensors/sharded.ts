/**
 * @file Checkpoints of a model folder: `model.safetensors` or PyTorch's `pytorch_model.bin`, or several shards with an
 * index, whose `weight_map` names the shard of every tensor (Hugging Face).
 */
import { InputError } from '@camada/tensor';
import { openFolder, openRequired, type Folder } from '../bytes/folder.ts';
import type { ByteSource } from '../bytes/source.ts';
import { describe, isRecord, readJsonRecord } from '../bytes/text.ts';
import { openPickle } from '../pickle/read.ts';
import { missingTensor, openSafetensors, type TensorReader } from './read.ts';

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
  {
    single: 'model.safetensors',
    index: 'model.safetensors.index.json',
    shard: /^[^/\\]+\.safetensors$/,
    open: openSafetensors,
  },
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
