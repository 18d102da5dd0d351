/** @file Generation: seeds, ends, limits, and no compilation per token. */
import { InputError } from '@camada/tensor';
import { Random, generate, modelFromConfig, sampleToken, seedKey, type CausalLM } from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { goldenJson, on } from './support.ts';

const config = goldenJson<Record<string, unknown>>('llama-untied/config.json');

function fresh(): CausalLM {
  return modelFromConfig({ ...config, initializer_range: 0.3 }, 'causal-lm', {
    seed: 5,
  }) as CausalLM;
}

describe('generate', () => {
  beforeAll(() => on('reference'));

  it('draws the same tokens from the same seed and others from another', async () => {
    const model = fresh();
    const draw = (seed: number): Promise<number[]> =>
      generate(model, [1, 5], { maxNewTokens: 8, temperature: 1.5, seed, eosTokenIds: [] });
    const first = await draw(1);
    expect(first.length).toBe(8);
    expect(await draw(1)).toEqual(first);
    expect(await draw(2)).not.toEqual(first);
  });

  it('stops at an end token, which it does not return', async () => {
    const model = fresh();
    const all = await generate(model, [1, 5], { maxNewTokens: 8, eosTokenIds: [] });
    const end = all[3]!;
    const cut = await generate(model, [1, 5], { maxNewTokens: 8, eosTokenIds: [end] });
    expect(cut).toEqual(all.slice(0, all.indexOf(end)));
  });

  it('stops where the positions end', async () => {
    const model = modelFromConfig(
      { ...config, max_position_embeddings: 8 },
      'causal-lm',
    ) as CausalLM;
    expect((await generate(model, [1, 5, 6], { maxNewTokens: 99, eosTokenIds: [] })).length).toBe(
      5,
    );
    const long = generate(model, [1, 2, 3, 4, 5, 6, 7, 8], { maxNewTokens: 1 });
    await expect(long).rejects.toThrow(/leaves no room in 8 positions/);
  });

  it.each([
    [[], { maxNewTokens: 1 }],
    [[101], { maxNewTokens: 1 }],
    [[1], { maxNewTokens: -1 }],
    [[1], { maxNewTokens: 1, temperature: NaN }],
  ])('refuses the prompt %j with %j', async (prompt, options) => {
    await expect(generate(fresh(), prompt, options)).rejects.toThrow(InputError);
  });

  it('compiles nothing for the third token and leaves no memory behind', async () => {
    const device = await on('wasm');
    const model = fresh();
    await generate(model, [1, 5], { maxNewTokens: 3, eosTokenIds: [] });
    const { compiled } = device.counters;
    const { live } = device.memory();
    await generate(model, [1, 5, 7], { maxNewTokens: 9, eosTokenIds: [] });
    expect(device.counters.compiled).toBe(compiled);
    expect(device.memory().live - live).toBeLessThan(200); // the prompt's batch, not the logits
    await on('reference');
  });
});

describe('sampleToken', () => {
  it('refuses logits that are not finite', () => {
    const logits = Float32Array.of(0, NaN);
    expect(() => sampleToken(logits, { temperature: 0 }, new Random(seedKey(1)))).toThrow(
      /not finite/,
    );
  });

  it('draws from the softmax, and only from the top k', () => {
    const logits = Float32Array.from([Math.log(0.6), Math.log(0.3), Math.log(0.1)]);
    const random = new Random(seedKey(1));
    const counts = [0, 0, 0];
    for (let i = 0; i < 6000; i++) counts[sampleToken(logits, { temperature: 1 }, random)]!++;
    expect(counts[0]! / 6000).toBeCloseTo(0.6, 1);
    expect(counts[2]! / 6000).toBeCloseTo(0.1, 1);
    const top = Array.from({ length: 200 }, () =>
      sampleToken(logits, { temperature: 9, topK: 2 }, random),
    );
    expect(new Set(top)).toEqual(new Set([0, 1]));
  });
});
