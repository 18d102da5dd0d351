/** @file What a hub says about a model: its commit and its files, by the library `@huggingface/hub`. */
import { InputError } from '@camada/tensor';
import type { Connection } from './options.ts';
import type { Repository } from './repository.ts';

/** A file on a hub. */
export interface RemoteFile {
  /** Path inside the model. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Its checksum: SHA-256 of large files, Git's SHA-1 of others; also its name in the cache. */
  readonly etag: string;
}

/** A model at one commit. */
export interface Listing {
  /** The commit's 40 hexadecimal digits. */
  readonly commit: string;
  readonly files: readonly RemoteFile[];
}

/** Most files of a model that are looked at. */
const MAX_FILES = 20_000;

/** Asks a hub for a model's commit and files. Throws `InputError` that says in words why it cannot. */
export async function listModel(
  { name, revision }: Repository,
  { endpoint, token }: Connection,
): Promise<Listing> {
  const { listFiles, modelInfo } = await import('@huggingface/hub');
  const common = { hubUrl: endpoint, ...(token !== undefined && { accessToken: token }) };
  try {
    const info = await modelInfo({ name, revision, additionalFields: ['sha'], ...common });
    const commit = checkHex(info.sha, 40, name);
    const files: RemoteFile[] = [];
    const listed = listFiles({ repo: name, revision: commit, recursive: true, ...common });
    for await (const { type, path, size, oid, lfs } of listed) {
      if (files.length >= MAX_FILES)
        throw new InputError(`${name} has more than ${MAX_FILES} files.`);
      const etag = lfs ? checkHex(lfs.oid, 64, path) : oid;
      if (type === 'file') files.push({ path, size, etag: checkHex(etag, lfs ? 64 : 40, path) });
    }
    return { commit, files };
  } catch (error) {
    throw inWords(error, { name, revision }, endpoint);
  }
}

/** A checksum becomes a file name, so it must be one. */
function checkHex(value: unknown, length: number, what: string): string {
  if (typeof value === 'string' && value.length === length && /^[0-9a-f]+$/.test(value))
    return value;
  throw new InputError(
    `The hub gives ${JSON.stringify(value)} as the checksum of ${what}; ${length} hexadecimal digits are expected.`,
  );
}

function inWords(
  error: unknown,
  { name, revision }: Pick<Repository, 'name' | 'revision'>,
  endpoint: string,
): InputError {
  if (error instanceof InputError) return error;
  if (error instanceof Error && 'statusCode' in error)
    return refusal(Number(error.statusCode), `${name}@${revision}`, endpoint);
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return new InputError(
    `${endpoint} cannot be asked for ${name} (${describeCause(cause)}); check the connection, or set HF_HUB_OFFLINE=1 ` +
      'to use what was downloaded before.',
    { cause: error },
  );
}

/** What went wrong with a connection, on one line. */
export function describeCause(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.replaceAll(/\s+/g, ' ').slice(0, 200).replace(/\.$/, '');
}

/** The error for an HTTP status that is not a success. */
export function refusal(status: number, what: string, endpoint: string): InputError {
  const reason =
    {
      401: `is private, gated or does not exist; set HF_TOKEN to a token that may read it, and check the name`,
      403: `may not be read with this token; accept its terms on its page, or use another token`,
      404: `does not exist; check the name and the revision`,
      429: `was asked for too often; wait a while`,
    }[status] ?? `could not be read (HTTP status ${status}); try again later`;
  return new InputError(`${what} on ${endpoint} ${reason}.`);
}
