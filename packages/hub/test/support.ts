/** @file What the tests of this package share: temporary folders, real files where they are, error checks. */
import { InputError } from '@camada/tensor';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { sharedPath } from '../../../tools/shared.ts';

/** Folder of real models and data beside the checkout; optional, so tests on it are skipped without it. */
export const SHARED: string = sharedPath('') ?? '';

/** True when the real files are there. */
export const hasShared: boolean = SHARED !== '';

/** Runs `body` in a fresh folder and removes it. */
export async function inFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'camada-hub-'));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Expects an `InputError` of one sentence that ends with a full stop and matches. */
export async function expectInputError(run: () => unknown, pattern: RegExp): Promise<void> {
  const error = await failure(run);
  expect(error).toBeInstanceOf(InputError);
  const { message } = error as InputError;
  expect(message).toMatch(pattern);
  expect(message).toMatch(/[.]$/);
  expect(message).not.toContain('\n');
}

/** What `run` throws or rejects with; undefined where it does not. */
export async function failure(run: () => unknown): Promise<unknown> {
  try {
    await run();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** UTF-8 bytes. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Chunks as one array. */
export function join8(chunks: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(chunks.reduce((n, chunk) => n + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.byteLength;
  }
  return out;
}
