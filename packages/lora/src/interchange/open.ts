/** @file Adapter folders of any kind: PEFT's, and mlx-lm's, which are read as PEFT's. */
import { openFolder, type Folder } from '@camada/hub';
import { readAdapter, type AdapterData } from '../peft/adapter-file.ts';
import { isMlxAdapter, readMlxAdapter } from './mlx.ts';

/** Reads an adapter folder, and what was ignored in it. Throws InputError when a file is missing, damaged or not understood. */
export async function openAdapter(
  directory: string | Folder,
): Promise<AdapterData & { readonly warnings: readonly string[] }> {
  const folder = await openFolder(directory);
  return (await isMlxAdapter(folder)) ? readMlxAdapter(folder) : readAdapter(folder);
}
