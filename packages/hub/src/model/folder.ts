/** @file Opening a model: a Hugging Face folder, or a GGUF file with everything in it. */
import { InputError } from '@camada/tensor';
import { openFolder, openRequired, openSource, type Folder } from '../bytes/folder.ts';
import { openGguf } from '../gguf/model.ts';
import { openCheckpoint } from '../safetensors/sharded.ts';
import { hasLegacyTokenizer } from '../tokenizer/legacy.ts';
import { loadTokenizer } from '../tokenizer/load.ts';
import { readConfig } from './config.ts';
import type { ModelFolder } from './opened.ts';

/**
 * Opens a model: the path of a folder or of a `.gguf` file (Node), or a `Folder`. A folder without `config.json` may hold
 * one GGUF file instead. Throws `InputError` when files are missing, damaged or of a kind that is not read.
 */
export async function openModelFolder(directory: string | Folder): Promise<ModelFolder> {
  if (typeof directory === 'string' && isGguf(directory))
    return openGguf(await openSource(directory));
  const folder = await openFolder(directory);
  const names = await folder.list();
  if (!names.includes('config.json') && names.some(isGguf)) return openOnlyGguf(folder, names);
  const config = await readConfig(await openRequired(folder, 'config.json'));
  const generation = await folder.open('generation_config.json');
  return {
    name: folder.name,
    folder,
    config,
    tensors: await openCheckpoint(folder),
    tokenizer: hasTokenizer(names) ? await loadTokenizer(folder) : undefined,
    generation: generation && (await readConfig(generation)),
  };
}

function hasTokenizer(names: readonly string[]): boolean {
  return names.includes('tokenizer.json') || hasLegacyTokenizer(names);
}

function isGguf(name: string): boolean {
  return name.toLowerCase().endsWith('.gguf');
}

async function openOnlyGguf(folder: Folder, names: readonly string[]): Promise<ModelFolder> {
  const [file, ...others] = names.filter(isGguf);
  if (file !== undefined && others.length === 0) return openGguf(await openRequired(folder, file));
  throw new InputError(
    `${folder.name} holds several GGUF files (${names.filter(isGguf).slice(0, 5).join(', ')}); name one of them.`,
  );
}
