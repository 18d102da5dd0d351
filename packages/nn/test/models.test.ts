/** @file BERT and Llama against Transformers: hidden states, logits, loss and every gradient (tools/oracle/models.py). */
import { grad } from '@camada/autograd';
import { realize, type Tensor } from '@camada/tensor';
import {
  createContext,
  emptyModel,
  generate,
  hiddenStates,
  loadWeights,
  namedParameters,
  type Batch,
  type HeadModel,
  type HeadTask,
  type LlamaForCausalLM,
} from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  DEVICES,
  goldenJson,
  goldenTensors,
  leaf,
  maxDifference,
  on,
  relativeDifference,
} from './support.ts';

const MODELS: readonly (readonly [folder: string, task: HeadTask])[] = [
  ['bert-classifier', 'classification'],
  ['bert-regression', 'regression'],
  ['bert-masked-lm', 'masked-lm'],
  ['llama-tied', 'causal-lm'],
  ['llama-untied', 'causal-lm'],
];

type Golden = ReturnType<typeof goldenTensors>;

async function load(folder: string, task: HeadTask): Promise<HeadModel> {
  const model = emptyModel(goldenJson(`${folder}/config.json`), task);
  const report = await loadWeights(model, goldenTensors(`${folder}/model.safetensors`));
  expect(report.initialized).toEqual([]);
  expect(report.unused).toEqual([]);
  return model;
}

function batchOf(golden: Golden): Batch {
  const input = (name: string): Tensor => leaf(golden.read(`input.${name}`));
  const types = golden.names.includes('input.token_type_ids');
  return {
    inputIds: input('input_ids'),
    attentionMask: input('attention_mask'),
    labels: input('labels'),
    ...(types && { tokenTypeIds: input('token_type_ids') }),
  };
}

describe.each(DEVICES)('on %s', (device) => {
  beforeAll(() => on(device));

  it.each(MODELS)(
    '%s has the hidden states, logits and loss of Transformers',
    async (folder, task) => {
      const model = await load(folder, task);
      const golden = goldenTensors(`${folder}/golden.safetensors`);
      const batch = batchOf(golden);
      const states = hiddenStates(model, batch, createContext(), 'normalized');
      const output = model.call(batch, createContext());
      const loss = model.loss(output, batch);
      await realize([...states, output.logits, loss]);
      expect(states.length).toBe(model.layers.length + 1);
      for (const [i, state] of states.entries())
        expect(maxDifference(await state.data(), golden.read(`hidden.${i}`).data)).toBeLessThan(
          1e-4,
        );
      expect(output.logits.shape).toEqual(golden.read('logits').shape);
      expect(maxDifference(await output.logits.data(), golden.read('logits').data)).toBeLessThan(
        1e-4,
      );
      const expected = goldenJson<{ loss: number }>(`${folder}/golden.json`).loss;
      expect(Math.abs((await loss.item()) - expected)).toBeLessThan(1e-5 * (1 + expected));
    },
  );

  it.each(MODELS)('%s has the gradients of PyTorch', async (folder, task) => {
    const model = await load(folder, task);
    const golden = goldenTensors(`${folder}/golden.safetensors`);
    const batch = batchOf(golden);
    const parameters = namedParameters(model);
    const loss = model.loss(model.call(batch, createContext()), batch);
    const gradients = grad(loss, [...parameters.values()]);
    await realize(gradients);
    for (const [i, name] of [...parameters.keys()].entries()) {
      const expected = golden.read(`gradient.${name}`).data;
      const error = relativeDifference(await gradients[i]!.data(), expected);
      // A key's bias shifts every score of a row alike: its gradient is 0, and PyTorch's is rounding.
      if (name.endsWith('key.bias'))
        expect(maxDifference(await gradients[i]!.data(), expected)).toBeLessThan(1e-5);
      else expect(error, name).toBeLessThan(1e-3);
    }
  });

  it.each(['llama-tied', 'llama-untied'])(
    '%s keeps the residual stream apart from the normalised state',
    async (folder) => {
      const model = await load(folder, 'causal-lm');
      const golden = goldenTensors(`${folder}/golden.safetensors`);
      const raw = hiddenStates(model, batchOf(golden), createContext()).at(-1)!;
      expect(maxDifference(await raw.data(), golden.read('residual').data)).toBeLessThan(1e-4);
    },
  );

  it('BERT gives logits at chosen positions only, as its full logits there', async () => {
    const model = await load('bert-masked-lm', 'masked-lm');
    const golden = goldenTensors('bert-masked-lm/golden.safetensors');
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

  it.each(['llama-tied', 'llama-untied'])(
    '%s continues a prompt as Transformers does',
    async (folder) => {
      const model = (await load(folder, 'causal-lm')) as LlamaForCausalLM;
      const golden = goldenJson<{ prompt: number[]; generated: number[] }>(`${folder}/golden.json`);
      const options = { maxNewTokens: golden.generated.length, eosTokenIds: [] };
      expect(await generate(model, golden.prompt, options)).toEqual(golden.generated);
    },
  );
});
