/**
 * @file GGUF against the Python packages that define it: `gguf` for blocks and names, Transformers for what converters
 * changed, `tokenizers` and `sentencepiece` for vocabularies. Goldens by `tools/oracle/files.py`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  fileSource,
  memoryFolder,
  memorySource,
  modelToGguf,
  openGguf,
  openModelFolder,
  openSafetensors,
  readGgufHeader,
  readJsonRecord,
  unpackTensor,
  writeFile,
  type ByteSource,
  type ModelFolder,
} from '@camada/hub';
import { reorderRotary } from '../src/gguf/changes.ts';
import { quantize } from '../src/gguf/write.ts';
import { tokenizerFromGguf } from '../src/gguf/vocabulary.ts';
import { createTokenizer, type TokenizerFiles } from '../src/tokenizer/tokenizer.ts';
import { toFloat32 } from '../src/safetensors/convert.ts';
import { expectInputError, inFolder } from './support.ts';

const GOLDEN = new URL('golden/gguf/', import.meta.url).pathname;
const ARCHITECTURES = ['llama', 'qwen2', 'qwen3', 'phi3', 'gemma2', 'gemma3', 'gpt2'];

const json = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(`${GOLDEN}${name}.json`, 'utf8')) as Record<string, unknown>;

describe('blocks', () => {
  test.each(['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q4_K', 'Q5_K', 'Q6_K'])(
    '%s holds what gguf says, in all bits',
    async (name) => {
      const source = await fileSource(`${GOLDEN}blocks.gguf`);
      const { entries } = await readGgufHeader(source);
      const { type, begin, bytes, shape } = entries.get(name)!;
      expect([type, shape]).toEqual([name, [3, 256]]);
      const data = unpackTensor({ type, bytes: await source.read(begin, bytes) });
      const expected = await (await openSafetensors(`${GOLDEN}blocks.safetensors`)).read(name);
      expect(new Uint32Array(data.buffer)).toEqual(new Uint32Array(expected.data.buffer));
    },
  );

  test.each(['F16', 'Q8_0'] as const)('%s is packed as gguf packs it', async (name) => {
    const source = await fileSource(`${GOLDEN}blocks.gguf`);
    const { begin, bytes } = (await readGgufHeader(source)).entries.get(name)!;
    const values = await (await openSafetensors(`${GOLDEN}blocks.safetensors`)).read('source');
    expect(quantize(toFloat32(values), name)).toEqual(await source.read(begin, bytes));
  });

  test('metadata keep their types', async () => {
    const { metadata, version } = await readGgufHeader(await fileSource(`${GOLDEN}blocks.gguf`));
    expect(version).toBe(3);
    expect(metadata.get('test.u32')).toBe(7);
    expect(metadata.get('test.f64')).toBe(0.1);
    expect(metadata.get('test.i64')).toBe(-(2n ** 62n));
    expect(metadata.get('test.nested')).toEqual(['a', 'β']);
    expect(metadata.get('test.numbers')).toEqual(Int32Array.of(1, -2, 3));
  });
});

test('rows of heads are reordered there and back', () => {
  const rows = Float32Array.from({ length: 24 }, (_, i) => i);
  const halves = reorderRotary(rows, 12, 2);
  expect([...halves].filter((_, i) => i % 2 === 0).map((value) => value / 2)).toEqual([
    0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11,
  ]);
  expect(reorderRotary(halves, 12, 2, true)).toEqual(rows);
});

describe.each(ARCHITECTURES)('%s', (name) => {
  const open = (): Promise<ModelFolder> => openModelFolder(`${GOLDEN}${name}.gguf`);

  test('has the configuration it was made from', async () => {
    const { config, generation } = await open();
    for (const [key, value] of Object.entries(json(name))) {
      if (key === 'rope_scaling') expect(config.get(key)).toMatchObject(value as object);
      else expect([key, config.get(key)]).toEqual([key, value]);
    }
    expect(generation?.get('eos_token_id')).toEqual([config.get('eos_token_id')]);
  });

  test('has the weights it was made from, packed ones included', async () => {
    const { tensors } = await open();
    const expected = await openSafetensors(`${GOLDEN}${name}.safetensors`);
    expect(tensors.names.filter((tensor) => !tensor.startsWith('rope_freqs'))).toEqual(
      expected.names,
    );
    for (const tensor of expected.names)
      await expectSame(tensor, { tensors }, { tensors: expected });
  });

  test('comes back from a file that we write', async () => {
    const original = await open();
    const written = await rewritten(original, 'F32');
    expect(written.config.values).toEqual(original.config.values);
    expect(written.tensors.names).toEqual(original.tensors.names);
    for (const tensor of original.tensors.names) await expectSame(tensor, written, original);
  });
});

type Tensors = Pick<ModelFolder, 'tensors'>;

async function expectSame(name: string, a: Tensors, b: Tensors): Promise<void> {
  const [got, wanted] = [await a.tensors.read(name), await b.tensors.read(name)];
  expect([name, got.shape, a.tensors.entry(name).shape]).toEqual([
    name,
    wanted.shape,
    wanted.shape,
  ]);
  const [x, y] = [toFloat32(got), toFloat32(wanted)];
  expect([name, Math.max(...x.map((value, i) => Math.abs(value - y[i]!)))]).toEqual([
    name,
    expect.closeTo(0, 6),
  ]);
  const blocks = await a.tensors.packed?.(name);
  if (blocks) expect(unpackTensor(blocks)).toEqual(x);
}

async function rewritten(model: ModelFolder, type: 'F32' | 'F16' | 'Q8_0'): Promise<ModelFolder> {
  const names = model.tensors.names.filter((name) => !name.startsWith('rope_freqs'));
  const weights = names.map((name) => ({
    name,
    shape: model.tensors.entry(name).shape,
    read: () => model.tensors.read(name),
  }));
  return inFolder(async (folder) => {
    const path = `${folder}/out.gguf`;
    await writeFile(path, modelToGguf({ config: model.config.values, weights, type }));
    return openGguf(memorySource(new Uint8Array(readFileSync(path)), 'out.gguf'));
  });
}

test('Q8_0 matrices, F32 vectors, F16 where blocks do not fit', async () => {
  const written = await rewritten(await openModelFolder(`${GOLDEN}llama.gguf`), 'Q8_0');
  const { tensors } = written;
  expect(tensors.entry('model.layers.0.mlp.up_proj.weight').dtype).toBe('Q8_0');
  expect(tensors.entry('model.norm.weight').dtype).toBe('F32');
  const narrow = await rewritten(await openModelFolder(`${GOLDEN}qwen2.gguf`), 'Q8_0');
  expect(narrow.tensors.entry('model.layers.0.mlp.up_proj.weight').dtype).toBe('F16');
});

describe('vocabularies', () => {
  const files = readdirSync(GOLDEN).filter((name) => /^tokenizer-.*\.gguf$/.test(name));

  test.each(files)('%s encodes and decodes as the original', async (file) => {
    const { metadata } = await readGgufHeader(await fileSource(`${GOLDEN}${file}`));
    const tokenizer = createTokenizer(tokenizerFromGguf(metadata, file)!);
    const { cases } = json(file.replace('.gguf', '')) as {
      cases: { text: string; ids: number[]; decoded: string }[];
    };
    for (const { text, ids, decoded } of cases) {
      expect([text, tokenizer.encode(text).ids]).toEqual([text, ids]);
      const plain = file.includes('pieces') ? ids.slice(1) : ids;
      expect(tokenizer.decode(plain)).toBe(decoded);
    }
  });

  test.each(files)('%s comes back from a file that we write', async (file) => {
    const { metadata } = await readGgufHeader(await fileSource(`${GOLDEN}${file}`));
    const files = tokenizerFromGguf(metadata, file)!;
    const again = tokenizerFromGguf(
      (await readGgufHeader(await vocabularyFile(files))).metadata,
      file,
    );
    expect(again).toEqual(files);
  });
});

/** A model of one embedding table, to carry a vocabulary. */
async function vocabularyFile(tokenizer: TokenizerFiles): Promise<ByteSource> {
  const size = createTokenizer(tokenizer).vocabularySize;
  const shape = [size, 1];
  const weights = [
    {
      name: 'model.embed_tokens.weight',
      shape,
      read: () => ({ dtype: 'f32' as const, shape, data: new Float32Array(size) }),
    },
  ];
  const config = { model_type: 'llama' };
  const chunks: Uint8Array[] = [];
  for await (const chunk of modelToGguf({ config, tokenizer, weights, type: 'F32' }))
    chunks.push(chunk);
  return memorySource(
    new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()),
    'vocabulary.gguf',
  );
}

describe('a model folder', () => {
  const bytes = new Uint8Array(readFileSync(`${GOLDEN}qwen2.gguf`));

  test('may be one GGUF file', async () => {
    const model = await openModelFolder(memoryFolder(new Map([['model.gguf', bytes]])));
    expect(model.config.get('model_type')).toBe('qwen2');
    const file = await model.folder.open('config.json');
    expect(await readJsonRecord(file!)).toEqual(model.config.values);
    await expectInputError(
      () =>
        openModelFolder(
          memoryFolder(
            new Map([
              ['a.gguf', bytes],
              ['b.gguf', bytes],
            ]),
            'm',
          ),
        ),
      /m holds several GGUF files \(a\.gguf, b\.gguf\); name one/,
    );
  });

  const damaged = (change: (view: DataView) => void): ByteSource => {
    const copy = bytes.slice();
    change(new DataView(copy.buffer));
    return memorySource(copy, 'm.gguf');
  };

  test('damage is named', async () => {
    const open = (source: ByteSource) => () => openGguf(source);
    await expectInputError(open(memorySource(bytes.slice(0, 30), 'm.gguf')), /m\.gguf: byte/);
    await expectInputError(open(memorySource(bytes.slice(0, -40), 'm.gguf')), /ends at byte/);
    await expectInputError(open(damaged((v) => v.setUint8(0, 0))), /does not begin with GGUF/);
    await expectInputError(open(damaged((v) => v.setUint32(4, 1, true))), /GGUF of version 1;/);
    await expectInputError(open(damaged((v) => v.setUint32(4, 3))), /big-endian/);
    await expectInputError(
      open(damaged((v) => v.setBigUint64(8, 2n ** 63n, true))),
      /the number of tensors is 9223372036854775808/,
    );
    await expectInputError(
      open(damaged((v) => v.setUint32(16, 0xffffffff, true))),
      /the number of metadata is 4294967295, but only/,
    );
  });

  test('what is not read is said', async () => {
    const text = new TextDecoder('latin1').decode(bytes);
    const at = text.indexOf('token_embd.weight');
    const type = at + 'token_embd.weight'.length + 4 + 16;
    await expectInputError(
      () => openGguf(damaged((v) => v.setUint32(type, 10, true))),
      /tensor "token_embd\.weight" has the element type number 10; F32, F16/,
    );
    const name = text.indexOf('qwen2');
    await expectInputError(
      () => openGguf(damaged((v) => v.setUint8(name, 120))),
      /"general\.architecture" is "xwen2"; llama, qwen2/,
    );
  });
});
