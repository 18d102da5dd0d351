/**
 * @file Which models GGUF files hold, and what their tensors and numbers are called at Hugging Face. One record an
 * architecture; read from left to right for loading, from right to left for writing. The names are those of
 * llama.cpp's `convert_hf_to_gguf.py` and of the Python package `gguf` (`tensor_mapping.py`).
 */
import { InputError } from '@camada/tensor';
import type { JsonRecord } from '../bytes/text.ts';

/** How a tensor was changed when the file was made; loading undoes it. */
export type Change =
  /** Rows of every head interleaved: llama.cpp rotates neighbours, Transformers halves. */
  | 'rotary-query'
  | 'rotary-key'
  /** Stored [out, in] where Hugging Face has [in, out]. */
  | 'transposed'
  /** One added, because llama.cpp multiplies by the weight and Gemma by 1 + the weight. */
  | 'plus-one';

/** What is read from a file beside the numbers of the table. */
export interface GgufFacts {
  /** A number of the metadata, without the architecture in front of its key; undefined where it is missing. */
  number(key: string): number | undefined;
  /** Whether there is a tensor of this name in the file. */
  hasTensor(name: string): boolean;
}

/** One architecture. */
export interface GgufArchitecture {
  /** `model_type` of `config.json`. */
  readonly modelType: string;
  /** First of `architectures` of `config.json`. */
  readonly className: string;
  /** Tensors outside the layers: stem in the file, stem at Hugging Face. */
  readonly outer: Readonly<Record<string, string>>;
  /** Where the layers are at Hugging Face. */
  readonly layers: string;
  /** Tensors of a layer: stem after `blk.N.`, stem after `layers.N.`. */
  readonly layer: Readonly<Record<string, string>>;
  /** Changes by the file's stem and ending. */
  readonly changes: Readonly<Record<string, Change>>;
  /** Numbers: key of `config.json`, key in the file after the architecture. */
  readonly numbers: Readonly<Record<string, string>>;
  /** Fields of `config.json` that follow from the architecture, or from more than one number. */
  fields(facts: GgufFacts): JsonRecord;
}

const OUTER = {
  token_embd: 'model.embed_tokens',
  output_norm: 'model.norm',
  output: 'lm_head',
};

const ATTENTION = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
};

const QK_NORMS = { attn_q_norm: 'self_attn.q_norm', attn_k_norm: 'self_attn.k_norm' };

const MLP = { ffn_gate: 'mlp.gate_proj', ffn_up: 'mlp.up_proj', ffn_down: 'mlp.down_proj' };

const PRE_NORM = { ffn_norm: 'post_attention_layernorm' };

/** Gemma 2 and 3 normalise before and after each part. */
const SANDWICH_NORMS = {
  post_attention_norm: 'post_attention_layernorm',
  ffn_norm: 'pre_feedforward_layernorm',
  post_ffw_norm: 'post_feedforward_layernorm',
};

const NUMBERS = {
  max_position_embeddings: 'context_length',
  num_hidden_layers: 'block_count',
  intermediate_size: 'feed_forward_length',
  hidden_size: 'embedding_length',
  num_attention_heads: 'attention.head_count',
  num_key_value_heads: 'attention.head_count_kv',
  head_dim: 'attention.key_length',
  rms_norm_eps: 'attention.layer_norm_rms_epsilon',
  rope_theta: 'rope.freq_base',
  sliding_window: 'attention.sliding_window',
};

/** The width of a head is always width / heads here, and has no key. */
const { head_dim: _, ...PHI_NUMBERS } = NUMBERS;

const BASE: Pick<GgufArchitecture, 'outer' | 'layers' | 'layer' | 'changes' | 'numbers'> = {
  outer: OUTER,
  layers: 'model.layers',
  layer: { ...ATTENTION, ...PRE_NORM, ...MLP },
  changes: {},
  numbers: NUMBERS,
};

const GEMMA_CHANGES: Readonly<Record<string, Change>> = Object.fromEntries(
  ['output_norm', 'attn_norm', ...Object.keys(SANDWICH_NORMS), ...Object.keys(QK_NORMS)].map(
    (stem) => [`${stem}.weight`, 'plus-one' as const],
  ),
);

const GEMMA_ACTIVATION = {
  hidden_activation: 'gelu_pytorch_tanh',
  hidden_act: 'gelu_pytorch_tanh',
};

/** llama.cpp scales scores by the width of a head, but in the models of 27 billion by width / heads. */
function gemmaScale(facts: GgufFacts, layersOf27B: number): number | undefined {
  const [width, heads] = [facts.number('embedding_length'), facts.number('attention.head_count')];
  if (facts.number('block_count') === layersOf27B && width && heads) return width / heads;
  return facts.number('attention.key_length');
}

/** The share of a head's width that is rotated; undefined where it is all of it. */
function rotaryShare(facts: GgufFacts): number | undefined {
  const [width, heads] = [facts.number('embedding_length'), facts.number('attention.head_count')];
  const rotated = facts.number('rope.dimension_count');
  if (!width || !heads || !rotated || rotated * heads === width) return undefined;
  return (rotated * heads) / width;
}

/** Architectures by their name in `general.architecture`. */
export const GGUF_ARCHITECTURES: Readonly<Record<string, GgufArchitecture>> = {
  llama: {
    ...BASE,
    modelType: 'llama',
    className: 'LlamaForCausalLM',
    changes: {
      'attn_q.weight': 'rotary-query',
      'attn_q.bias': 'rotary-query',
      'attn_k.weight': 'rotary-key',
      'attn_k.bias': 'rotary-key',
    },
    fields: (facts) => ({
      hidden_act: 'silu',
      head_dim: facts.number('attention.key_length') ?? facts.number('rope.dimension_count'),
      attention_bias: facts.hasTensor('blk.0.attn_q.bias'),
      mlp_bias: facts.hasTensor('blk.0.ffn_gate.bias'),
    }),
  },
  qwen2: {
    ...BASE,
    modelType: 'qwen2',
    className: 'Qwen2ForCausalLM',
    fields: () => ({ hidden_act: 'silu', use_sliding_window: false }),
  },
  qwen3: {
    ...BASE,
    modelType: 'qwen3',
    className: 'Qwen3ForCausalLM',
    layer: { ...BASE.layer, ...QK_NORMS },
    fields: (facts) => ({
      hidden_act: 'silu',
      use_sliding_window: false,
      attention_bias: facts.hasTensor('blk.0.attn_q.bias'),
    }),
  },
  phi3: {
    ...BASE,
    modelType: 'phi3',
    className: 'Phi3ForCausalLM',
    numbers: PHI_NUMBERS,
    layer: {
      attn_norm: 'input_layernorm',
      attn_qkv: 'self_attn.qkv_proj',
      attn_output: 'self_attn.o_proj',
      ...PRE_NORM,
      ffn_up: 'mlp.gate_up_proj',
      ffn_down: 'mlp.down_proj',
    },
    fields: (facts) => ({ hidden_act: 'silu', partial_rotary_factor: rotaryShare(facts) }),
  },
  gemma: {
    ...BASE,
    modelType: 'gemma',
    className: 'GemmaForCausalLM',
    changes: GEMMA_CHANGES,
    fields: () => GEMMA_ACTIVATION,
  },
  gemma2: {
    ...BASE,
    modelType: 'gemma2',
    className: 'Gemma2ForCausalLM',
    layer: { ...ATTENTION, ...SANDWICH_NORMS, ...MLP },
    changes: GEMMA_CHANGES,
    numbers: {
      ...NUMBERS,
      attn_logit_softcapping: 'attn_logit_softcapping',
      final_logit_softcapping: 'final_logit_softcapping',
    },
    fields: (facts) => ({
      ...GEMMA_ACTIVATION,
      query_pre_attn_scalar: gemmaScale(facts, 46),
      sliding_window: facts.number('attention.sliding_window') ?? 4096,
    }),
  },
  gemma3: {
    ...BASE,
    modelType: 'gemma3_text',
    className: 'Gemma3ForCausalLM',
    layer: { ...ATTENTION, ...QK_NORMS, ...SANDWICH_NORMS, ...MLP },
    changes: GEMMA_CHANGES,
    fields: (facts) => ({
      ...GEMMA_ACTIVATION,
      query_pre_attn_scalar: gemmaScale(facts, 62),
      rope_theta: facts.number('rope.freq_base') ?? 1e6,
      rope_local_base_freq: 10000,
      sliding_window_pattern: 6,
      attn_logit_softcapping: null,
      final_logit_softcapping: null,
    }),
  },
  gpt2: {
    modelType: 'gpt2',
    className: 'GPT2LMHeadModel',
    outer: {
      token_embd: 'transformer.wte',
      position_embd: 'transformer.wpe',
      output_norm: 'transformer.ln_f',
      output: 'lm_head',
    },
    layers: 'transformer.h',
    layer: {
      attn_norm: 'ln_1',
      attn_qkv: 'attn.c_attn',
      attn_output: 'attn.c_proj',
      ffn_norm: 'ln_2',
      ffn_up: 'mlp.c_fc',
      ffn_down: 'mlp.c_proj',
    },
    changes: Object.fromEntries(
      ['attn_qkv', 'attn_output', 'ffn_up', 'ffn_down'].map((stem) => [
        `${stem}.weight`,
        'transposed' as const,
      ]),
    ),
    numbers: {
      n_positions: 'context_length',
      n_layer: 'block_count',
      n_inner: 'feed_forward_length',
      n_embd: 'embedding_length',
      n_head: 'attention.head_count',
      layer_norm_epsilon: 'attention.layer_norm_epsilon',
    },
    fields: () => ({ activation_function: 'gelu_new' }),
  },
};

/** The record of an architecture. Throws `InputError` listing all where there is none. */
export function ggufArchitecture(name: unknown, file: string): GgufArchitecture {
  if (typeof name === 'string' && Object.hasOwn(GGUF_ARCHITECTURES, name))
    return GGUF_ARCHITECTURES[name]!;
  throw new InputError(
    `${file}: "general.architecture" is ${JSON.stringify(name)}; ${Object.keys(GGUF_ARCHITECTURES).join(', ')} ` +
      'are supported, so take a model of one of these.',
  );
}

/** Name at Hugging Face of a tensor of the file; undefined where there is no such parameter. */
export function hubName(architecture: GgufArchitecture, name: string): string | undefined {
  const [, layer, stem, ending] = /^(?:blk\.(\d+)\.)?([^.]+)\.(weight|bias)$/.exec(name) ?? [];
  const table = layer === undefined ? architecture.outer : architecture.layer;
  if (stem === undefined || !Object.hasOwn(table, stem)) return undefined;
  const place = layer === undefined ? '' : `${architecture.layers}.${layer}.`;
  return `${place}${table[stem]}.${ending}`;
}

/** Name in a GGUF file of a parameter; undefined where there is no place for it. */
export function ggufName(architecture: GgufArchitecture, name: string): string | undefined {
  const inLayers = name.startsWith(`${architecture.layers}.`);
  const rest = inLayers ? name.slice(architecture.layers.length + 1) : name;
  const [, layer, stem, ending] = /^(?:(\d+)\.)?(.+)\.(weight|bias)$/.exec(rest) ?? [];
  const table = inLayers ? architecture.layer : architecture.outer;
  const found = Object.keys(table).find((key) => table[key] === stem);
  if (found === undefined || (layer === undefined) === inLayers) return undefined;
  return `${inLayers ? `blk.${layer}.` : ''}${found}.${ending}`;
}

/** What was done to a tensor of the file when it was made; undefined for nothing. */
export function changeOf(architecture: GgufArchitecture, name: string): Change | undefined {
  const key = name.replace(/^blk\.\d+\./, '');
  return Object.hasOwn(architecture.changes, key) ? architecture.changes[key] : undefined;
}
