/**
 * @file The cache of a browser: the origin's private file system (OPFS), with the names of the shared cache on disk.
 * Nothing of a model is in memory but the file that is being checked, because a browser digests whole buffers only.
 */
import { InputError } from '@camada/tensor';
import { memoryFolder, type Folder } from '../bytes/folder.ts';
import { blobSource, type ByteSource } from '../bytes/source.ts';
import { readJsonRecord } from '../bytes/text.ts';
import { jsonBytes } from '../bytes/write.ts';
import type { RemoteFile } from './listing.ts';
import type { Repository } from './repository.ts';
import type { FileStore } from './store.ts';

/** The cache of one model in the folder `cache` of the private file system. */
export async function browserStore(cache: string, repository: Repository): Promise<FileStore> {
  const folder = await modelFolder(cache, repository);
  const partial = ({ etag }: RemoteFile): string => `${etag}.incomplete`;
  const index = `${repository.revision.replaceAll('/', '--')}.json`;
  return {
    has: async ({ etag, size }) => (await fileIn(folder, etag))?.size === size,
    partialSize: async (file) => (await fileIn(folder, partial(file)))?.size ?? 0,
    append: (file, chunks) => appendTo(folder, partial(file), chunks),
    digest: (file, algorithm, prefix) => digestOf(folder, partial(file), algorithm, prefix),
    finish: (file) => rename(folder, partial(file), file.etag),
    discard: (file) => remove(folder, partial(file)),
    async publish(commit, files) {
      const record = { commit, files: files.map(({ path, etag, size }) => ({ path, etag, size })) };
      await remove(folder, index);
      await appendTo(folder, index, once(jsonBytes(record)));
      return openFiles(folder, repository, files);
    },
    async published() {
      const file = await fileIn(folder, index);
      return file && openFiles(folder, repository, await indexed(file));
    },
  };
}

async function modelFolder(
  cache: string,
  { name }: Repository,
): Promise<FileSystemDirectoryHandle> {
  const storage = globalThis.navigator?.storage;
  if (!storage?.getDirectory)
    throw new InputError(
      'This browser has no private file system to keep models in; use a current one over https, or pick the files by hand.',
    );
  const top = await (await storage.getDirectory()).getDirectoryHandle(cache, { create: true });
  return top.getDirectoryHandle(`models--${name.replace('/', '--')}`, { create: true });
}

/** A file by name; undefined where there is none. */
async function fileIn(folder: FileSystemDirectoryHandle, name: string): Promise<File | undefined> {
  try {
    return await (await folder.getFileHandle(name)).getFile();
  } catch {
    return undefined;
  }
}

async function appendTo(
  folder: FileSystemDirectoryHandle,
  name: string,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const handle = await folder.getFileHandle(name, { create: true });
  const { size } = await handle.getFile();
  const writer = await handle.createWritable({ keepExistingData: true });
  try {
    await writer.seek(size);
    for await (const chunk of chunks) await writer.write(chunk as Uint8Array<ArrayBuffer>);
  } finally {
    // Closing keeps what was written; a broken download goes on from there.
    await writer.close();
  }
}

async function digestOf(
  folder: FileSystemDirectoryHandle,
  name: string,
  algorithm: 'sha256' | 'sha1',
  prefix: Uint8Array,
): Promise<string> {
  const file = (await fileIn(folder, name)) ?? new Blob();
  const whole = new Blob([prefix as Uint8Array<ArrayBuffer>, file]);
  const kind = algorithm === 'sha256' ? 'SHA-256' : 'SHA-1';
  const bytes = new Uint8Array(await crypto.subtle.digest(kind, await whole.arrayBuffer()));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Not every browser can rename in its private file system, so the bytes are copied. */
async function rename(folder: FileSystemDirectoryHandle, from: string, to: string): Promise<void> {
  const file = (await fileIn(folder, from)) ?? new Blob();
  const writer = await (await folder.getFileHandle(to, { create: true })).createWritable();
  await file.stream().pipeTo(writer);
  await remove(folder, from);
}

async function remove(folder: FileSystemDirectoryHandle, name: string): Promise<void> {
  await folder.removeEntry(name).catch(() => undefined);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

type IndexedFile = Pick<RemoteFile, 'path' | 'etag'>;

async function indexed(file: File): Promise<readonly IndexedFile[]> {
  const record = await readJsonRecord(blobSource(file));
  // Written by `publish` above.
  return record['files'] as readonly IndexedFile[];
}

async function openFiles(
  folder: FileSystemDirectoryHandle,
  { name, file: only }: Repository,
  files: readonly IndexedFile[],
): Promise<Folder> {
  const sources = new Map<string, ByteSource>();
  for (const { path, etag } of files) {
    const file = await fileIn(folder, etag);
    if (file && (only === undefined || path === only))
      sources.set(path, blobSource(file, `${name}/${path}`));
  }
  return memoryFolder(sources, name);
}
