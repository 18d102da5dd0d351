/** @file Models from a hub: the needed files, downloaded once, then taken from the cache. */
import { InputError } from '@camada/tensor';
import type { Folder } from '../bytes/folder.ts';
import { inNode } from '../bytes/node.ts';
import { browserStore } from './browser.ts';
import { cacheStore } from './cache.ts';
import { downloadFile } from './download.ts';
import { listModel, type RemoteFile } from './listing.ts';
import { neededFiles } from './needed.ts';
import { cacheFolder, connect, type Connection, type FetchOptions } from './options.ts';
import { parseRepository, type Repository } from './repository.ts';
import type { FileStore } from './store.ts';

/**
 * Fetches a model from a hub, `ORG/NAME[@REVISION]` or `ORG/NAME/FILE.gguf[@REVISION]`, and gives its folder; files that
 * the cache has are not fetched again, a broken download is resumed, every file's checksum is checked. Throws
 * `InputError` that says in words what is missing, refused or wrong.
 */
export async function fetchModel(name: string, options: FetchOptions = {}): Promise<Folder> {
  const repository = parseRepository(name);
  const connection = await connect(options);
  const store = await openStore(repository, connection);
  if (connection.offline) return fromCache(repository, store);
  const { commit, files } = await listModel(repository, connection);
  const needed = neededFiles(files, repository);
  for (const file of needed) {
    const url = fileAddress(connection.endpoint, repository, commit, file);
    await downloadFile(file, store, { url, connection, patience: 500 });
  }
  return store.publish(commit, needed);
}

async function openStore(repository: Repository, connection: Connection): Promise<FileStore> {
  if (!inNode()) return browserStore(connection.cache ?? 'huggingface', repository);
  return cacheStore(await cacheFolder(connection), repository);
}

async function fromCache(repository: Repository, store: FileStore): Promise<Folder> {
  const folder = await store.published();
  if (folder && (await folder.list()).length > 0) return folder;
  throw new InputError(
    `${repository.name}@${repository.revision} is not in the cache, and the hub is not asked because HF_HUB_OFFLINE is set; ` +
      'fetch it once with a connection.',
  );
}

function fileAddress(
  endpoint: string,
  { name }: Repository,
  commit: string,
  { path }: RemoteFile,
): string {
  const parts = path.split('/').map(encodeURIComponent).join('/');
  return `${endpoint}/${name}/resolve/${commit}/${parts}`;
}
