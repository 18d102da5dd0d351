/** @file Text and JSON out of sources, with errors that name the file and the line. */
import { InputError } from '@camada/tensor';
import type { ByteSource } from './source.ts';

/** Largest text read at once; V8 holds no string much longer. */
const MAX_TEXT = 2 ** 29 - 1024;

/**
 * The text of a source: UTF-8, its byte-order mark dropped. Throws `InputError` on other encodings and on
 * files of 512 MB and more.
 */
export async function readText(source: ByteSource): Promise<string> {
  if (source.size > MAX_TEXT) {
    throw new InputError(
      `${source.name} holds ${source.size} bytes; text is read up to ${MAX_TEXT}, so split the file.`,
    );
  }
  return decodeUtf8(await source.read(0, source.size), source.name);
}

/** Decodes UTF-8, dropping a byte-order mark. Throws `InputError` with the line of the first bad byte. */
export function decodeUtf8(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`${file}: ${encodingProblem(bytes)}; save the file as UTF-8.`);
  }
}

function encodingProblem(bytes: Uint8Array): string {
  const [a, b] = bytes;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return 'the text is UTF-16';
  const lossy = new TextDecoder().decode(bytes);
  const line = lossy.slice(0, Math.max(0, lossy.indexOf('\ufffd'))).split('\n').length;
  return `line ${line} is not UTF-8`;
}

/** A parsed JSON object. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** Parses JSON. Throws `InputError` naming the file and the place. */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new InputError(`${file} is not valid JSON (${detail}); correct it or download it again.`);
  }
}

/** Parses JSON that must be an object. Throws `InputError` naming the file. */
export function parseJsonRecord(text: string, file: string): JsonRecord {
  const value = parseJson(text, file);
  if (isRecord(value)) return value;
  throw new InputError(`${file} must hold one JSON object, {…}, but holds ${describe(value)}.`);
}

/** Reads a JSON object from a source. Throws `InputError` naming the file. */
export async function readJsonRecord(source: ByteSource): Promise<JsonRecord> {
  return parseJsonRecord(await readText(source), source.name);
}

/** True for JSON objects, false for arrays, null and everything else. */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as an error message shows it: its JSON, cut to 60 characters. */
export function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
