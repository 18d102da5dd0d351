/** @file Where downloaded files are kept. A file grows as a partial one and gets its name when its checksum is right. */
import type { Folder } from '../bytes/folder.ts';
import type { RemoteFile } from './listing.ts';

/** A place for the files of one model. */
export interface FileStore {
  /** Whether the file is there, whole and checked. */
  has(file: RemoteFile): Promise<boolean>;
  /** Bytes of the file that an earlier download left. */
  partialSize(file: RemoteFile): Promise<number>;
  /** Adds bytes to the partial file; what arrived before a failure stays. */
  append(file: RemoteFile, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** The checksum of the partial file in hexadecimal digits, of `prefix` and its bytes. */
  digest(file: RemoteFile, algorithm: 'sha256' | 'sha1', prefix: Uint8Array): Promise<string>;
  /** Gives the partial file its name. */
  finish(file: RemoteFile): Promise<void>;
  /** Removes the partial file. */
  discard(file: RemoteFile): Promise<void>;
  /** Makes the files of a commit visible as a folder, and notes that the revision means this commit. */
  publish(commit: string, files: readonly RemoteFile[]): Promise<Folder>;
  /** The folder of an earlier `publish`; undefined where there is none. */
  published(): Promise<Folder | undefined>;
}
