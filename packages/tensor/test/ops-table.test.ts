/** @file docs/ops.md says what the catalogue says; its errors are measured anew by `node tools/ops.mjs`. */
import { readFileSync } from 'node:fs';
import { CATALOGUE } from '@camada/tensor/catalogue';
import { expect, test } from 'vitest';

test('docs/ops.md lists every operation with its types and gradient', () => {
  const text = readFileSync(new URL('../../../docs/ops.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` +\| ([\w ]+?) +\| (\w+) +\|/gm)];
  const listed = rows.map(([, name, types, gradient]) => `${name}: ${types}; ${gradient}`);
  const known = [...CATALOGUE].map(
    ([name, { dtypes, gradient }]) => `${name}: ${dtypes.join(' ')}; ${gradient}`,
  );
  expect(listed).toEqual(known);
});
