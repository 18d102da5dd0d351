/**
 * @file Damaged and hostile files: every one gives a typed error or a right load, quickly, without taking more memory than the
 * file's size allows. `CAMADA_FUZZ=100000 npx vitest run packages/hub/test/fuzz.test.ts --testTimeout 3600000` searches
 * longer, `CAMADA_FUZZ_SEED` elsewhere.
 */
import { readFileSync } from 'node:fs';
import { CamadaError } from '@camada/tensor';
import fc from 'fast-check';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import {
  encodeSafetensors,
  loadTokenizer,
  memoryFolder,
  memorySource,
  modelToGguf,
  openCheckpoint,
  openGguf,
  openModelFolder,
  openPickle,
  openSafetensors,
  parseJsonRecord,
  type TensorReader,
} from '@camada/hub';
import { neededFiles } from '../src/remote/needed.ts';
import { parseRepository } from '../src/remote/repository.ts';
import { join8, utf8 } from './support.ts';

const RUNS = Number(process.env['CAMADA_FUZZ'] ?? 3000);
const SEED = Number(process.env['CAMADA_FUZZ_SEED'] ?? 1);

/** A tensor may take 8 bytes for each of the file: f32 from 4-bit blocks, 32-bit integers from bytes. */
const GROWTH = 8;
/** Host memory of arrays above the start, whatever the files say; a collection may be late. */
const SPARE_BYTES = 256 * 2 ** 20;
/** Longest time of one file, in ms; a hundred times what the slowest takes. */
const LONGEST = 5000;

/** Changes of a file. Places are shares of its length, so that they fit every file. */
interface Change {
  readonly kind: 'byte' | 'word' | 'long' | 'cut' | 'insert' | 'remove' | 'copy';
  readonly at: number;
  readonly to: number;
  readonly value: number;
}

const share = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const value = fc.oneof(
  fc.constantFrom(0, 1, 2, 8, 9, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff),
  fc.integer({ min: 0, max: 0xffffffff }),
);
const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('byte', 'byte', 'word', 'long', 'cut', 'insert', 'remove', 'copy'),
  // Half of the changes fall into the first tenth, where headers are.
  at: fc.oneof(
    share,
    share.map((place) => place / 10),
  ),
  to: share,
  value,
});
const changes = fc.array(change, { minLength: 1, maxLength: 5 });

function changed(original: Uint8Array, list: readonly Change[]): Uint8Array {
  let bytes: Uint8Array = original.slice();
  for (const one of list) bytes = apply(bytes, one);
  return bytes;
}

function apply(bytes: Uint8Array, { kind, at, to, value: number }: Change): Uint8Array {
  const place = Math.floor(at * bytes.length);
  const view = new DataView(bytes.buffer);
  const length = 1 + Math.floor(to * 16);
  switch (kind) {
    case 'byte':
      if (place < bytes.length) bytes[place] = number;
      return bytes;
    case 'word':
      if (place + 4 <= bytes.length) view.setUint32(place, number, true);
      return bytes;
    case 'long':
      if (place + 8 <= bytes.length)
        view.setBigUint64(place, BigInt(number) << BigInt(number % 33), true);
      return bytes;
    case 'cut':
      return bytes.slice(0, place);
    case 'insert':
      return join8([
        bytes.slice(0, place),
        new Uint8Array(length).fill(number),
        bytes.slice(place),
      ]);
    case 'remove':
      return join8([bytes.slice(0, place), bytes.slice(place + length)]);
    case 'copy':
      bytes.copyWithin(
        place,
        Math.floor(to * bytes.length),
        Math.floor(to * bytes.length) + length,
      );
      return bytes;
  }
}

/** How many files were refused and how many read: a test that always sees one of the two tests nothing. */
interface Tally {
  refused: number;
  read: number;
}

/** Opens damaged copies of a file and reads all that they hold. */
async function attack(
  original: Uint8Array,
  open: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  await open(original);
  const tally: Tally = { refused: 0, read: 0 };
  const before = process.memoryUsage().arrayBuffers;
  const check = async (list: readonly Change[]): Promise<void> => {
    const start = performance.now();
    await typedErrorOrLoad(() => open(changed(original, list)), tally);
    expect(performance.now() - start).toBeLessThan(LONGEST);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(SPARE_BYTES);
  };
  await fc.assert(fc.asyncProperty(changes, check), { numRuns: RUNS, seed: SEED });
  expect(tally.refused).toBeGreaterThan(RUNS / 10);
  expect(tally.read).toBeGreaterThan(RUNS / 200);
}

async function typedErrorOrLoad(run: () => Promise<void>, tally: Tally): Promise<void> {
  try {
    await run();
    tally.read++;
  } catch (error) {
    if (!(error instanceof CamadaError) || error.message.startsWith('internal:')) throw error;
    expect(error.message.length).toBeLessThan(2000);
    tally.refused++;
  }
}

/** Reads every tensor; none may be larger than the file allows or of another size than its shape says. */
async function readAll(reader: TensorReader, size: number): Promise<void> {
  for (const name of reader.names) {
    const { shape } = reader.entry(name);
    const tensor = await reader.read(name);
    expect(tensor.shape).toEqual(shape);
    expect(tensor.data.length).toBe(shape.reduce((total, length) => total * length, 1));
    expect(tensor.data.byteLength).toBeLessThanOrEqual(GROWTH * size);
    const packed = await reader.packed?.(name);
    if (packed) expect(packed.bytes.byteLength).toBeLessThanOrEqual(size);
  }
}

const tensors = {
  'a.weight': { dtype: 'f32' as const, shape: [3, 4], data: new Float32Array(12).fill(1.5) },
  'b.bias': { dtype: 'f16' as const, shape: [5], data: new Uint16Array(5).fill(0x3c00) },
  count: { dtype: 'i32' as const, shape: [], data: Int32Array.of(7) },
  mask: { dtype: 'bool' as const, shape: [2, 2], data: Uint32Array.of(0, 1, 1, 0) },
};

/** Pieces enough for a vocabulary of both kinds. */
const PIECES = ['<unk>', '<s>', '</s>', '▁', 'a', 'b', 'ab', '▁a'];

const pieceTokenizer = {
  tokenizer: {
    added_tokens: PIECES.slice(0, 3).map((content, id) => ({ id, content, special: true })),
    normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      byte_fallback: true,
      vocab: Object.fromEntries(PIECES.map((text, id) => [text, id])),
      merges: [
        ['a', 'b'],
        ['▁', 'a'],
      ],
    },
  },
  config: { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>', chat_template: 'x' },
};

async function smallGguf(): Promise<Uint8Array> {
  const weight = (name: string, ...shape: number[]) => ({
    name,
    shape,
    read: () => {
      const size = shape.reduce((total, length) => total * length, 1);
      return { dtype: 'f32' as const, shape, data: Float32Array.from({ length: size }, Math.sin) };
    },
  });
  const config = {
    model_type: 'llama',
    hidden_size: 32,
    num_attention_heads: 4,
    num_hidden_layers: 1,
    intermediate_size: 32,
  };
  const weights = [
    weight('model.embed_tokens.weight', 8, 32),
    weight('model.norm.weight', 32),
    weight('model.layers.0.self_attn.q_proj.weight', 32, 32),
  ];
  const chunks: Uint8Array[] = [];
  const model = { config, tokenizer: pieceTokenizer, weights, type: 'Q8_0' as const };
  for await (const chunk of modelToGguf(model)) chunks.push(chunk);
  return join8(chunks);
}

// The library of the tokenizers warns about parts that it does not know.
beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => undefined));

describe('damaged files', () => {
  test('safetensors', async () => {
    await attack(join8(encodeSafetensors(tensors)), async (bytes) =>
      readAll(await openSafetensors(memorySource(bytes)), bytes.length),
    );
  });

  test('GGUF, with its vocabulary', async () => {
    await attack(await smallGguf(), async (bytes) => {
      const model = await openGguf(memorySource(bytes));
      await readAll(model.tensors, bytes.length);
      model.tokenizer?.encode('ab a');
    });
  });

  test('GGUF, every type of block', async () => {
    const original = new Uint8Array(
      readFileSync(new URL('golden/gguf/blocks.gguf', import.meta.url)),
    );
    const embedding = new TextEncoder().encode('token_embd.weight');
    expect(embedding.length).toBe(17);
    await attack(original, async (bytes) => {
      const { readGgufHeader } = await import('../src/gguf/header.ts');
      const { ggufTensors } = await import('../src/gguf/read.ts');
      const { ggufArchitecture } = await import('../src/gguf/architectures.ts');
      const source = memorySource(bytes);
      const header = await readGgufHeader(source);
      const reader = ggufTensors(source, header, ggufArchitecture('llama', 'm'), {
        query: 1,
        key: 1,
      });
      await readAll(reader, bytes.length);
    });
  });

  test.each(['state.pt', 'checkpoint.bin'])('PyTorch pickles: %s', async (name) => {
    const original = new Uint8Array(
      readFileSync(new URL(`golden/pickle/${name}`, import.meta.url)),
    );
    await attack(original, async (bytes) =>
      readAll(await openPickle(memorySource(bytes)), bytes.length),
    );
  });
});

describe('JSON of any content', () => {
  const shard = join8(encodeSafetensors({ x: tensors['a.weight'] }));
  const key = fc.oneof(
    fc.constantFrom(
      'x',
      '__proto__',
      'constructor',
      '__metadata__',
      'weight_map',
      'type',
      'vocab',
      'toString',
    ),
    fc.string(),
  );
  const json = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(
        null,
        true,
        'BPE',
        'a.safetensors',
        '../a.safetensors',
        '/etc/passwd',
        'Sequence',
        -1,
        1e308,
      ),
      fc.double(),
      fc.string(),
      fc.array(tie('value'), { maxLength: 5 }),
      fc
        .array(fc.tuple(key, tie('value')), { maxLength: 5 })
        .map((pairs) => Object.fromEntries(pairs)),
    ),
  })).value;

  /** A valid record in which one value, at any depth, is another. */
  const altered = (record: unknown): fc.Arbitrary<string> =>
    fc.tuple(fc.nat(), json).map(([at, replacement]) => {
      let left = at % countValues(record);
      const text = JSON.stringify(record, (_, item: unknown) =>
        left-- === 0 ? replacement : item,
      );
      return text ?? 'null';
    });

  const check = async (texts: fc.Arbitrary<string>, open: (text: string) => Promise<unknown>) => {
    const tally: Tally = { refused: 0, read: 0 };
    const property = fc.asyncProperty(texts, async (text) => {
      const start = performance.now();
      await typedErrorOrLoad(async () => void (await open(text)), tally);
      expect(performance.now() - start).toBeLessThan(LONGEST);
    });
    await fc.assert(property, { numRuns: RUNS, seed: SEED });
    expect(tally.refused).toBeGreaterThan(RUNS / 20);
    expect(tally.read).toBeGreaterThan(RUNS / 100);
  };
  const folder = (file: string, text: string) =>
    memoryFolder(
      new Map(
        [
          [file, utf8(text)],
          ['a.safetensors', shard],
          ['model.safetensors', shard],
        ].filter(([name]) => name !== 'model.safetensors' || !file.includes('index')) as [
          string,
          Uint8Array,
        ][],
      ),
    );

  test('a safetensors header', async () => {
    const header = {
      __metadata__: { format: 'pt' },
      x: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
    };
    await check(altered(header), async (text) => {
      const bytes = utf8(text);
      const length = new Uint8Array(8);
      new DataView(length.buffer).setBigUint64(0, BigInt(bytes.length), true);
      const file = join8([length, bytes, new Uint8Array(24)]);
      await readAll(await openSafetensors(memorySource(file)), file.length);
    });
  });

  test('an index of shards', async () => {
    const index = { metadata: { total_size: 48 }, weight_map: { x: 'a.safetensors' } };
    await check(altered(index), async (text) =>
      readAll(await openCheckpoint(folder('model.safetensors.index.json', text)), 2 * shard.length),
    );
  });

  test('tokenizer.json', async () => {
    await check(altered(pieceTokenizer.tokenizer), async (text) => {
      const tokenizer = await loadTokenizer(folder('tokenizer.json', text));
      tokenizer.decode(tokenizer.encode('ab a', 'b').ids);
    });
  });

  test('config.json and the texts beside it', async () => {
    const config = {
      model_type: 'llama',
      hidden_size: 4,
      rope_scaling: { type: 'linear', factor: 2 },
    };
    await check(
      fc.oneof(
        altered(config),
        fc.string(),
        json.map((item) => JSON.stringify(item) ?? ''),
      ),
      async (text) => {
        const model = await openModelFolder(folder('config.json', text));
        model.config.string('model_type', 'none');
        model.config.section('rope_scaling')?.number('factor');
        parseJsonRecord(text, 'config.json');
      },
    );
  });
});

function countValues(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return 1 + Object.values(value).reduce((sum: number, item) => sum + countValues(item), 0);
}

describe('names lead nowhere else', () => {
  const part = fc.constantFrom(
    '..',
    '.',
    '',
    'model.safetensors',
    'config.json',
    '1_Pooling',
    'a',
    '\0',
    '~',
  );
  const path = fc.oneof(
    fc.string(),
    fc.array(part, { maxLength: 4 }).map((parts) => parts.join('/')),
  );
  const isSafe = (name: string): boolean => /^(\d+_[A-Za-z]+\/)?[\w-][\w.-]*$/.test(name);

  test('files of a hub', () => {
    const property = fc.property(fc.array(path, { maxLength: 6 }), (paths) => {
      const files = [...paths, 'model.safetensors'].map((name) => ({
        path: name,
        size: 1,
        etag: '',
      }));
      for (const file of neededFiles(files, parseRepository('o/m')))
        expect(file.path).toSatisfy(isSafe);
    });
    fc.assert(property, { numRuns: RUNS, seed: SEED });
  });

  test('models and revisions', () => {
    const property = fc.property(path, path, (name, revision) => {
      for (const text of [name, `o/m@${revision}`, `${name}@${revision}`, `o/m/${name}`]) {
        let parsed;
        try {
          parsed = parseRepository(text);
        } catch (error) {
          expect(error).toBeInstanceOf(CamadaError);
          continue;
        }
        expect(parsed.name).toMatch(/^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/);
        expect(parsed.revision.split('/')).not.toContain('..');
        expect(parsed.revision).toMatch(/^[\w.-]+(\/[\w.-]+)*$/);
        if (parsed.file !== undefined) expect(parsed.file).toSatisfy(isSafe);
      }
    });
    fc.assert(property, { numRuns: RUNS, seed: SEED });
  });
});
