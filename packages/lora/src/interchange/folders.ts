/** @file Several adapters in one folder, as PEFT's `save_pretrained` leaves them: `default` in it, others in folders of their names. */
import { openFolder, subfolder, type Folder } from '@camada/hub';
import type { Module } from '@camada/nn';
import { InputError } from '@camada/tensor';
import { removeAdapter, setActiveAdapters, type Adapter } from '../adapter/adapter.ts';
import { loadAdapter, saveAdapter, type LoadedAdapter } from '../store.ts';

const DEFAULT = 'default';
const CONFIG = 'adapter_config.json';

/** Names of the adapters in a folder, `default` first; the names of folders that hold one are theirs. */
export async function adapterNames(directory: string | Folder): Promise<string[]> {
  const folder = await openFolder(directory);
  const names = (await folder.list()).includes(CONFIG) ? [DEFAULT] : [];
  for (const name of (await folder.folders?.()) ?? [])
    if (await folder.open(`${name}/${CONFIG}`)) names.push(name);
  return names;
}

/**
 * Loads all adapters of a folder, or those named, and switches the first one on. Throws InputError when there is none or one
 * cannot be loaded; the model is unchanged then.
 */
export async function loadAdapters(
  model: Module,
  directory: string | Folder,
  names?: readonly string[],
): Promise<Map<string, LoadedAdapter>> {
  const folder = await openFolder(directory);
  const wanted = names ?? (await adapterNames(folder));
  if (wanted.length === 0)
    throw new InputError(`${folder.name} and the folders in it hold no ${CONFIG}; check the path`);
  const loaded = new Map<string, LoadedAdapter>();
  try {
    for (const name of wanted) {
      const place = name === DEFAULT ? folder : subfolder(folder, name);
      loaded.set(name, await loadAdapter(model, place, name));
    }
  } catch (error) {
    for (const { adapter } of loaded.values()) removeAdapter(model, adapter);
    throw error;
  }
  setActiveAdapters(model, wanted.slice(0, 1));
  return loaded;
}

/** Writes adapters into one folder (Node), as PEFT does. Throws InputError when a name is no name of a folder. */
export async function saveAdapters(directory: string, adapters: Iterable<Adapter>): Promise<void> {
  const all = [...adapters];
  for (const { name } of all)
    if (!/^[\w-]+$/.test(name))
      throw new InputError(`'${name}' names no folder; use letters, digits, - and _`);
  for (const adapter of all) {
    const { name } = adapter;
    await saveAdapter(name === DEFAULT ? directory : `${directory}/${name}`, adapter);
  }
}
