/** @file Where a model is: on this machine, or on a hub. */
import type { Folder } from '../bytes/folder.ts';
import { inNode, nodeFs } from '../bytes/node.ts';
import { fetchModel } from './fetch.ts';
import type { FetchOptions } from './options.ts';
import { isRepositoryName } from './repository.ts';

/**
 * The place that a text names: a path where something lies there, else the folder of the model of that name on a hub,
 * fetched if need be. Folders and other texts come back as they are. Throws `InputError` as `fetchModel` does.
 */
export async function locateModel(
  place: string | Folder,
  options: FetchOptions = {},
): Promise<string | Folder> {
  if (typeof place !== 'string' || !isRepositoryName(place)) return place;
  return (await exists(place)) ? place : fetchModel(place, options);
}

async function exists(path: string): Promise<boolean> {
  if (!inNode()) return false;
  const fs = await nodeFs();
  return fs.stat(path).then(
    () => true,
    () => false,
  );
}
