/** @file safetensors: round trips, the exact bytes, damage of every kind, shards. */
import {
  convertFloats,
  encodeSafetensors,
  memoryFolder,
  memorySource,
  openCheckpoint,
  openSafetensors,
  toFloat32,
  writeCheckpoint,
  writeSafetensors,
  type ByteSource,
  type TensorData,
} from '@camada/hub';
import { InputError, type DType } from '@camada/tensor';
import fc from 'fast-check';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { expectInputError, failure, inFolder, join8, utf8 } from './support.ts';

const DTYPES: readonly DType[] = ['f32', 'f16', 'bf16', 'i32', 'u32', 'bool'];

function arrayOf(dtype: DType, bits: readonly number[]): TensorData['data'] {
  if (dtype === 'f32') return new Float32Array(Int32Array.from(bits).buffer);
  if (dtype === 'i32') return Int32Array.from(bits);
  if (dtype === 'u32') return Uint32Array.from(bits);
  if (dtype === 'bool') return Uint32Array.from(bits, (value) => value & 1);
  return Uint16Array.from(bits);
}

const tensorArbitrary: fc.Arbitrary<TensorData> = fc
  .tuple(fc.constantFrom(...DTYPES), fc.array(fc.nat(4), { maxLength: 3 }))
  .chain(([dtype, shape]) => {
    const size = shape.reduce((n, length) => n * length, 1);
    const bits = fc.array(fc.integer(), { minLength: size, maxLength: size });
    return bits.map((values) => ({ dtype, shape, data: arrayOf(dtype, values) }));
  });

const entriesArbitrary: fc.Arbitrary<Map<string, TensorData>> = fc
  .dictionary(
    fc.string({ unit: 'binary' }).filter((name) => name !== '__metadata__'),
    tensorArbitrary,
    { maxKeys: 6 },
  )
  .map((record) => new Map(Object.entries(record)));

/** Bits, so that NaN and −0 count. */
function bitsOf(data: TensorData['data']): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** A file of a header given as text. */
function fileOf(header: string, dataBytes: number): Uint8Array {
  const json = utf8(header);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.byteLength), true);
  return join8([length, json, new Uint8Array(dataBytes)]);
}

const open = (header: string, dataBytes: number): (() => Promise<unknown>) => {
  return () => openSafetensors(memorySource(fileOf(header, dataBytes), 'w.safetensors'));
};

describe('round trip', () => {
  test('random tensors of every type come back bit for bit', async () => {
    await fc.assert(
      fc.asyncProperty(entriesArbitrary, async (entries) => {
        const reader = await openSafetensors(memorySource(join8(encodeSafetensors(entries))));
        expect(reader.names).toEqual([...entries.keys()].sort());
        for (const [name, tensor] of entries) {
          const back = await reader.read(name);
          expect([back.dtype, back.shape]).toEqual([tensor.dtype, tensor.shape]);
          expect(bitsOf(back.data)).toEqual(bitsOf(tensor.data));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('the bytes are those of the safetensors library', () => {
    const bytes = join8(
      encodeSafetensors({
        b: { dtype: 'f32', shape: [2], data: Float32Array.of(1, 2) },
        flag: { dtype: 'bool', shape: [1], data: Uint32Array.of(1) },
        a: { dtype: 'f32', shape: [1, 1], data: Float32Array.of(3) },
      }),
    );
    // Written by safetensors 0.8.0 (Python, numpy) for the same tensors.
    const header =
      '{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},' +
      '"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},' +
      '"flag":{"dtype":"BOOL","shape":[1],"data_offsets":[12,13]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
    expect(new TextDecoder().decode(bytes.subarray(8, 8 + padded.length))).toBe(padded);
    expect(new DataView(bytes.buffer).getBigUint64(0, true)).toBe(BigInt(padded.length));
    expect([...bytes.subarray(8 + padded.length)]).toEqual([
      ...new Uint8Array(Float32Array.of(3, 1, 2).buffer),
      1,
    ]);
  });

  test('a view into a larger array is stored alone, and f64 data as f32', async () => {
    const data = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
    const wide = Float64Array.of(0.1);
    const bytes = encodeSafetensors({
      view: { dtype: 'f32', shape: [2], data },
      wide: { dtype: 'f32', shape: [], data: wide },
    });
    const reader = await openSafetensors(memorySource(join8(bytes)));
    expect((await reader.read('view')).data).toEqual(Float32Array.of(1, 2));
    expect((await reader.read('wide')).data).toEqual(Float32Array.of(0.1));
  });

  test('a Blob is a source as good as any', async () => {
    const { blobSource } = await import('@camada/hub');
    const chunks = encodeSafetensors({
      x: { dtype: 'i32', shape: [2], data: Int32Array.of(5, -5) },
    });
    const reader = await openSafetensors(blobSource(new Blob([Uint8Array.from(join8(chunks))])));
    expect((await reader.read('x')).data).toEqual(Int32Array.of(5, -5));
  });
});

describe('element types', () => {
  const stored = async (dtype: string, bytes: Uint8Array, count: number): Promise<TensorData> => {
    const header = `{"x":{"dtype":"${dtype}","shape":[${count}],"data_offsets":[0,${bytes.byteLength}]}}`;
    const file = join8([fileOf(header, 0), bytes]);
    return (await openSafetensors(memorySource(file, 'w.safetensors'))).read('x');
  };

  test('I64 becomes i32 and is checked', async () => {
    const good = new Uint8Array(BigInt64Array.of(3n, -1n, -(2n ** 31n), 2n ** 31n - 1n).buffer);
    expect((await stored('I64', good, 4)).data).toEqual(
      Int32Array.of(3, -1, -(2 ** 31), 2 ** 31 - 1),
    );
    for (const value of [2n ** 31n, -(2n ** 31n) - 1n, 2n ** 40n]) {
      const bad = new Uint8Array(BigInt64Array.of(0n, value).buffer);
      await expectInputError(
        () => stored('I64', bad, 2),
        /tensor "x": element 1 does not fit 32 bits/,
      );
    }
  });

  test('small integers and F64 are widened and rounded', async () => {
    expect((await stored('U8', Uint8Array.of(0, 255), 2)).data).toEqual(Uint32Array.of(0, 255));
    expect((await stored('I8', Uint8Array.of(1, 255), 2)).data).toEqual(Int32Array.of(1, -1));
    const f64 = new Uint8Array(Float64Array.of(0.1).buffer);
    expect((await stored('F64', f64, 1)).data).toEqual(Float32Array.of(0.1));
  });

  test('BOOL holds 0 and 1; types without an equal are refused when read', async () => {
    expect((await stored('BOOL', Uint8Array.of(1, 0), 2)).data).toEqual(Uint32Array.of(1, 0));
    await expectInputError(
      () => stored('BOOL', Uint8Array.of(2), 1),
      /element 0 of a BOOL tensor is 2/,
    );
    await expectInputError(
      () => stored('F8_E4M3', Uint8Array.of(2), 1),
      /F8_E4M3, which cannot be read/,
    );
  });

  test('floats convert between their types', () => {
    const x: TensorData = { dtype: 'f32', shape: [3], data: Float32Array.of(1, -0.5, 65504) };
    for (const dtype of ['f16', 'bf16', 'f32'] as const) {
      const back = toFloat32(convertFloats(x, dtype));
      expect([...back]).toEqual(dtype === 'bf16' ? [1, -0.5, 65536] : [1, -0.5, 65504]);
    }
    const whole: TensorData = { dtype: 'i32', shape: [1], data: Int32Array.of(1) };
    expect(() => convertFloats(whole, 'f16')).toThrow(InputError);
  });
});

describe('damage', () => {
  const cases: readonly (readonly [string, string, number, RegExp])[] = [
    ['not JSON', '{"x":', 0, /w\.safetensors: header is not valid JSON/],
    ['not an object', '[]', 0, /must hold one JSON object/],
    ['a name twice', '{"x":1,"x":2}', 0, /header names "x" twice/],
    ['an escaped name twice', '{"x":1,"\\u0078":2}', 0, /header names "x" twice/],
    ['no record', '{"x":3}', 0, /tensor "x" is 3 instead of an object/],
    [
      'unknown type',
      '{"x":{"dtype":"Q9","shape":[1],"data_offsets":[0,4]}}',
      4,
      /unknown element type "Q9"/,
    ],
    [
      'fractions',
      '{"x":{"dtype":"F32","shape":[1.5],"data_offsets":[0,6]}}',
      6,
      /has shape \[1\.5\]/,
    ],
    ['negative', '{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', 4, /has shape \[-1\]/],
    ['text shape', '{"x":{"dtype":"F32","shape":"1","data_offsets":[0,4]}}', 4, /has shape "1"/],
    [
      'huge',
      '{"x":{"dtype":"F32","shape":[9000000000,9000000000],"data_offsets":[0,4]}}',
      4,
      /too large to exist/,
    ],
    [
      'larger than file',
      '{"x":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4000000]}}',
      4,
      /ends at data byte 4000000/,
    ],
    [
      'wrong size',
      '{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}',
      4,
      /needs 8 bytes, but data_offsets give 4/,
    ],
    [
      'backwards',
      '{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}',
      4,
      /two growing whole numbers/,
    ],
    [
      'overlap',
      '{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}',
      6,
      /"y" overlaps/,
    ],
    [
      'hole',
      '{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}',
      3,
      /leaves a hole at data bytes 1 to 2/,
    ],
    [
      'rest',
      '{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      3,
      /2 bytes that belong to no tensor/,
    ],
    ['metadata', '{"__metadata__":{"a":1}}', 0, /__metadata__ is \{"a":1\}/],
    [
      'half bytes',
      '{"x":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}',
      1,
      /ends inside a byte/,
    ],
  ];
  test.each(cases)('%s', async (_, header, size, pattern) => {
    await expectInputError(open(header, size), pattern);
  });

  test('a header length beyond the file allocates nothing', async () => {
    for (const length of [9n, 2n ** 40n, 2n ** 64n - 1n]) {
      const bytes = new Uint8Array(16);
      new DataView(bytes.buffer).setBigUint64(0, length, true);
      const reads: number[] = [];
      const source: ByteSource = {
        ...memorySource(bytes, 'w.safetensors'),
        read: (offset, count) => (reads.push(count), memorySource(bytes).read(offset, count)),
      };
      await expectInputError(
        () => openSafetensors(source),
        /announce a header of \d+ bytes, but 8 follow/,
      );
      expect(reads).toEqual([8]);
    }
    await expectInputError(() => openSafetensors(memorySource(new Uint8Array(3), 'w')), /too few/);
  });

  test('4,000 mutated files load rightly or say what is wrong, and read within the file', async () => {
    const original = join8(
      encodeSafetensors({
        'layer.0.weight': { dtype: 'f32', shape: [2, 3], data: new Float32Array(6) },
        'layer.0.bias': { dtype: 'bf16', shape: [3], data: new Uint16Array(3) },
        flag: { dtype: 'bool', shape: [], data: new Uint32Array(1) },
      }),
    );
    const headerEnd = 8 + Number(new DataView(original.buffer).getBigUint64(0, true));
    const edit = fc.record({ at: fc.nat(headerEnd - 1), value: fc.nat(255), kind: fc.nat(3) });
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
        const bytes = mutate(original, edits);
        const error = await failure(() => readAll(bytes));
        if (error !== undefined) refused++;
        expect(error === undefined || error instanceof InputError).toBe(true);
      }),
      { numRuns: 4000 },
    );
    expect(refused).toBeGreaterThan(2000);
  });

  test('a missing tensor is answered with similar names', async () => {
    const chunks = encodeSafetensors({
      'a.weight': { dtype: 'f32', shape: [0], data: new Float32Array(0) },
    });
    const reader = await openSafetensors(memorySource(join8(chunks), 'w'));
    await expectInputError(
      () => reader.read('b.weight'),
      /no tensor "b\.weight" \(it holds a\.weight/,
    );
  });

  test('missing paths and folders', async () => {
    await expectInputError(
      () => openSafetensors('/nowhere/x.safetensors'),
      /does not exist; check the path/,
    );
    await expectInputError(() => openSafetensors('/tmp'), /is a folder, but a file was expected/);
  });
});

interface Edit {
  readonly at: number;
  readonly value: number;
  readonly kind: number;
}

/** Replaces, digit-swaps, inserts or removes bytes. */
function mutate(original: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const bytes = [...original];
  for (const { at, value, kind } of edits) {
    if (kind === 0) bytes[at] = value;
    else if (kind === 1) bytes[at] = 48 + (value % 10);
    else if (kind === 2) bytes.splice(at, 0, value);
    else bytes.splice(at, 1 + (value % 8));
  }
  return Uint8Array.from(bytes);
}

/** Opens and reads everything; every range asked for must lie in the file. */
async function readAll(bytes: Uint8Array): Promise<void> {
  const memory = memorySource(bytes, 'mutated');
  const source: ByteSource = {
    ...memory,
    read(offset, length) {
      expect(offset + length).toBeLessThanOrEqual(bytes.byteLength);
      return memory.read(offset, length);
    },
  };
  const reader = await openSafetensors(source);
  for (const name of reader.names) {
    const { shape, data } = await reader.read(name);
    expect(data.length).toBe(shape.reduce((n, length) => n * length, 1));
  }
}

describe('writing', () => {
  test('bad entries are refused', async () => {
    const ones = Float32Array.of(1, 1);
    const write = (entry: TensorData) => () => encodeSafetensors({ x: entry });
    await expectInputError(
      write({ dtype: 'f32', shape: [3], data: ones }),
      /needs 3 elements, but 2/,
    );
    await expectInputError(
      write({ dtype: 'f16', shape: [2], data: ones }),
      /dtype f16 does not go with/,
    );
    const twice = [['x', { dtype: 'f32', shape: [2], data: ones }]] as const;
    await expectInputError(() => encodeSafetensors([...twice, ...twice]), /"x" is taken/);
  });

  test('a failed write leaves the old file and nothing beside it', async () => {
    await inFolder(async (folder) => {
      await writeFile(`${folder}/keep`, 'old');
      const x: TensorData = { dtype: 'f32', shape: [1], data: Float32Array.of(1) };
      await expectInputError(() => writeSafetensors(`${folder}/keep/x.safetensors`, { x }), /keep/);
      expect(await readdir(folder)).toEqual(['keep']);
      await writeSafetensors(`${folder}/x.safetensors`, { x });
      expect((await readdir(folder)).sort()).toEqual(['keep', 'x.safetensors']);
      expect(await readFile(`${folder}/keep`, 'utf8')).toBe('old');
    });
  });
});

describe('checkpoints', () => {
  const entries = new Map(
    Array.from({ length: 5 }, (_, i): [string, TensorData] => [
      `t${i}`,
      { dtype: 'f32', shape: [4], data: new Float32Array(4).fill(i) },
    ]),
  );

  test('sharded above a size, read as one, and replaced by a single file', async () => {
    await inFolder(async (folder) => {
      await writeCheckpoint(folder, entries, { maxShardBytes: 32 });
      const files = ['00001', '00002', '00003'].map((n) => `model-${n}-of-00003.safetensors`);
      expect((await readdir(folder)).sort()).toEqual([...files, 'model.safetensors.index.json']);
      const reader = await openCheckpoint(folder);
      expect(reader.names).toEqual([...entries.keys()]);
      expect((await reader.read('t4')).data).toEqual(new Float32Array(4).fill(4));
      expect(reader.metadata).toEqual({ format: 'pt' });
      await writeCheckpoint(folder, entries);
      expect(await readdir(folder)).toEqual(['model.safetensors']);
      expect((await openCheckpoint(folder)).names).toHaveLength(5);
    });
  });

  const withIndex = (map: unknown): (() => Promise<unknown>) => {
    const shard = join8(encodeSafetensors(entries));
    const index = utf8(JSON.stringify({ weight_map: map }));
    const files = new Map([
      ['a.safetensors', shard],
      ['model.safetensors.index.json', index],
    ]);
    return () => openCheckpoint(memoryFolder(files, 'm'));
  };

  test('an index that lies is refused', async () => {
    await expectInputError(withIndex(7), /"weight_map" is 7/);
    await expectInputError(
      withIndex({ t0: '../a.safetensors' }),
      /names the shard "\.\.\/a\.safetensors"/,
    );
    await expectInputError(withIndex({ t0: 'b.safetensors' }), /m has no b\.safetensors/);
    await expectInputError(
      withIndex({ t9: 'a.safetensors' }),
      /places tensor "t9" in a\.safetensors/,
    );
  });

  test('a folder without a checkpoint says what it holds', async () => {
    const pickle = memoryFolder(new Map([['pytorch_model.bin', new Uint8Array(1)]]), 'm');
    await expectInputError(() => openCheckpoint(pickle), /pytorch_model\.bin is no zip file/);
    await expectInputError(
      () => openCheckpoint(memoryFolder(new Map(), 'm')),
      /m has no model\.safetensors or .* \(it holds nothing\)/,
    );
  });
});
