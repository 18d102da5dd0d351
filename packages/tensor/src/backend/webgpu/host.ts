/**
 * @file What differs between hosts: modules that only exist in Node are imported by a name that bundlers
 * do not see, and only after asking where we are.
 */

/** True in Node and in hosts that imitate it. */
export function inNode(): boolean {
  return typeof process !== 'undefined' && typeof process.versions?.node === 'string';
}

/** The value of an environment variable; undefined in a browser or when empty. */
export function environment(name: string): string | undefined {
  const value = inNode() ? process.env[name] : undefined;
  return value === '' ? undefined : value;
}

/** Imports a module out of sight of bundlers. */
export async function importHidden<T>(name: string): Promise<T> {
  return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as T;
}
