/**
 * @file The cache that Hugging Face tools share (Node): `models--ORG--NAME` with `blobs` named by checksum, `snapshots`
 * of commits as links to them, and `refs` that say which commit a revision means.
 * https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */
import { directoryFolder, type Folder } from '../bytes/folder.ts';
import { fileError, nodeFs } from '../bytes/node.ts';
import type { RemoteFile } from './listing.ts';
import type { Repository } from './repository.ts';
import type { FileStore } from './store.ts';

/** The cache of one model below the folder `cache`. */
export async function cacheStore(cache: string, repository: Repository): Promise<FileStore> {
  const fs = await nodeFs();
  const root = `${cache}/models--${repository.name.replace('/', '--')}`;
  const blob = ({ etag }: RemoteFile): string => `${root}/blobs/${etag}`;
  const partial = (file: RemoteFile): string => `${blob(file)}.incomplete`;
  return {
    has: async (file) => (await sizeOf(blob(file))) === file.size,
    partialSize: async (file) => (await sizeOf(partial(file))) ?? 0,
    append: (file, chunks) => appendTo(partial(file), chunks),
    digest: (file, algorithm, prefix) => digestOf(partial(file), algorithm, prefix),
    finish: (file) => fs.rename(partial(file), blob(file)),
    discard: (file) => fs.rm(partial(file), { force: true }),
    publish: (commit, files) => publish(root, repository, commit, files),
    published: () => published(root, repository),
  };
}

async function sizeOf(path: string): Promise<number | undefined> {
  const fs = await nodeFs();
  return fs.stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

async function appendTo(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const fs = await nodeFs();
  const write = async <T>(action: Promise<T>): Promise<T> =>
    action.catch((error: unknown) => {
      throw fileError(path, error);
    });
  await write(fs.mkdir(path.slice(0, path.lastIndexOf('/')), { recursive: true }));
  const handle = await write(fs.open(path, 'a'));
  try {
    for await (const chunk of chunks) await write(handle.appendFile(chunk));
  } finally {
    await handle.close();
  }
}

async function digestOf(path: string, algorithm: string, prefix: Uint8Array): Promise<string> {
  const { createHash } = await import('node:crypto');
  const { createReadStream } = await import('node:fs');
  const hash = createHash(algorithm).update(prefix);
  // An empty file may never have been made.
  if ((await sizeOf(path)) === undefined) await appendTo(path, empty());
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    hash.update(chunk as Uint8Array);
  }
  return hash.digest('hex');
}

async function* empty(): AsyncGenerator<Uint8Array> {}

/** Links the files of a commit into its snapshot; the revision is noted last, when everything is there. */
async function publish(
  root: string,
  repository: Repository,
  commit: string,
  files: readonly RemoteFile[],
): Promise<Folder> {
  const fs = await nodeFs();
  const snapshot = `${root}/snapshots/${commit}`;
  for (const { path, etag } of files) {
    const link = `${snapshot}/${path}`;
    const up = '../'.repeat(path.split('/').length + 1);
    await fs.mkdir(link.slice(0, link.lastIndexOf('/')), { recursive: true });
    await fs.rm(link, { force: true });
    await linkTo(`${up}blobs/${etag}`, link, `${root}/blobs/${etag}`);
  }
  if (repository.revision !== commit) {
    const ref = `${root}/refs/${repository.revision}`;
    await fs.mkdir(ref.slice(0, ref.lastIndexOf('/')), { recursive: true });
    await fs.writeFile(ref, commit);
  }
  return namedFolder(snapshot, repository);
}

/** A link, or a copy where the system makes no links (Windows without developer mode). */
async function linkTo(relative: string, link: string, blob: string): Promise<void> {
  const fs = await nodeFs();
  await fs.symlink(relative, link).catch(() => fs.copyFile(blob, link));
}

async function published(root: string, repository: Repository): Promise<Folder | undefined> {
  const fs = await nodeFs();
  const { revision } = repository;
  const ref = await fs.readFile(`${root}/refs/${revision}`, 'utf8').catch(() => revision);
  const snapshot = `${root}/snapshots/${ref.trim()}`;
  const isCommit = /^[0-9a-f]{40}$/.test(ref.trim());
  return isCommit && (await sizeOf(snapshot)) !== undefined
    ? namedFolder(snapshot, repository)
    : undefined;
}

/** The folder under the model's name; of one GGUF file, that file alone. */
async function namedFolder(path: string, { name, file }: Repository): Promise<Folder> {
  const folder = await directoryFolder(path);
  if (file === undefined) return { ...folder, name };
  const only = async (): Promise<readonly string[]> =>
    (await folder.list()).filter((other) => other === file);
  return {
    name: `${name}/${file}`,
    path: `${path}/${file}`,
    list: only,
    open: async (wanted) => (wanted === file ? folder.open(wanted) : undefined),
  };
}
