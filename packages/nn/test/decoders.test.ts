/** @file What decoders have beside the parity of all families: generation in batches, the raw stream, the last token. */
import { tensor } from '@camada/tensor';
import {
  CausalLM,
  argmax,
  createBatch,
  createContext,
  emptyModel,
  generate,
  generateBatch,
  hiddenStates,
  modelFromConfig,
  namedParameters,
} from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { KeyValueCache } from '../src/models/decoder/cache.ts';
import { FAMILIES, batchOf, goldenOf, loadFamily, type Family } from './families.ts';
import { goldenJson, maxDifference, on } from './support.ts';

interface Generated {
  readonly prompts?: readonly (readonly number[])[];
  readonly generated?: readonly (readonly number[])[];
}

const continued = ({ folder }: Family): Generated => goldenJson<Generated>(`${folder}/golden.json`);
const CAUSAL = FAMILIES.filter(({ task }) => task === 'causal-lm');
const GENERATING = CAUSAL.filter((family) => continued(family).prompts);

async function causal(family: Family): Promise<CausalLM> {
  const model = await loadFamily(family);
  if (model instanceof CausalLM) return model;
  throw new Error(`${family.folder} is no causal language model`);
}

describe.each(['wasm', 'webgpu'] as const)('on %s', (device) => {
  beforeAll(() => on(device));

  it.each(GENERATING)(
    '$folder continues a batch of prompts as Transformers does',
    async (family) => {
      const { prompts = [], generated = [] } = continued(family);
      const options = { maxNewTokens: generated[0]!.length, eosTokenIds: [] };
      const model = await causal(family);
      expect(await generateBatch(model, prompts, options)).toEqual(generated);
      expect(await generate(model, prompts[1]!, options)).toEqual(generated[1]);
    },
  );
});

describe('decoders', () => {
  beforeAll(() => on('wasm'));

  it.each(CAUSAL)('$folder keeps the stream apart from the normalised state', async (family) => {
    const golden = goldenOf(family);
    const model = await causal(family);
    const raw = hiddenStates(model, batchOf(golden), createContext()).at(-1)!;
    expect(maxDifference(await raw.data(), golden.read('residual').data)).toBeLessThan(1e-4);
  });

  it.each(['llama-dynamic', 'phi3-long'])(
    '%s, whose frequencies depend on the length, takes those of the longest text from the start',
    async (folder) => {
      const model = await causal({ folder, task: 'causal-lm' });
      const prompt = [5, 17, 33];
      const maxNewTokens = 9;
      const text = [
        ...prompt,
        ...(await generate(model, prompt, { maxNewTokens, eosTokenIds: [] })),
      ];
      const whole = createBatch({ inputIds: [text] }, model.limits);
      const [logits, size] = [await model.call(whole, createContext()).logits.data(), 41];
      const next = text.map((_, t) => argmax(logits.subarray(t * size, (t + 1) * size)));
      expect(next.slice(prompt.length - 1, -1)).toEqual(text.slice(prompt.length));
    },
  );

  it.each(CAUSAL)('$folder has the same names with and without a head', (family) => {
    const config = goldenJson(`${family.folder}/config.json`);
    const bare = emptyModel(config, 'features');
    const whole = emptyModel(config, 'causal-lm');
    const names = [...namedParameters(bare).keys()];
    const prefix = family.folder === 'gpt2' ? 'transformer' : 'model';
    expect(names.map((name) => `${prefix}.${name}`)).toEqual(
      [...namedParameters(whole).keys()].filter((name) => name !== 'lm_head.weight'),
    );
    expect(whole.layers.map(({ name }) => name)).toEqual(
      bare.layers.map(({ name }) => `${prefix}.${name}`),
    );
    for (const name of names) expect(whole.aliases(`${prefix}.${name}`)).toEqual([name]);
  });

  it('a classifier scores the last token that is not padding, as a text without padding', async () => {
    const config = goldenJson('llama-classifier/config.json');
    const model = modelFromConfig(config, 'classification', { seed: 4 });
    const logits = async (rows: number[][], length?: number): Promise<ArrayLike<number>> =>
      model
        .call(createBatch({ inputIds: rows }, model.limits, length), createContext())
        .logits.data();
    const long = await logits(
      [
        [5, 6, 7],
        [8, 9, 10, 11, 12],
      ],
      8,
    );
    const alone = await logits([[5, 6, 7]]);
    expect(maxDifference(Array.from(long).slice(0, 3), alone)).toBeLessThan(1e-5);
    // 3 is the padding token: a text that ends in it is scored before it, as in Transformers.
    expect(maxDifference(await logits([[5, 6, 7, 3]]), alone)).toBeLessThan(1e-5);
  });

  it('a classifier without padding token goes by the attention mask', async () => {
    const { pad_token_id: _, ...config } = goldenJson<Record<string, unknown>>(
      'llama-classifier/config.json',
    );
    const model = modelFromConfig(config, 'classification', { seed: 4 });
    const score = async (ids: number[], mask: number[]): Promise<ArrayLike<number>> => {
      const row = (data: number[]): ReturnType<typeof tensor> =>
        tensor(Int32Array.from(data), [1, 4]);
      const batch = { inputIds: row(ids), attentionMask: row(mask) };
      return model.call(batch, createContext()).logits.data();
    };
    const cut = await score([5, 6, 0, 9], [1, 1, 1, 0]);
    expect(maxDifference(cut, await score([5, 6, 0, 30], [1, 1, 1, 0]))).toBe(0);
    expect(maxDifference(cut, await score([5, 6, 4, 9], [1, 1, 1, 0]))).toBeGreaterThan(1e-6);
  });

  it('refuses more tokens than a model has positions; dynamic scaling and YaRN give it more', () => {
    const config = goldenJson<Record<string, unknown>>('llama-linear/config.json');
    const positions = (rope_scaling: object): number =>
      emptyModel({ ...config, max_position_embeddings: 32, rope_scaling }, 'causal-lm').limits
        .maxLength;
    expect(positions({ rope_type: 'linear', factor: 2 })).toBe(32);
    expect(positions({ rope_type: 'dynamic', factor: 2 })).toBe(64);
    expect(positions({ rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32 })).toBe(
      128,
    );
  });
});

describe('the ring of slots', () => {
  beforeAll(() => on('wasm'));

  it.each([1, 2, 5, 8])(
    'of %d shows the last columns of each row, and no padding',
    async (slots) => {
      const starts = [0, 3, 6];
      const cache = new KeyValueCache(
        { slots: [slots], heads: 1, width: 1 },
        { starts, columns: 99, longest: 99 },
      );
      for (let column = 6; column < 20; column++) {
        const bias = await cache.bias(slots, column).data(); // [B, 1, 1, S]
        const seen = Array.from({ length: starts.length * slots }, () => false);
        for (const [row, start] of starts.entries())
          for (let c = Math.max(start, column - slots + 1); c <= column; c++)
            seen[row * slots + (c % slots)] = true;
        expect(Array.from(bias, (value) => value === 0)).toEqual(seen);
      }
    },
  );

  it.each([3, 4, 9])(
    'takes a prompt of 7 columns into %d slots as if its tokens came one by one',
    async (slots) => {
      const values = Float32Array.from({ length: 14 }, (_, i) => i + 1);
      const at = { starts: [0], columns: 99, longest: 99 };
      const cacheOf = (): KeyValueCache =>
        new KeyValueCache({ slots: [slots], heads: 1, width: 2 }, at);
      const [whole, single] = [cacheOf(), cacheOf()];
      const x = tensor(values, [1, 1, 7, 2]);
      whole.fill(0, { key: x, value: x.neg() });
      for (let column = 0; column < 7; column++) {
        const token = x.slice(2, column, column + 1);
        single.append(0, { key: token, value: token.neg() }, column);
        await single.blocks[0]!.key.realize();
      }
      expect(await whole.blocks[0]!.key.data()).toEqual(await single.blocks[0]!.key.data());
      expect(await whole.blocks[0]!.value.data()).toEqual(await single.blocks[0]!.value.data());
    },
  );
});
