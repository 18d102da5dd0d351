/**
 * @file Output folders (Node), whole or not at all: everything is written into a temporary folder beside the goal,
 * which is renamed at the end.
 */
import { InputError } from '@camada/tensor';
import { writeFiles, type Chunks } from '@camada/hub';
import { RECORD_FILE } from '../model/adapter.ts';

/** Files by name, each its bytes in order; large ones are made while they are written, so go through each once. */
export type Files = ReadonlyMap<string, Chunks>;

/**
 * Throws InputError unless a folder of this name can be made: nothing is there, an empty folder, or an earlier
 * output, which would be replaced. Call it before long work.
 */
export async function checkOutput(directory: string): Promise<void> {
  const names = await contents(directory);
  if (names.length === 0 || names.includes(RECORD_FILE)) return;
  throw new InputError(
    `${directory} holds other files (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}); ` +
      'name a new folder, or empty this one.',
  );
}

/** Writes an output folder. Throws InputError as `checkOutput` does, or when the disk refuses. */
export async function saveFiles(directory: string, files: Files): Promise<void> {
  await checkOutput(directory);
  const fs = await import('node:fs/promises');
  const path = await import('node:path');
  const goal = path.resolve(directory);
  const mark = crypto.randomUUID().slice(0, 8);
  const [fresh, old] = [`${goal}.${mark}.tmp`, `${goal}.${mark}.old`];
  try {
    await writeFiles([...files].map(([name, chunks]) => ({ path: `${fresh}/${name}`, chunks })));
    if (await exists(goal)) await fs.rename(goal, old);
    await fs.rename(fresh, goal);
  } catch (error) {
    await fs.rm(fresh, { recursive: true, force: true });
    if ((await exists(old)) && !(await exists(goal))) await fs.rename(old, goal);
    throw refusal(directory, error);
  }
  await fs.rm(old, { recursive: true, force: true });
}

function refusal(directory: string, error: unknown): InputError {
  if (error instanceof InputError) return error;
  return new InputError(
    `${directory} could not be written (${String(error)}); name another folder.`,
    {
      cause: error,
    },
  );
}

async function contents(directory: string): Promise<string[]> {
  const fs = await import('node:fs/promises');
  try {
    return await fs.readdir(directory);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return [];
    const reason =
      code === 'ENOTDIR' ? 'is a file, not a folder' : `cannot be read (${String(code)})`;
    throw new InputError(`${directory} ${reason}; name another folder.`, { cause: error });
  }
}

async function exists(path: string): Promise<boolean> {
  const fs = await import('node:fs/promises');
  return fs.stat(path).then(
    () => true,
    () => false,
  );
}
