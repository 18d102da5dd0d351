/**
 * @file Writing the checkpoint of a model folder: `model.safetensors`, or shards with an index above a size. Headers are
 * made from names and shapes alone, so that weights can be read, converted and written one at a time.
 */
import { InputError } from '@camada/tensor';
import { nodeFs } from '../bytes/node.ts';
import { jsonBytes, writeFiles, type Chunks } from '../bytes/write.ts';
import { convertFloats, type FloatType } from './convert.ts';
import { encodeStored, storedName, type TensorData } from './types.ts';
import {
  encodeTensors,
  fileOrder,
  headerOf,
  PT_METADATA,
  type StoredShape,
  type TensorEntries,
} from './write.ts';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

/** How a checkpoint is written. */
export interface CheckpointOptions {
  /** Bytes of tensors above which a further shard is begun; 5 GB as in Hugging Face. */
  readonly maxShardBytes?: number;
  /** Strings for the header. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A weight under its name at Hugging Face; `read` is called when its turn comes. */
export interface ModelWeight {
  readonly name: string;
  readonly shape: readonly number[];
  read(): TensorData | Promise<TensorData>;
}

/** A tensor whose bytes are made when they are written. */
interface PlannedTensor extends StoredShape {
  bytes(): Uint8Array | Promise<Uint8Array>;
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
  const planned = encodeTensors(entries).map((tensor) => ({
    ...tensor,
    bytes: () => tensor.bytes,
  }));
  const files = planFiles(planned, options);
  await writeFiles([...files].map(([name, chunks]) => ({ path: `${directory}/${name}`, chunks })));
  await removeOlder(directory, [...files.keys()]);
}

/**
 * The files of a checkpoint by name, each its bytes in order; one weight is in memory at a time while they are written.
 * Floats are stored as `dtype`. Throws `InputError` on a name given twice, and while writing on a weight that does not fill
 * its shape.
 */
export function checkpointFiles(
  weights: readonly ModelWeight[],
  dtype: FloatType,
  options: CheckpointOptions = {},
): Map<string, Chunks> {
  const names = new Set(weights.map(({ name }) => name));
  if (names.size < weights.length || names.has('__metadata__'))
    throw new InputError('Two weights have the same name, or one is called __metadata__.');
  return planFiles(fileOrder(weights.map((weight) => planned(weight, dtype))), options);
}

function planned(weight: ModelWeight, dtype: FloatType): PlannedTensor {
  const { name, shape } = weight;
  const size = shape.reduce((total, length) => total * length, 1);
  const byteLength = size * (dtype === 'f32' ? 4 : 2);
  return {
    name,
    shape,
    stored: storedName(dtype),
    byteLength,
    async bytes() {
      const bytes = encodeStored(convertFloats(await weight.read(), dtype), `Tensor "${name}"`);
      if (bytes.byteLength === byteLength) return bytes;
      throw new InputError(
        `Tensor "${name}" of shape [${shape.join(', ')}] needs ${byteLength} bytes, but has ${bytes.byteLength}.`,
      );
    },
  };
}

function planFiles(
  tensors: readonly PlannedTensor[],
  { maxShardBytes = 5e9, metadata = PT_METADATA }: CheckpointOptions,
): Map<string, Chunks> {
  const shards = splitShards(tensors, maxShardBytes);
  const names = shards.map((_, i) => shardName(i, shards.length));
  const files = new Map<string, Chunks>();
  for (const [i, shard] of shards.entries()) files.set(names[i]!, shardBytes(shard, metadata));
  if (shards.length > 1) files.set(INDEX, [jsonBytes(indexOf(shards, names))]);
  return files;
}

async function* shardBytes(
  tensors: readonly PlannedTensor[],
  metadata: Readonly<Record<string, string>>,
): AsyncGenerator<Uint8Array> {
  yield headerOf(tensors, metadata);
  for (const tensor of tensors) yield await tensor.bytes();
}

function shardName(index: number, count: number): string {
  if (count === 1) return SINGLE;
  const digits = (n: number): string => String(n).padStart(5, '0');
  return `model-${digits(index + 1)}-of-${digits(count)}.safetensors`;
}

function splitShards(tensors: readonly PlannedTensor[], limit: number): PlannedTensor[][] {
  const shards: PlannedTensor[][] = [[]];
  let size = 0;
  for (const tensor of tensors) {
    if (size > 0 && size + tensor.byteLength > limit) {
      shards.push([]);
      size = 0;
    }
    shards.at(-1)?.push(tensor);
    size += tensor.byteLength;
  }
  return shards;
}

function indexOf(shards: readonly PlannedTensor[][], names: readonly string[]): unknown {
  const total = shards.flat().reduce((sum, tensor) => sum + tensor.byteLength, 0);
  const map = shards.flatMap((shard, i) => shard.map(({ name }) => [name, names[i]] as const));
  map.sort(([a], [b]) => (a < b ? -1 : 1));
  return { metadata: { total_size: total }, weight_map: Object.fromEntries(map) };
}

/** Removes checkpoint files of the folder that do not belong to the one just written. */
async function removeOlder(directory: string, names: readonly string[]): Promise<void> {
  const fs = await nodeFs();
  const current = new Set(names);
  const pattern = /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/;
  const older = (await fs.readdir(directory)).filter((n) => pattern.test(n) && !current.has(n));
  await Promise.all(older.map((name) => fs.rm(`${directory}/${name}`)));
}
