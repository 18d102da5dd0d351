/**
 * @file `config.json` and its like: a plain record, with typed readers whose errors name the file and the
 * key. Nothing is assumed about the architecture here.
 */
import { InputError } from '@camada/tensor';
import { openSource } from '../bytes/folder.ts';
import type { ByteSource } from '../bytes/source.ts';
import { describe, isRecord, readJsonRecord, type JsonRecord } from '../bytes/text.ts';

/** A JSON object with typed access to its keys. Every method throws `InputError` naming file and key. */
export class Config {
  /** The file it was read from, for errors. */
  readonly file: string;
  /** All keys as they stand in the file. */
  readonly values: JsonRecord;

  /** A config over a record; `file` is what errors call it. */
  constructor(values: JsonRecord, file: string) {
    this.values = values;
    this.file = file;
  }

  /** True when the key is there and not null. */
  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** The value of a key as it stands; undefined where it is missing or null. */
  get(key: string): unknown {
    return Object.hasOwn(this.values, key) ? (this.values[key] ?? undefined) : undefined;
  }

  /** A finite number; `fallback` where the key is missing. */
  number(key: string, fallback?: number): number {
    return this.#typed(key, fallback, 'a finite number', Number.isFinite);
  }

  /** A whole number from 0; `fallback` where the key is missing. */
  integer(key: string, fallback?: number): number {
    const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
    return this.#typed(key, fallback, 'a whole number from 0', isCount);
  }

  /** A string; `fallback` where the key is missing. */
  string(key: string, fallback?: string): string {
    return this.#typed(key, fallback, 'a string', (value) => typeof value === 'string');
  }

  /** True or false; `fallback` where the key is missing. */
  boolean(key: string, fallback?: boolean): boolean {
    return this.#typed(key, fallback, 'true or false', (value) => typeof value === 'boolean');
  }

  /** A list of strings; `fallback` where the key is missing. */
  strings(key: string, fallback?: readonly string[]): readonly string[] {
    const isList = (value: unknown): boolean =>
      Array.isArray(value) && value.every((item) => typeof item === 'string');
    return this.#typed(key, fallback, 'a list of strings', isList);
  }

  /** A nested object as a config of its own; undefined where the key is missing. */
  section(key: string): Config | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (isRecord(value)) return new Config(value, `${this.file} › ${key}`);
    throw this.#wrong(key, 'an object');
  }

  #typed<T>(
    key: string,
    fallback: T | undefined,
    allowed: string,
    test: (value: unknown) => boolean,
  ): T {
    const value = this.get(key) ?? fallback;
    // `test` decides the type that `allowed` names; each caller pairs the two.
    if (value !== undefined && test(value)) return value as T;
    throw this.#wrong(key, allowed);
  }

  #wrong(key: string, allowed: string): InputError {
    const given = this.get(key);
    const state = given === undefined ? 'is missing' : `is ${describe(given)}`;
    return new InputError(
      `${this.file}: "${key}" ${state}, but must be ${allowed}; correct the file.`,
    );
  }
}

/** Reads a JSON object from a path (Node) or a source. Throws `InputError` naming the file. */
export async function readConfig(file: string | ByteSource): Promise<Config> {
  const source = await openSource(file);
  return new Config(await readJsonRecord(source), source.name);
}
