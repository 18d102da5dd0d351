/**
 * @file The llama2.c converter: layout of both versions on made-up weights, and the real stories260K, whose
 * converted folder must continue a story as llama2.c does and encode as llama2.c's `encode` does.
 */
import {
  convertLlama2c,
  memorySource,
  openModelFolder,
  toFloat32,
  type ModelFolder,
} from '@camada/hub';
import fc from 'fast-check';
import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { expectInputError, hasShared, inFolder, join8, SHARED, utf8 } from './support.ts';
import { greedy, loadPlainLlama } from './plain-llama.ts';

/** dim 4, hidden 3, 1 layer, 2 heads, 1 kv head, 5 pieces, 6 positions. */
const SIZES = [4, 3, 1, 2, 1, 5, 6];

function header(version: 0 | 1, shared: boolean): Uint8Array {
  const bytes = new Uint8Array(version === 1 ? 256 : 28);
  const view = new DataView(bytes.buffer);
  const start = version === 1 ? 8 : 0;
  SIZES.forEach((size, i) => view.setInt32(start + 4 * i, size, true));
  if (version === 0 && !shared) view.setInt32(20, -5, true);
  if (version === 1) {
    view.setUint32(0, 0x616b3432, true);
    view.setInt32(4, 1, true);
    bytes[36] = shared ? 1 : 0;
  }
  return bytes;
}

/** Runs of weights whose every number is the run's own plus its position over 1000. */
function weights(runs: readonly (readonly [number, number])[]): Uint8Array {
  return join8(
    runs.map(([start, count]) => {
      const values = Float32Array.from({ length: count }, (_, i) => start + i / 1000);
      return new Uint8Array(values.buffer);
    }),
  );
}

function vocabulary(pieces: readonly (readonly [string, number])[]): Uint8Array {
  const head = new Uint8Array(4);
  return join8([
    head,
    ...pieces.flatMap(([text, score]) => {
      const bytes = utf8(text);
      const record = new DataView(new ArrayBuffer(8));
      record.setFloat32(0, score, true);
      record.setInt32(4, bytes.byteLength, true);
      return [new Uint8Array(record.buffer), bytes];
    }),
  ]);
}

const PIECES = vocabulary([
  ['<unk>', 0],
  ['\n<s>\n', 0],
  ['\n</s>\n', 0],
  [' ', -1],
  ['a', -2],
]);

const VERSION1 = [
  [1, 4],
  [2, 4],
  [3, 4],
  [4, 20],
  [5, 16],
  [6, 8],
  [7, 8],
  [8, 16],
  [9, 12],
  [10, 12],
  [11, 12],
] as const;
const LEGACY = [
  [4, 20],
  [1, 4],
  [5, 16],
  [6, 8],
  [7, 8],
  [8, 16],
  [2, 4],
  [9, 12],
  [10, 12],
  [11, 12],
  [3, 4],
  [99, 12],
] as const;

async function convert(
  checkpoint: Uint8Array,
  output: string,
  pieces = PIECES,
): Promise<ModelFolder> {
  await convertLlama2c({
    checkpoint: memorySource(checkpoint, 'model.bin'),
    tokenizer: memorySource(pieces, 'tokenizer.bin'),
    output,
  });
  return openModelFolder(output);
}

describe.each([
  [1, VERSION1],
  [0, LEGACY],
] as const)('version %d', (version, runs) => {
  test('every weight gets its name, shape and row order', async () => {
    await inFolder(async (folder) => {
      const file = join8([header(version, true), weights(runs)]);
      const model = await convert(file, `${folder}/out`);
      const first = async (name: string): Promise<number | undefined> =>
        (await model.tensors.read(name)).data[0];
      const block = 'model.layers.0.';
      const expected: Readonly<Record<string, readonly [number, readonly number[]]>> = {
        [`${block}input_layernorm.weight`]: [1, [4]],
        [`${block}post_attention_layernorm.weight`]: [2, [4]],
        'model.norm.weight': [3, [4]],
        'model.embed_tokens.weight': [4, [5, 4]],
        [`${block}self_attn.q_proj.weight`]: [5, [4, 4]],
        [`${block}self_attn.k_proj.weight`]: [6, [2, 4]],
        [`${block}self_attn.v_proj.weight`]: [7, [2, 4]],
        [`${block}self_attn.o_proj.weight`]: [8, [4, 4]],
        [`${block}mlp.gate_proj.weight`]: [9, [3, 4]],
        [`${block}mlp.down_proj.weight`]: [10, [4, 3]],
        [`${block}mlp.up_proj.weight`]: [11, [3, 4]],
      };
      expect(model.tensors.names).toEqual(Object.keys(expected).sort());
      for (const [name, [value, shape]] of Object.entries(expected)) {
        expect([name, await first(name), model.tensors.entry(name).shape]).toEqual([
          name,
          value,
          shape,
        ]);
      }
      expect(model.config.boolean('tie_word_embeddings')).toBe(true);
      expect(model.config.values).toMatchObject({
        model_type: 'llama',
        num_key_value_heads: 1,
        head_dim: 2,
      });
    });
  });

  test('an output layer of its own', async () => {
    await inFolder(async (folder) => {
      const file = join8([header(version, false), weights([...runs, [12, 20]])]);
      const model = await convert(file, `${folder}/out`);
      expect((await model.tensors.read('lm_head.weight')).data[0]).toBe(12);
      expect(model.config.boolean('tie_word_embeddings')).toBe(false);
    });
  });
});

test('rotary rows move from pairs to halves', async () => {
  await inFolder(async (folder) => {
    const sizes = [8, 3, 1, 2, 1, 5, 6];
    const bytes = header(1, true);
    sizes.forEach((size, i) => new DataView(bytes.buffer).setInt32(8 + 4 * i, size, true));
    const runs = [
      [0, 8],
      [0, 8],
      [0, 8],
      [0, 40],
      [0, 64],
      [0, 32],
      [0, 32],
      [0, 64],
      [0, 24],
      [0, 24],
      [0, 24],
    ] as const;
    const model = await convert(join8([bytes, weights(runs)]), folder);
    const rows = async (name: string): Promise<number[]> => {
      const { data } = await model.tensors.read(`model.layers.0.self_attn.${name}.weight`);
      return Array.from(data)
        .filter((_, i) => i % 8 === 0)
        .map((value) => Math.round(value * 125));
    };
    expect(await rows('q_proj')).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
    expect(await rows('k_proj')).toEqual([0, 2, 1, 3]);
    expect(await rows('v_proj')).toEqual([0, 1, 2, 3]);
  });
});

test('damaged files are refused and nothing is written', async () => {
  await inFolder(async (folder) => {
    const good = join8([header(1, true), weights(VERSION1)]);
    const attempt =
      (file: Uint8Array, pieces = PIECES) =>
      () =>
        convert(file, `${folder}/out`, pieces);
    const withInt = (at: number, value: number): Uint8Array => {
      const copy = good.slice();
      new DataView(copy.buffer).setInt32(at, value, true);
      return copy;
    };
    await expectInputError(attempt(good.subarray(0, 20)), /model\.bin holds 20 bytes, too few/);
    await expectInputError(
      attempt(good.subarray(0, good.length - 4)),
      /bytes, but its header asks for \d+/,
    );
    await expectInputError(attempt(withInt(4, 2)), /version 2 cannot be read/);
    await expectInputError(attempt(withInt(16, 2 ** 30)), /its header asks for/);
    await expectInputError(attempt(withInt(16, -1)), /is not that of a Llama/);
    await expectInputError(attempt(withInt(20, 3)), /is not that of a Llama/);
    await expectInputError(
      attempt(good, PIECES.subarray(0, PIECES.length - 1)),
      /piece 4 at byte \d+ runs over/,
    );
    await expectInputError(
      attempt(good, PIECES.subarray(0, PIECES.length - 9)),
      /holds 4 pieces.*vocabulary of 5/,
    );
    expect(await readdir(folder)).toEqual([]);
  });
});

interface RawPiece {
  readonly text: string;
  readonly score: number;
}

/** llama2.c's `encode` (run.c): single characters, bytes for unknown ones, then the best-scored pair first. */
function encodeAsRunC(pieces: readonly RawPiece[], text: string): number[] {
  const ids = new Map(pieces.map((piece, id) => [piece.text, id]));
  const tokens = text === '' ? [1] : [1, ids.get(' ') ?? 0];
  for (const char of text) {
    const id = ids.get(char);
    if (id === undefined) for (const byte of utf8(char)) tokens.push(byte + 3);
    else tokens.push(id);
  }
  for (;;) {
    let best = { score: -1e10, at: -1, id: -1 };
    for (let i = 0; i + 1 < tokens.length; i++) {
      const id = ids.get(
        (pieces[tokens[i] ?? 0]?.text ?? '') + (pieces[tokens[i + 1] ?? 0]?.text ?? ''),
      );
      const score = id === undefined ? -Infinity : (pieces[id]?.score ?? 0);
      if (id !== undefined && score > best.score) best = { score, at: i, id };
    }
    if (best.at < 0) return tokens;
    tokens.splice(best.at, 2, best.id);
  }
}

async function rawPieces(path: string): Promise<RawPiece[]> {
  const file = await readFile(path);
  const pieces: RawPiece[] = [];
  for (let at = 4; at < file.length;) {
    const length = file.readInt32LE(at + 4);
    pieces.push({
      score: file.readFloatLE(at),
      text: file.toString('utf8', at + 8, at + 8 + length),
    });
    at += 8 + length;
  }
  return pieces;
}

describe.skipIf(!hasShared)('stories260K', () => {
  const files = {
    checkpoint: `${SHARED}models/stories260K/checkpoint_v1.bin`,
    tokenizer: `${SHARED}models/stories260K/tokenizer.bin`,
  };
  let folder: string;
  let model: ModelFolder;
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/camada-stories-`);
    await convertLlama2c({ ...files, output: folder });
    model = await openModelFolder(folder);
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('a complete folder', async () => {
    expect((await readdir(folder)).sort()).toEqual([
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    expect(model.tensors.names).toHaveLength(2 + 5 * 9);
    expect(model.tokenizer).toMatchObject({
      vocabularySize: 512,
      bosId: 1,
      eosId: 2,
      unkId: 0,
      maxLength: 512,
    });
    expect(model.generation?.integer('eos_token_id')).toBe(2);
    expect(toFloat32(await model.tensors.read('model.norm.weight'))).toHaveLength(64);
  });

  test('encodes as llama2.c does, and decodes what it encoded', async () => {
    const pieces = await rawPieces(files.tokenizer);
    const tokenizer = model.tokenizer;
    const check = (text: string): void => {
      const ids = tokenizer?.encode(text).ids ?? [];
      expect([text, ids]).toEqual([text, encodeAsRunC(pieces, text)]);
      expect(tokenizer?.decode(ids, { skipSpecialTokens: true })).toBe(text);
    };
    check('Once upon a time');
    check('Lily’s mom said: "¡Olé!" 世界 🤗\n\n  two  spaces ');
    const lines = (await readFile(`${SHARED}data/lm/tinyshakespeare.txt`, 'utf8')).split('\n');
    for (let i = 0; i < 400; i++) check(lines[i * 97] ?? '');
    const unit = fc.constantFrom(...'abcdehilnorstuy  .,!"\'éQ\n🤗');
    fc.assert(fc.property(fc.string({ unit, maxLength: 60 }), check), { numRuns: 500 });
  });

  test('continues a story as llama2.c does', async () => {
    const plain = await loadPlainLlama(model);
    const prompt = model.tokenizer?.encode('Once upon a time').ids ?? [];
    const text = model.tokenizer?.decode(greedy(plain, prompt, 70), { skipSpecialTokens: true });
    expect(text).toContain(
      'Once upon a time, there was a little girl named Lily. She loved to play outside in the park. ' +
        'One day, she saw a big, red ball.',
    );
  });
});
