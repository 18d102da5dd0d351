/** @file Reads the fields of a `config.json` of unknown content, with errors that name the field. */
import { InputError } from '@camada/tensor';

/** Checked access to the fields of one record. */
export class ConfigReader {
  readonly #record: Readonly<Record<string, unknown>>;

  /** Throws InputError unless `config` is an object. */
  constructor(config: unknown) {
    if (typeof config !== 'object' || config === null || Array.isArray(config))
      throw new InputError('config.json: the file must hold one JSON object');
    this.#record = config as Record<string, unknown>;
  }

  /** The raw value; null counts as absent. */
  get(key: string): unknown {
    return this.#record[key] ?? undefined;
  }

  /** Whether the field is there, be it null. */
  has(key: string): boolean {
    return Object.hasOwn(this.#record, key);
  }

  /** A whole number in [1, 2³¹). Throws InputError when it is anything else, or absent without a default. */
  size(key: string, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value < 2 ** 31)
      return value;
    throw this.bad(key, value, 'a whole number of at least 1');
  }

  /** A whole number in [0, 2³¹). */
  index(key: string, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31)
      return value;
    throw this.bad(key, value, 'a whole number of at least 0');
  }

  /** A finite number above 0. */
  positive(key: string, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    throw this.bad(key, value, 'a number above 0');
  }

  /** A number in [0, 1). */
  probability(key: string, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    if (typeof value === 'number' && value >= 0 && value < 1) return value;
    throw this.bad(key, value, 'a number in [0, 1)');
  }

  /** A string. */
  text(key: string, fallback?: string): string {
    const value = this.get(key) ?? fallback;
    if (typeof value === 'string') return value;
    throw this.bad(key, value, 'a string');
  }

  /** true or false. */
  flag(key: string, fallback: boolean): boolean {
    const value = this.get(key) ?? fallback;
    if (typeof value === 'boolean') return value;
    throw this.bad(key, value, 'true or false');
  }

  /** A list of strings; empty when absent. */
  texts(key: string): string[] {
    const value = this.get(key) ?? [];
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
    throw this.bad(key, value, 'a list of strings');
  }

  /** An object; undefined when absent. */
  record(key: string): Readonly<Record<string, unknown>> | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
    throw this.bad(key, value, 'an object');
  }

  /** Throws InputError unless the field is absent or has the one value that is supported. */
  only(key: string, supported: string | number | boolean): void {
    const value = this.get(key);
    if (value === undefined || value === supported) return;
    throw new InputError(
      `config.json: ${key} = ${JSON.stringify(value)} is not supported, only ${JSON.stringify(supported)}`,
    );
  }

  /** The error for a field that is absent or of the wrong kind. */
  bad(key: string, value: unknown, wanted: string): InputError {
    if (value === undefined)
      return new InputError(`config.json: '${key}' is missing; it must be ${wanted}`);
    return new InputError(
      `config.json: '${key}' is ${JSON.stringify(value)}; it must be ${wanted}`,
    );
  }
}
