/** @file A Hugging Face model folder: what it is, its tensors, and its tokenizer where there is one. */
import { openFolder, openRequired, type Folder } from '../bytes/folder.ts';
import { openCheckpoint } from '../safetensors/sharded.ts';
import type { TensorReader } from '../safetensors/read.ts';
import { loadTokenizer } from '../tokenizer/load.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { readConfig, type Config } from './config.ts';

/** An opened model folder; tensors are read when asked for. */
export interface ModelFolder {
  /** What errors call it. */
  readonly name: string;
  /** The folder's files. */
  readonly folder: Folder;
  /** `config.json`. */
  readonly config: Config;
  /** The checkpoint, single or sharded. */
  readonly tensors: TensorReader;
  /** `tokenizer.json` with its special tokens; undefined where the folder has none. */
  readonly tokenizer: Tokenizer | undefined;
  /** `generation_config.json`; undefined where the folder has none. */
  readonly generation: Config | undefined;
}

/**
 * Opens a model folder: a path (Node) or a `Folder`. Throws `InputError` when `config.json` or the
 * checkpoint is missing or damaged.
 */
export async function openModelFolder(directory: string | Folder): Promise<ModelFolder> {
  const folder = await openFolder(directory);
  const config = await readConfig(await openRequired(folder, 'config.json'));
  const generation = await folder.open('generation_config.json');
  const hasTokenizer = (await folder.list()).includes('tokenizer.json');
  return {
    name: folder.name,
    folder,
    config,
    tensors: await openCheckpoint(folder),
    tokenizer: hasTokenizer ? await loadTokenizer(folder) : undefined,
    generation: generation && (await readConfig(generation)),
  };
}
