/**
 * @file Downloading one file: from where an earlier attempt ended, again after a broken connection, and never kept with a
 * wrong checksum.
 */
import { InputError } from '@camada/tensor';
import { describeCause, refusal, type RemoteFile } from './listing.ts';
import type { Connection } from './options.ts';
import type { FileStore } from './store.ts';

/** Attempts in a row that bring no byte before a download is given up. */
const MAX_ATTEMPTS = 5;

/** A connection that broke; the download goes on where it ended. */
class Interruption extends Error {
  override name = 'Interruption';
}

/** What a file is fetched from. */
export interface Origin {
  readonly url: string;
  readonly connection: Connection;
  /** Milliseconds before the second attempt; each further one waits twice as long. */
  readonly patience: number;
}

/**
 * Downloads a file into a store. Throws `InputError` when the hub refuses it, when the connection keeps breaking (what
 * arrived stays for the next time), or when the checksum is wrong (nothing stays).
 */
export async function downloadFile(
  file: RemoteFile,
  store: FileStore,
  origin: Origin,
): Promise<void> {
  if (await store.has(file)) return;
  await transferAll(file, store, origin);
  await checkDigest(file, store);
  await store.finish(file);
}

async function transferAll(file: RemoteFile, store: FileStore, origin: Origin): Promise<void> {
  for (let attempt = 1, before = -1; ; attempt++) {
    const done = await partialSize(file, store);
    if (done === file.size && done > 0) return;
    if (done > before) attempt = 1;
    before = done;
    try {
      await transfer(file, store, origin, done);
      return;
    } catch (error) {
      if (!(error instanceof Interruption)) throw error;
      if (attempt >= MAX_ATTEMPTS || origin.connection.signal?.aborted)
        throw new InputError(
          `${file.path}: the download ended after ${await store.partialSize(file)} of ${file.size} bytes ` +
            `(${error.message}); run it again to go on from there.`,
          { cause: error },
        );
      await wait(origin.patience * 2 ** (attempt - 1));
    }
  }
}

/** What an earlier attempt left; too many bytes are none. */
async function partialSize(file: RemoteFile, store: FileStore): Promise<number> {
  const size = await store.partialSize(file);
  if (size <= file.size) return size;
  await store.discard(file);
  return 0;
}

async function transfer(
  file: RemoteFile,
  store: FileStore,
  origin: Origin,
  from: number,
): Promise<void> {
  const response = await request(file, origin, from);
  const start = from > 0 && response.status === 206 ? from : 0;
  if (from > 0 && start === 0) await store.discard(file);
  if (response.status === 206 && rangeStart(response) !== start)
    throw new InputError(
      `${file.path}: the server answers with another part of the file than was asked for.`,
    );
  await store.append(file, counted(file, response, start, origin));
}

async function request(file: RemoteFile, origin: Origin, from: number): Promise<Response> {
  const { endpoint, token, signal } = origin.connection;
  const headers: Record<string, string> = { 'Accept-Encoding': 'identity' };
  if (token !== undefined) headers['Authorization'] = `Bearer ${token}`;
  if (from > 0) headers['Range'] = `bytes=${from}-`;
  const response = await fetch(origin.url, { headers, ...(signal && { signal }) }).catch(
    (error: unknown) => {
      throw interruption(error);
    },
  );
  if (response.status === 200 || response.status === 206) return response;
  await response.body?.cancel();
  if (response.status >= 500 || response.status === 429)
    throw new Interruption(`HTTP status ${response.status}`);
  throw refusal(response.status, file.path, endpoint);
}

function rangeStart(response: Response): number {
  return Number(/^bytes (\d+)-/.exec(response.headers.get('Content-Range') ?? '')?.[1]);
}

/** The bytes of an answer, counted: more than the file's size are refused, fewer are an interruption. */
async function* counted(
  file: RemoteFile,
  response: Response,
  start: number,
  { connection }: Origin,
): AsyncGenerator<Uint8Array> {
  let done = start;
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const part = await reader?.read().catch((error: unknown) => {
        throw interruption(error);
      });
      if (!part || part.done) break;
      done += part.value.byteLength;
      if (done > file.size)
        throw new InputError(
          `${file.path}: the server sends more than the ${file.size} bytes that the listing names.`,
        );
      yield part.value;
      connection.onProgress?.({ file: file.path, done, total: file.size });
    }
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
  if (done < file.size) throw new Interruption(`it closed after ${done} bytes`);
}

function interruption(error: unknown): Interruption {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return new Interruption(describeCause(cause), { cause: error });
}

/** Large files by SHA-256, others as Git names them: SHA-1 of `blob`, their length and their bytes. */
async function checkDigest(file: RemoteFile, store: FileStore): Promise<void> {
  const isLarge = file.etag.length === 64;
  const prefix = new TextEncoder().encode(isLarge ? '' : `blob ${file.size}\0`);
  const digest = await store.digest(file, isLarge ? 'sha256' : 'sha1', prefix);
  if (digest === file.etag) return;
  await store.discard(file);
  throw new InputError(
    `${file.path} arrived with the checksum ${digest} instead of ${file.etag}; it was thrown away, so try again.`,
  );
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
