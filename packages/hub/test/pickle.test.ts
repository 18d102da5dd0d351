/**
 * @file PyTorch checkpoints against PyTorch: what `torch.save` writes is read, and nothing is run. Goldens by
 * `tools/oracle/files.py`.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  fileSource,
  memoryFolder,
  memorySource,
  openCheckpoint,
  openPickle,
  openSafetensors,
} from '@camada/hub';
import { readPickle } from '../src/pickle/machine.ts';
import { readEntryBytes, readZip } from '../src/pickle/zip.ts';
import { expectInputError, join8, utf8 } from './support.ts';

const GOLDEN = new URL('golden/pickle/', import.meta.url).pathname;

describe('what torch.save writes', () => {
  test.each([
    ['state.pt', 'state.safetensors'],
    ['checkpoint.bin', 'checkpoint.safetensors'],
  ])('%s: every type, shared storages, strided views', async (file, golden) => {
    const reader = await openPickle(`${GOLDEN}${file}`);
    const expected = await openSafetensors(`${GOLDEN}${golden}`);
    expect(reader.names).toEqual(expected.names);
    for (const name of expected.names) {
      expect([name, reader.entry(name)]).toEqual([name, expected.entry(name)]);
      expect([name, await reader.read(name)]).toEqual([name, await expected.read(name)]);
    }
    await expectInputError(() => reader.read('weight'), /has no tensor "weight"/);
  });

  test('a folder may hold one, or shards with an index', async () => {
    const state = new Uint8Array(readFileSync(`${GOLDEN}state.pt`));
    const other = new Uint8Array(readFileSync(`${GOLDEN}checkpoint.bin`));
    const single = await openCheckpoint(memoryFolder(new Map([['pytorch_model.bin', state]])));
    expect(single.has('f32')).toBe(true);
    const index = (shard: string): Uint8Array =>
      utf8(JSON.stringify({ weight_map: { f32: 'a.bin', '0.weight': shard } }));
    const open = (shard: string) =>
      openCheckpoint(
        memoryFolder(
          new Map([
            ['pytorch_model.bin.index.json', index(shard)],
            ['a.bin', state],
            ['b.bin', other],
          ]),
        ),
      );
    const sharded = await open('b.bin');
    expect(sharded.names).toEqual(['0.weight', 'f32']);
    expect((await sharded.read('0.weight')).shape).toEqual([2, 3]);
    await expectInputError(
      () => open('../b.bin'),
      /names the shard "\.\.\/b\.bin"; a file beside it/,
    );
  });

  test('what is no plain state dict is refused by name', async () => {
    await expectInputError(
      () => openPickle(`${GOLDEN}evil.bin`),
      /asks for "posix\.system", which is no part of a plain state dict and is never run/,
    );
    await expectInputError(() => openPickle(`${GOLDEN}bare.pt`), /holds no dictionary of named/);
    await expectInputError(() => openPickle(`${GOLDEN}legacy.pt`), /is no zip file/);
  });
});

/** A pickle of protocol 2 with these bytes or texts inside. */
const pickle = (...parts: (string | number[])[]): Uint8Array =>
  join8([
    Uint8Array.of(0x80, 2),
    ...parts.map((part) => (typeof part === 'string' ? utf8(part) : Uint8Array.from(part))),
    utf8('.'),
  ]);

describe('the machine', () => {
  const run = (...parts: (string | number[])[]) => readPickle(pickle(...parts), 'p.bin');

  test('makes plain values', () => {
    expect(run('(N', [0x88, 0x89, 0x4b, 7, 0x4d, 1, 2, 0x4a, 0xff, 0xff, 0xff, 0xff], 't')).toEqual(
      [null, true, false, 7, 513, -1],
    );
    expect(run([0x8a, 2, 0xff, 0x7f])).toBe(32767);
    expect(run('}', [0x8c, 1], 'a', [0x4b, 3], 's')).toEqual(new Map([['a', 3]]));
    expect(run(']', [0x94], '(', [0x4b, 1, 0x4b, 2], 'e', [0x68, 0])).toEqual([1, 2]);
  });

  test.each([
    ['cbuiltins\neval\n', /"builtins\.eval"/],
    ['cos\nsystem\n', /"os\.system"/],
    ['ctorch\nload\n', /"torch\.load"/],
    ['cconstructor\nx\n', /"constructor\.x"/],
  ])('refuses the name in %j', async (text, pattern) => {
    await expectInputError(() => run(text), pattern);
  });

  test.each([
    ['an operation that is not on the list', ['i']],
    ['a text longer than the file', ['X', [255, 255, 255, 127]]],
    ['no mark', ['t']],
    ['no operand', ['R']],
    ['a reference to nothing', ['h', [9]]],
    ['a call of what is no function', ['N', ')', 'R']],
    ['items for what is no list', ['N', '(', 'N', 'e']],
    ['an endless line', ['cabc']],
    ['a storage without a type', ['(N', 't', 'Q']],
  ] as [string, (string | number[])[]][])('refuses %s', async (_, parts) => {
    await expectInputError(() => run(...parts), /^p\.bin is no PyTorch checkpoint/);
  });
});

describe('damage', () => {
  const bytes = new Uint8Array(readFileSync(`${GOLDEN}state.pt`));

  test('is named', async () => {
    const open = (file: Uint8Array) => () => openPickle(memorySource(file, 'm.bin'));
    await expectInputError(open(bytes.slice(0, -100)), /damaged zip file: its directory/);
    await expectInputError(open(bytes.slice(100)), /is no zip file/);
    const compressed = bytes.slice();
    const central = await centralOf(bytes);
    compressed[central + 10] = 8;
    await expectInputError(open(compressed), /is compressed, which PyTorch does not do/);
    const cut = bytes.slice();
    new DataView(cut.buffer).setUint32(central + 24, 0xfffffff, true);
    new DataView(cut.buffer).setUint32(central + 20, 0xfffffff, true);
    await expectInputError(open(cut), /data\.pkl of 268435455 bytes|runs over its end/);
  });

  test('a tensor larger than its storage is refused', async () => {
    const text = new TextDecoder('latin1').decode(bytes);
    const shape = text.indexOf('f32') + text.slice(text.indexOf('f32')).indexOf('K\u0003K\u0005');
    const larger = bytes.slice();
    larger[shape + 1] = 200;
    await expectInputError(
      () => openPickle(memorySource(larger, 'm.bin')),
      /tensor "f32" is no PyTorch checkpoint.*more elements than its storage of 15/,
    );
  });

  async function centralOf(file: Uint8Array): Promise<number> {
    expect((await readZip(await fileSource(`${GOLDEN}state.pt`))).size).toBeGreaterThan(5);
    return new DataView(file.buffer).getUint32(file.length - 6, true);
  }
});

describe('zip files over 4 GB', () => {
  /** One stored entry whose sizes and places are in zip64 fields, as they are beyond 4 GB. */
  function longZip(name: string, content: Uint8Array): Uint8Array {
    const title = utf8(name);
    const bytes = (...fields: [2 | 4 | 8, number][]): Uint8Array => {
      const view = new DataView(new ArrayBuffer(fields.reduce((sum, [width]) => sum + width, 0)));
      let at = 0;
      for (const [width, value] of fields) {
        if (width === 2) view.setUint16(at, value, true);
        else if (width === 4) view.setUint32(at, value, true);
        else view.setBigUint64(at, BigInt(value), true);
        at += width;
      }
      return new Uint8Array(view.buffer);
    };
    const local = join8([
      bytes([4, 0x04034b50], [2, 45], [2, 0], [2, 0], [4, 0], [4, 0]),
      bytes([4, 0xffffffff], [4, 0xffffffff], [2, title.length], [2, 0]),
      title,
      content,
    ]);
    const central = join8([
      bytes([4, 0x02014b50], [2, 45], [2, 45], [2, 0], [2, 0], [4, 0], [4, 0]),
      bytes([4, 0xffffffff], [4, 0xffffffff], [2, title.length], [2, 32], [2, 0], [2, 0]),
      bytes([2, 0], [4, 0], [4, 0xffffffff]),
      title,
      bytes([2, 9], [2, 0], [2, 1], [2, 24], [8, content.length], [8, content.length], [8, 0]),
    ]);
    const end = bytes([4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0]);
    const rest = bytes([8, 1], [8, 1], [8, central.length], [8, local.length]);
    const locator = bytes([4, 0x07064b50], [4, 0], [8, local.length + central.length], [4, 1]);
    const short = bytes([4, 0x06054b50], [2, 0xffff], [2, 0xffff], [2, 0xffff], [2, 0xffff]);
    return join8([
      local,
      central,
      end,
      rest,
      locator,
      short,
      bytes([4, 0xffffffff], [4, 0xffffffff], [2, 0]),
    ]);
  }

  test('are found through their zip64 records', async () => {
    const source = memorySource(longZip('archive/data.pkl', utf8('content')), 'm.bin');
    const entries = await readZip(source);
    expect([...entries]).toEqual([['archive/data.pkl', { header: 0, size: 7 }]]);
    const entry = entries.get('archive/data.pkl')!;
    expect(await readEntryBytes(source, entry)).toEqual(utf8('content'));
    expect(await readEntryBytes(source, entry, 3, 2)).toEqual(utf8('te'));
    await expectInputError(() => readEntryBytes(source, entry, 3, 5), /runs over its end/);
  });
});
