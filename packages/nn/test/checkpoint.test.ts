/** @file checkpointLayers: every family of blocks keeps its numbers and names and gives up its activations. */
import { grad } from '@camada/autograd';
import { realize, type Tensor } from '@camada/tensor';
import {
  checkpointLayers,
  createBatch,
  createContext,
  initializeParameters,
  modelFromConfig,
  namedParameters,
  type HeadTask,
} from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { trace } from '../../tensor/src/graph/trace.ts';
import { schedule } from '../../tensor/src/schedule/schedule.ts';
import { maxDifference, on } from './support.ts';

const SIZES = { vocab_size: 40, hidden_size: 32, num_hidden_layers: 6, num_attention_heads: 4 };
const COMMON = {
  ...SIZES,
  intermediate_size: 64,
  max_position_embeddings: 32,
  initializer_range: 0.1,
  pad_token_id: 0,
};
const FAMILIES: Record<string, { config: object; task: HeadTask }> = {
  bert: {
    task: 'classification',
    config: {
      ...COMMON,
      model_type: 'bert',
      architectures: ['BertModel'],
      type_vocab_size: 2,
      hidden_act: 'gelu',
      layer_norm_eps: 1e-12,
      hidden_dropout_prob: 0.1,
      attention_probs_dropout_prob: 0.1,
    },
  },
  llama: {
    task: 'causal-lm',
    config: {
      ...COMMON,
      model_type: 'llama',
      architectures: ['LlamaForCausalLM'],
      num_key_value_heads: 2,
      hidden_act: 'silu',
      rms_norm_eps: 1e-6,
      rope_theta: 10000,
      tie_word_embeddings: true,
    },
  },
};

/** Loss and gradients of one training step. */
function step(family: string, checkpointed: boolean): { results: Tensor[]; names: string[] } {
  const { config, task } = FAMILIES[family]!;
  const options = task === 'classification' ? { numLabels: 3 } : {};
  const model = modelFromConfig(config as never, task, options);
  const names = [...namedParameters(model).keys()];
  initializeParameters(model, 0.1, 1, names);
  if (checkpointed) checkpointLayers(model);
  const inputIds = [0, 1].map((b) =>
    Array.from({ length: 16 }, (_, t) => 1 + ((5 * b + 3 * t) % 39)),
  );
  const labels = task === 'classification' ? [0, 2] : inputIds;
  const batch = createBatch({ inputIds, labels }, model.limits);
  const context = createContext({ training: true, seed: 2, step: 1 });
  const loss = model.loss(model.call(batch, context), batch);
  const parameters = namedParameters(model);
  return {
    results: [loss, ...grad(loss, [...parameters.values()])],
    names: [...parameters.keys()],
  };
}

function scratch(results: readonly Tensor[]): number {
  const graph = trace(results.map(({ node }) => ({ node, replaces: undefined }))).graph();
  return schedule(graph, { maxBuffersPerKernel: 10 }).scratchBytes;
}

describe.each(Object.keys(FAMILIES))('checkpointed blocks of %s', (family) => {
  beforeAll(() => on('wasm'));

  it('have the same names, loss and gradients', async () => {
    const [plain, checked] = [step(family, false), step(family, true)];
    expect(checked.names).toEqual(plain.names);
    await realize([...plain.results, ...checked.results]);
    for (const [i, x] of plain.results.entries())
      expect(maxDifference(await checked.results[i]!.data(), [...(await x.data())])).toBeLessThan(
        1e-5,
      );
  });

  it('need less than half of the scratch memory', () => {
    expect(scratch(step(family, true).results)).toBeLessThan(
      0.5 * scratch(step(family, false).results),
    );
  });
});
