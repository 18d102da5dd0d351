/** @file Generation: seeds, ends, limits, and no compilation per token. */
import { InputError } from '@camada/tensor';
import {
  generate,
  generateBatch,
  generateSteps,
  modelFromConfig,
  type CausalLM,
  type GeneratedStep,
} from '@camada/nn';
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

describe('generateBatch', () => {
  beforeAll(() => on('wasm'));
  const options = { maxNewTokens: 8, temperature: 1.5, seed: 3, eosTokenIds: [] };

  it('row 0 draws what it would draw alone; rows have streams of their own', async () => {
    const model = fresh();
    const [first, second] = await generateBatch(
      model,
      [
        [1, 5],
        [1, 5],
      ],
      options,
    );
    expect(first).toEqual(await generate(model, [1, 5], options));
    expect(second).not.toEqual(first);
  });

  it('rows end by themselves: by an end token, by `stop`, by the positions', async () => {
    const model = modelFromConfig({ ...config, max_position_embeddings: 9 }, 'causal-lm', {
      seed: 5,
    }) as CausalLM;
    const prompts = [
      [1, 5],
      [1, 7, 9, 20, 30],
      [4, 4],
    ];
    const greedy = { maxNewTokens: 6, eosTokenIds: [] };
    const all = await generateBatch(model, prompts, greedy);
    expect(all.map(({ length }) => length)).toEqual([6, 4, 6]);
    const stop = (tokens: readonly number[], row: number): boolean =>
      row === 2 && tokens.length === 2;
    const cut = await generateBatch(model, prompts, { ...greedy, stop });
    expect(cut).toEqual([all[0], all[1], all[2]!.slice(0, 2)]);
  });

  it('gives one id a row at each step, and nothing for rows that have ended', async () => {
    const stop = (tokens: readonly number[], row: number): boolean => tokens.length === 3 - row;
    const steps: GeneratedStep[] = [];
    for await (const step of generateSteps(fresh(), [[1], [2]], { ...options, stop }))
      steps.push(step);
    expect(steps.map((step) => step.map((id) => id !== undefined))).toEqual([
      [true, true],
      [true, true],
      [true, false],
    ]);
  });

  it('a penalty for repetition keeps greedy text from repeating itself', async () => {
    const greedy = { maxNewTokens: 12, eosTokenIds: [] };
    const model = fresh();
    const plain = await generate(model, [1, 5], greedy);
    const varied = await generate(model, [1, 5], { ...greedy, repetitionPenalty: 1e6 });
    expect(new Set(plain).size).toBeLessThan(12);
    expect(new Set([1, 5, ...varied]).size).toBe(14);
  });

  it.each([
    [{ topP: 0 }, /topP 0 is not above 0/],
    [{ topK: 0.5 }, /topK 0.5 is not a whole number/],
    [{ minP: 2 }, /minP 2 is not from 0 to 1/],
    [{ repetitionPenalty: -1 }, /repetitionPenalty -1 is not a number above 0/],
  ])('refuses %j', async (bad, message) => {
    await expect(generate(fresh(), [1], { maxNewTokens: 1, ...bad })).rejects.toThrow(message);
  });

  it.each(['wasm', 'webgpu'] as const)(
    'with windows keeps rings of their size, compiles nothing for later tokens and leaves nothing behind (%s)',
    async (backend) => {
      const device = await on(backend);
      const mistral = goldenJson<Record<string, unknown>>('mistral/config.json');
      const model = modelFromConfig(mistral, 'causal-lm', { seed: 5 }) as CausalLM;
      const cache = model.createCache({ starts: [0], columns: 64, longest: 64 });
      expect(cache.blocks.map(({ key }) => key.shape)).toEqual([
        [1, 2, 4, 6],
        [1, 2, 4, 6],
      ]);
      await generateBatch(model, [[1, 5], [7]], { ...options, maxNewTokens: 3 });
      const { compiled } = device.counters;
      const { live } = device.memory();
      await generateBatch(
        model,
        [
          [1, 5, 9, 8, 7, 6],
          [4, 2],
        ],
        { ...options, maxNewTokens: 14 },
      );
      expect(device.counters.compiled).toBe(compiled);
      expect(device.memory().live - live).toBeLessThan(200);
    },
  );
});
