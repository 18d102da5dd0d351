/**
 * @file Writes a model folder again with Camada's writer, in shards of at most so many bytes:
 * `node tools/oracle/reshard.mjs FROM TO BYTES` prints `{ "files": […] }`.
 */
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openModelFolder, writeCheckpoint } from '@camada/hub';

const [from, to, bytes] = process.argv.slice(2);
const { tensors } = await openModelFolder(from);
const entries = new Map();
for (const name of tensors.names) entries.set(name, await tensors.read(name));
mkdirSync(to, { recursive: true });
await writeCheckpoint(to, entries, { maxShardBytes: Number(bytes) });
for (const file of readdirSync(from).filter(
  (name) => name.endsWith('.json') && !name.includes('index'),
))
  copyFileSync(join(from, file), join(to, file));
const files = readdirSync(to).filter((name) => name.endsWith('.safetensors'));
process.stdout.write(JSON.stringify({ files }) + '\n');
