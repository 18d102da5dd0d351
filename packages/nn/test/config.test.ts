/** @file Configurations and checkpoints of unknown content: what is read, and what is refused in which words. */
import { InputError, toF16, type TypedArray } from '@camada/tensor';
import {
  BertModel,
  CausalLM,
  createBatch,
  createContext,
  emptyModel,
  loadWeights,
  modelFromConfig,
  namedParameters,
  parseBertConfig,
  parseLlamaConfig,
  type DecoderConfig,
  type WeightFile,
} from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { goldenJson, goldenTensors, maxDifference, on } from './support.ts';

const bert = goldenJson<Record<string, unknown>>('bert-classifier/config.json');
const llama = goldenJson<Record<string, unknown>>('llama-untied/config.json');

/** The checkpoint of the tiny BERT under other names; undefined leaves one out. */
function renamed(rename: (name: string) => string | undefined): WeightFile {
  const file = goldenTensors('bert-classifier/model.safetensors');
  const names = new Map(
    file.names.flatMap((name) => {
      const other = rename(name);
      return other === undefined ? [] : [[other, name] as const];
    }),
  );
  return { names: [...names.keys()], read: (name) => file.read(names.get(name)!) };
}

describe('configurations', () => {
  it('reads the defaults of Transformers for optional fields', () => {
    const { hidden_act: _act, layer_norm_eps: _eps, id2label: _labels, ...rest } = bert;
    const config = parseBertConfig(rest);
    expect(config.hidden_act).toBe('gelu');
    expect(config.layer_norm_eps).toBe(1e-12);
    expect(config.id2label).toEqual({ 0: 'LABEL_0', 1: 'LABEL_1' });
  });

  it('reads the base of the rotary embedding where Transformers 5 writes it', () => {
    const config = parseLlamaConfig(goldenJson('llama-config-transformers5.json'));
    expect(config.rope?.full_attention).toEqual({
      width: 8,
      theta: 10000,
      scaling: { rope_type: 'default' },
    });
    expect(config.eos_token_id).toEqual([2]);
  });

  it.each([
    ['vocab_size', undefined, /'vocab_size' is missing/],
    ['hidden_size', '32', /'hidden_size' is "32"; it must be a whole number/],
    ['num_attention_heads', 5, /hidden_size 32 is not a multiple of num_attention_heads 5/],
    ['hidden_dropout_prob', 1, /'hidden_dropout_prob' is 1; it must be a number in \[0, 1\)/],
    ['position_embedding_type', 'relative_key', /"relative_key" is not supported, only "absolute"/],
    ['pad_token_id', 97, /pad_token_id 97 is not below vocab_size 97/],
  ])('refuses a BERT with %s = %s', (key, value, message) => {
    const parse = (): unknown => parseBertConfig({ ...bert, [key]: value });
    expect(parse).toThrow(InputError);
    expect(parse).toThrow(message);
  });

  it('refuses an unknown or incomplete scaling of the rotary embedding and heads that do not divide', () => {
    const scaled = (rope_scaling: object) => (): unknown =>
      parseLlamaConfig({ ...llama, rope_scaling });
    expect(scaled({ rope_type: 'mrope' })).toThrow(
      /"mrope" is not supported; supported are default, linear/,
    );
    expect(scaled({ rope_type: 'llama3', factor: 8 })).toThrow(/'low_freq_factor' is missing/);
    expect(scaled({ type: 'linear', factor: 0 })).toThrow(
      /'factor' is 0; it must be a number above 0/,
    );
    expect(scaled({ type: 'longrope', short_factor: [1], long_factor: [1] })).toThrow(
      /'short_factor' is \[1\]; it must be a list of 4/,
    );
    expect(() => parseLlamaConfig({ ...llama, num_key_value_heads: 3 })).toThrow(/not a multiple/);
  });

  it.each([
    [
      'mistral',
      { num_key_value_heads: 3 },
      /num_attention_heads 4 is not a multiple of num_key_value_heads 3/,
    ],
    ['mistral', { sliding_window: 0 }, /'sliding_window' is 0; it must be a whole number/],
    [
      'qwen3',
      { layer_types: ['full_attention'] },
      /'layer_types' is .* a list of 2, each of full_attention/,
    ],
    ['gemma2', { layer_types: ['full_attention', 'chunked'] }, /'layer_types' is/],
    [
      'gemma2',
      { attn_logit_softcapping: -1 },
      /'attn_logit_softcapping' is -1; it must be a number above 0/,
    ],
    [
      'gemma3',
      { use_bidirectional_attention: true },
      /use_bidirectional_attention = true is not supported/,
    ],
    ['gpt2', { n_head: 5 }, /n_embd 16 is not a multiple of n_head 5/],
    ['gpt2', { pad_token_id: 41 }, /token id 41 is not below vocab_size 41/],
    ['phi3', { partial_rotary_factor: 0.4 }, /3 of the 8 components of a head would turn/],
  ])('refuses a %s with %j', (folder, change, message) => {
    const build = (): unknown =>
      modelFromConfig({ ...goldenJson<object>(`${folder}/config.json`), ...change }, 'causal-lm');
    expect(build).toThrow(InputError);
    expect(build).toThrow(message);
  });

  it('tells null, which switches a thing off, from a field that is absent', () => {
    const read = (folder: string, change: object): DecoderConfig => {
      const {
        sliding_window: _w,
        attn_logit_softcapping: _c,
        ...rest
      } = goldenJson<Record<string, unknown>>(`${folder}/config.json`);
      return (emptyModel({ ...rest, ...change }, 'causal-lm') as CausalLM).config;
    };
    expect(read('mistral', {}).sliding_window).toBe(4096);
    expect(read('mistral', { sliding_window: null })).toMatchObject({
      sliding_window: null,
      layer_types: ['full_attention', 'full_attention'],
    });
    expect(read('gemma2', {})).toMatchObject({ attn_logit_softcapping: 50 });
    expect(read('gemma2', { attn_logit_softcapping: null })).toMatchObject({
      attn_logit_softcapping: null,
    });
  });

  it('reads the rotary embeddings of Gemma 3 where Transformers 5 writes them', () => {
    const {
      rope_theta: _t,
      rope_local_base_freq: _l,
      rope_scaling: _s,
      ...rest
    } = goldenJson<Record<string, unknown>>('gemma3/config.json');
    const model = emptyModel(
      {
        ...rest,
        rope_parameters: {
          full_attention: { rope_type: 'linear', factor: 8, rope_theta: 10000 },
          sliding_attention: { rope_type: 'default', rope_theta: 100 },
        },
      },
      'causal-lm',
    ) as CausalLM;
    const old = emptyModel(goldenJson('gemma3/config.json'), 'causal-lm') as CausalLM;
    expect(model.config.rope).toEqual(old.config.rope);
  });

  it('refuses an unknown architecture or activation and lists what there is', () => {
    const unknown = { ...bert, model_type: 't5', architectures: ['T5Model'] };
    expect(() => modelFromConfig(unknown, 'features')).toThrow(
      /"t5".*supported model_types are bert, .*llama/,
    );
    expect(() => modelFromConfig(llama, 'masked-lm')).toThrow(/supported are causal-lm/);
    expect(() => modelFromConfig({ ...bert, hidden_act: 'mish' }, 'features')).toThrow(
      /'mish'.*gelu/,
    );
    expect(() => modelFromConfig([], 'features')).toThrow(InputError);
  });

  it('chooses the family by model_type, or by the class name where that is absent', () => {
    expect(modelFromConfig(bert, 'features')).toBeInstanceOf(BertModel);
    const { model_type: _, ...rest } = llama;
    expect(modelFromConfig(rest, 'causal-lm')).toBeInstanceOf(CausalLM);
  });

  it('names the layers by their full path', () => {
    expect(modelFromConfig(bert, 'classification').layers[2]).toEqual({
      index: 2,
      name: 'bert.encoder.layer.2',
    });
    expect(modelFromConfig(llama, 'causal-lm').layers[1]).toEqual({
      index: 1,
      name: 'model.layers.1',
    });
  });
});

describe('checkpoints', () => {
  beforeAll(() => on('wasm'));

  it('load without the prefix and report the fresh head and the unused arrays', async () => {
    const model = emptyModel(bert, 'classification', { numLabels: 2 });
    const file = renamed((name) => (name.startsWith('bert.') ? name.slice(5) : undefined));
    const extra: WeightFile = {
      names: [...file.names, 'embeddings.position_ids'],
      read: (name) => file.read(name),
    };
    const report = await loadWeights(model, extra, { seed: 3 });
    expect(report.initialized).toEqual(['classifier.weight', 'classifier.bias']);
    expect(report.unused).toEqual(['embeddings.position_ids']);
    const fresh = (await namedParameters(model).get('classifier.weight')!.data()).slice();
    expect(fresh.length).toBe(64);
    expect(Math.hypot(...fresh) / 8).toBeGreaterThan(0.01);
    expect(Math.hypot(...fresh) / 8).toBeLessThan(0.03);
    const again = emptyModel(bert, 'classification', { numLabels: 2 });
    await loadWeights(again, file, { seed: 3 });
    expect(await namedParameters(again).get('classifier.weight')!.data()).toEqual(fresh);
  });

  it("load TensorFlow's names of LayerNorm", async () => {
    const file = renamed((name) =>
      name
        .replace(/LayerNorm\.weight$/, 'LayerNorm.gamma')
        .replace(/LayerNorm\.bias$/, 'LayerNorm.beta'),
    );
    const report = await loadWeights(emptyModel(bert, 'classification'), file);
    expect(report.initialized).toEqual([]);
    expect(report.unused).toEqual([]);
  });

  it('keep 16-bit weights packed where asked, with the same results as when widened', async () => {
    const file = goldenTensors('bert-classifier/model.safetensors');
    const halves: WeightFile = {
      names: file.names,
      read: (name) => {
        const { shape, data } = file.read(name);
        return { dtype: 'f16', shape, data: Uint16Array.from(data, toF16) };
      },
    };
    const logits = async (keepStorage: boolean): Promise<TypedArray> => {
      const model = emptyModel(bert, 'classification');
      await loadWeights(model, halves, { keepStorage });
      const dtypes = new Set([...namedParameters(model).values()].map(({ dtype }) => dtype));
      expect([...dtypes]).toEqual([keepStorage ? 'f16' : 'f32']);
      const batch = createBatch({ inputIds: [[5, 6, 7], [8]] }, model.limits);
      return model.call(batch, createContext()).logits.data();
    };
    expect(maxDifference(await logits(true), await logits(false))).toBeLessThan(1e-5);
  });

  it('that lack part of the encoder are refused', async () => {
    const file = renamed((name) => (name.includes('layer.1.output') ? undefined : name));
    await expect(loadWeights(emptyModel(bert, 'classification'), file)).rejects.toThrow(
      /lacks 'bert.encoder.layer.1.output.dense.weight'.* and 1 more/,
    );
  });

  it('of other sizes are refused by name and shape', async () => {
    const model = emptyModel({ ...bert, vocab_size: 98 }, 'classification');
    await expect(
      loadWeights(model, goldenTensors('bert-classifier/model.safetensors')),
    ).rejects.toThrow(
      /'bert.embeddings.word_embeddings.weight' is \[97, 32\] in the file, the model needs \[98, 32\]/,
    );
  });
});
