/**
 * @file Where optional test data lies: a folder `shared` next to the checkout. A test that needs it is
 * skipped where it is absent: `test.skipIf(!sharedPath('models/x'))`.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Path of a file or folder in `../shared`, or undefined where it does not exist. */
export function sharedPath(relative: string): string | undefined {
  const path = fileURLToPath(new URL(`../../shared/${relative}`, import.meta.url));
  return existsSync(path) ? path : undefined;
}
