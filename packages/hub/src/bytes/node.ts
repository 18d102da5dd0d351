/**
 * @file The only door to the file system. `node:fs` is imported when a path is first used, never at the
 * top of a module, so that the package can be bundled for a browser.
 */
import { InputError } from '@camada/tensor';
import { checkRange, type ByteSource } from './source.ts';

/** Largest single read or write; Node refuses lengths of 2 GiB and more. */
const MAX_CHUNK = 2 ** 30;

/** Whether there is a file system: in Node, not in a browser. */
export function inNode(): boolean {
  return typeof process !== 'undefined' && process.versions?.node !== undefined;
}

/** The file system of Node. Throws `InputError` where there is none. */
export async function nodeFs(): Promise<typeof import('node:fs/promises')> {
  try {
    return await import('node:fs/promises');
  } catch {
    throw new InputError(
      'A path needs the file system of Node; in a browser pass a blobSource or a memoryFolder instead.',
    );
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist; check the path',
  ENOTDIR: 'is below something that is not a folder; check the path',
  EISDIR: 'is a folder, but a file was expected; name a file inside it',
  EACCES: 'may not be accessed; check its permissions',
  ENOSPC: 'could not be written because the disk is full; free some space',
};

/** Turns a failure of the file system into a sentence about `path`. */
export function fileError(path: string, error: unknown): InputError {
  if (error instanceof InputError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = REASONS[code] ?? `could not be used (${String(error)})`;
  return new InputError(`${path} ${reason}.`, { cause: error });
}

/**
 * A source over a file on disk. The file is opened for each read and closed after it, so that nothing has
 * to be disposed; its size is taken once, here. Throws `InputError` when it is missing or not a file.
 */
export async function fileSource(path: string): Promise<ByteSource> {
  const size = await fileSize(path);
  return {
    name: path,
    size,
    async read(offset: number, length: number): Promise<Uint8Array> {
      checkRange(path, size, offset, length);
      return readRange(path, offset, length);
    },
  };
}

async function fileSize(path: string): Promise<number> {
  const fs = await nodeFs();
  const stats = await fs.stat(path).catch((error: unknown) => {
    throw fileError(path, error);
  });
  if (stats.isFile()) return stats.size;
  throw fileError(path, Object.assign(new Error('not a file'), { code: 'EISDIR' }));
}

async function readRange(path: string, offset: number, length: number): Promise<Uint8Array> {
  const fs = await nodeFs();
  const handle = await fs.open(path, 'r').catch((error: unknown) => {
    throw fileError(path, error);
  });
  try {
    const bytes = allocate(path, length);
    for (let done = 0; done < length;) {
      const wanted = Math.min(length - done, MAX_CHUNK);
      const { bytesRead } = await handle.read(bytes, done, wanted, offset + done);
      if (bytesRead === 0) checkRange(path, offset + done, offset, length);
      done += bytesRead;
    }
    return bytes;
  } catch (error) {
    throw fileError(path, error);
  } finally {
    await handle.close();
  }
}

function allocate(path: string, length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch {
    throw new InputError(
      `${path}: ${length} bytes at once are more than this machine can hold; use a smaller or sharded file.`,
    );
  }
}
