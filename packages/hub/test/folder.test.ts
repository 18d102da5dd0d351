/** @file Folders on disk: files in them and one folder down, and nothing outside. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { directoryFolder } from '@camada/hub';
import { afterAll, expect, test } from 'vitest';

const root = mkdtempSync(join(tmpdir(), 'camada-folder-'));
mkdirSync(join(root, 'model', '1_Pooling', 'deep'), { recursive: true });
for (const path of ['outside.json', 'model/config.json', 'model/1_Pooling/config.json'])
  writeFileSync(join(root, path), '{}');
writeFileSync(join(root, 'model/1_Pooling/deep/config.json'), '{}');

afterAll(() => rmSync(root, { recursive: true, force: true }));

test('files of the folder and of folders in it are opened', async () => {
  const folder = await directoryFolder(join(root, 'model'));
  expect(await folder.list()).toEqual(['config.json']);
  expect((await folder.open('config.json'))?.size).toBe(2);
  expect((await folder.open('1_Pooling/config.json'))?.size).toBe(2);
});

test.each([
  '../outside.json',
  './config.json',
  '1_Pooling',
  '1_Pooling/',
  '1_Pooling/../config.json',
  '1_Pooling/deep/config.json',
  '2_Normalize/config.json',
  '/etc/hostname',
  '',
])('%j is not there', async (path) => {
  const folder = await directoryFolder(join(root, 'model'));
  expect(await folder.open(path)).toBeUndefined();
});
