/**
 * @file Folders of files: a directory in Node, or files picked or downloaded in a browser. Model folders,
 * tokenizers and sharded checkpoints are read through this one interface.
 */
import { InputError } from '@camada/tensor';
import { fileError, fileSource, nodeFs } from './node.ts';
import { memorySource, type ByteSource } from './source.ts';

/** A set of named files. */
export interface Folder {
  /** What errors call it. */
  readonly name: string;
  /** Where it lies on disk; undefined where it does not. */
  readonly path?: string;
  /** Names of the files directly inside, sorted. */
  list(): Promise<readonly string[]>;
  /** Names of the folders directly inside, sorted; left out where they cannot be listed. */
  folders?(): Promise<readonly string[]>;
  /** Opens a file, `name` or `folder/name`, or gives undefined where there is none of that name. */
  open(file: string): Promise<ByteSource | undefined>;
}

/** A directory of the file system (Node). Throws `InputError` when it is missing or not a directory. */
export async function directoryFolder(path: string): Promise<Folder> {
  const names = await listFiles(path);
  const base = path.endsWith('/') ? path : `${path}/`;
  return {
    name: path,
    path,
    list: () => listFiles(path),
    folders: () => listEntries(path, true),
    async open(file: string): Promise<ByteSource | undefined> {
      const present = names.includes(file) || (await holds(path, file));
      return present ? fileSource(base + file) : undefined;
    },
  };
}

/** Whether a file lies in a directory or in a folder of it; no path leads out. */
async function holds(path: string, file: string): Promise<boolean> {
  const [folder, name, ...deeper] = file.split('/') as [string, string?, ...string[]];
  if (name === undefined) return (await listFiles(path)).includes(file);
  if (deeper.length > 0 || /^\.{0,2}$|\\/.test(folder)) return false;
  const inside = await listFiles(`${path}/${folder}`).catch((): string[] => []);
  return inside.includes(name);
}

function listFiles(path: string): Promise<readonly string[]> {
  return listEntries(path, false);
}

async function listEntries(path: string, folders: boolean): Promise<readonly string[]> {
  const fs = await nodeFs();
  try {
    const entries = await fs.readdir(path, { withFileTypes: true });
    const wanted = entries.filter((entry) => entry.isDirectory() === folders);
    return wanted.map((entry) => entry.name).sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') {
      throw new InputError(
        `${path} is a file, but a folder was expected; name the folder it lies in.`,
      );
    }
    throw fileError(path, error);
  }
}

/** A folder of bytes or sources held by name: downloads, files picked in a browser, tests. */
export function memoryFolder(
  files: ReadonlyMap<string, Uint8Array | ByteSource>,
  name = 'memory',
): Folder {
  return {
    name,
    list: () => Promise.resolve([...files.keys()].sort()),
    folders: () => Promise.resolve([...new Set([...files.keys()].flatMap(folderOf))].sort()),
    open(file: string): Promise<ByteSource | undefined> {
      const found = files.get(file);
      const source = found instanceof Uint8Array ? memorySource(found, `${name}/${file}`) : found;
      return Promise.resolve(source);
    },
  };
}

function folderOf(file: string): string[] {
  const slash = file.indexOf('/');
  return slash < 0 ? [] : [file.slice(0, slash)];
}

/** A folder inside a folder. */
export function subfolder(folder: Folder, name: string): Folder {
  return {
    name: `${folder.name}/${name}`,
    ...(folder.path !== undefined && { path: `${folder.path}/${name}` }),
    async list(): Promise<readonly string[]> {
      if (folder.path !== undefined) return listFiles(`${folder.path}/${name}`);
      const files = await folder.list();
      const prefix = `${name}/`;
      return files
        .filter((file) => file.startsWith(prefix))
        .map((file) => file.slice(prefix.length));
    },
    open: (file) => folder.open(`${name}/${file}`),
  };
}

/** The folder itself, or the directory that a path names. Throws `InputError` when there is none. */
export async function openFolder(folder: string | Folder): Promise<Folder> {
  return typeof folder === 'string' ? directoryFolder(folder) : folder;
}

/** The source itself, or the file that a path names. Throws `InputError` when there is none. */
export async function openSource(source: string | ByteSource): Promise<ByteSource> {
  return typeof source === 'string' ? fileSource(source) : source;
}

/** Opens a file that must be there. Throws `InputError` listing what the folder holds instead. */
export async function openRequired(folder: Folder, file: string): Promise<ByteSource> {
  const source = await folder.open(file);
  if (source) return source;
  const names = (await folder.list()).slice(0, 12).join(', ') || 'nothing';
  throw new InputError(`${folder.name} has no ${file} (it holds ${names}); check the path.`);
}
