/** @file What BERT and Llama do beyond a forward pass: chosen positions, the residual stream, generation (tools/oracle/models.py). */
import { createContext, generate, hiddenStates, type CausalLM } from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { batchOf, goldenOf, loadFamily, type Family } from './families.ts';
import { DEVICES, goldenJson, leaf, maxDifference, on } from './support.ts';

const MASKED: Family = { folder: 'bert-masked-lm', task: 'masked-lm' };
const LLAMAS: readonly Family[] = [
  { folder: 'llama-tied', task: 'causal-lm' },
  { folder: 'llama-untied', task: 'causal-lm' },
];

describe.each(DEVICES)('on %s', (device) => {
  beforeAll(() => on(device));

  it.each(LLAMAS)(
    '$folder keeps the residual stream apart from the normalised state',
    async (family) => {
      const model = await loadFamily(family);
      const golden = goldenOf(family);
      const raw = hiddenStates(model, batchOf(golden), createContext()).at(-1)!;
      expect(maxDifference(await raw.data(), golden.read('residual').data)).toBeLessThan(1e-4);
    },
  );

  it('BERT gives logits at chosen positions only, as its full logits there', async () => {
    const model = await loadFamily(MASKED);
    const golden = goldenOf(MASKED);
    const { labels, ...batch } = batchOf(golden);
    const all = golden.read('input.labels').data;
    const chosen = [...all.keys()].filter((i) => all[i] !== -100);
    const picked = {
      ...batch,
      positions: leaf({ dtype: 'i32', shape: [chosen.length], data: Int32Array.from(chosen) }),
      labels: leaf({
        dtype: 'i32',
        shape: [chosen.length],
        data: Int32Array.from(chosen, (i) => all[i]!),
      }),
    };
    const output = model.call(picked, createContext());
    expect(output.logits.shape).toEqual([chosen.length, 97]);
    const expected = goldenJson<{ loss: number }>('bert-masked-lm/golden.json').loss;
    expect(await model.loss(output, picked).item()).toBeCloseTo(expected, 4);
    expect(labels).toBeDefined();
  });

  it.each(LLAMAS)('$folder continues a prompt as Transformers does', async (family) => {
    const model = (await loadFamily(family)) as CausalLM;
    const golden = goldenJson<{ prompt: number[]; generated: number[] }>(
      `${family.folder}/golden.json`,
    );
    const options = { maxNewTokens: golden.generated.length, eosTokenIds: [] };
    expect(await generate(model, golden.prompt, options)).toEqual(golden.generated);
  });
});
