/**
 * @file Writing files so that nothing half-written remains: every file is written under a temporary name
 * beside its goal, flushed, and renamed; a failure removes the temporary file and leaves the old one.
 */
import { fileError, nodeFs } from './node.ts';

/** Bytes in order; a generator makes them as they are written. */
export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** One file to write: its path and its bytes in order. */
export interface FileContent {
  readonly path: string;
  readonly chunks: Chunks;
}

/**
 * Writes several files, making their folders. All are complete under temporary names before the first is
 * renamed, and they are renamed in the order given. Throws `InputError` naming the file that failed.
 */
export async function writeFiles(files: readonly FileContent[]): Promise<void> {
  const staged: { temporary: string; path: string }[] = [];
  try {
    for (const file of files) {
      const temporary = `${file.path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
      staged.push({ temporary, path: file.path });
      await writeChunks(temporary, file);
    }
    for (const { temporary, path } of staged) await rename(temporary, path);
  } catch (error) {
    const fs = await nodeFs();
    // Whatever cannot be removed was never made; the first failure is the one to tell.
    await Promise.allSettled(staged.map(({ temporary }) => fs.rm(temporary, { force: true })));
    throw error;
  }
}

/** Writes one file whole or not at all. Throws `InputError` naming the file. */
export async function writeFile(path: string, chunks: Chunks): Promise<void> {
  await writeFiles([{ path, chunks }]);
}

/** The bytes of a JSON file: two spaces, a line end at the end. */
export function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}

/** Writes a value as JSON, whole or not at all. Throws `InputError` naming the file. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(path, [jsonBytes(value)]);
}

async function rename(from: string, to: string): Promise<void> {
  const fs = await nodeFs();
  await fs.rename(from, to).catch((error: unknown) => {
    throw fileError(to, error);
  });
}

async function writeChunks(temporary: string, file: FileContent): Promise<void> {
  const fs = await nodeFs();
  try {
    await fs.mkdir(parent(file.path), { recursive: true });
    const handle = await fs.open(temporary, 'wx');
    try {
      for await (const chunk of file.chunks) await handle.writeFile(chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(file.path, error);
  }
}

/** The folder a path lies in, with either kind of slash. */
function parent(path: string): string {
  const slash = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'));
  return slash < 0 ? '.' : path.slice(0, slash + 1);
}
