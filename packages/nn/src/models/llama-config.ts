/** @file The configuration of Llama and of the families that differ from it by a few fields. */
import { ConfigReader } from './config.ts';
import { checkDecoder, commonFields, type DecoderConfig } from './decoder/config.ts';
import { ropeParameters } from './decoder/rope.ts';

/** Fields of a Llama-like `config.json` that the models use; the keys are Hugging Face's. */
export interface LlamaConfig extends DecoderConfig {
  readonly hidden_act: string;
  readonly rms_norm_eps: number;
  /** Biases of the projections to queries, keys and values, and of the one after them. */
  readonly attention_bias: { readonly input: boolean; readonly output: boolean };
  readonly mlp_bias: boolean;
  readonly attention_dropout: number;
  /** Factor on the scores, s⁻¹ᐟ²; the head width where a family has no such field. */
  readonly query_pre_attn_scalar: number;
  /** Cap of the scores; null where there is none. */
  readonly attn_logit_softcapping: number | null;
}

/** What a family takes where its file is silent. */
export interface LlamaDefaults {
  readonly rms_norm_eps?: number;
  readonly max_position_embeddings?: number;
  readonly head_dim?: number;
  readonly tie_word_embeddings?: boolean;
  readonly rope_theta?: number;
  /** Name of the field of the activation; `hidden_act` when left out. */
  readonly activation?: { readonly key: string; readonly value: string };
}

/**
 * Reads and checks a Llama configuration. Throws InputError that names the field when one is missing, wrong or
 * asks for something that is not supported.
 */
export function parseLlamaConfig(config: unknown): LlamaConfig {
  return readLlamaConfig(config, 'llama');
}

/** The same for a family that differs by its defaults. */
export function readLlamaConfig(
  config: unknown,
  modelType: string,
  defaults: LlamaDefaults = {},
): LlamaConfig {
  const read = new ConfigReader(config);
  read.only('model_type', modelType);
  const sizes = llamaSizes(read, defaults);
  const rope = ropeParameters(read, {
    width: sizes.head_dim,
    positions: sizes.max_position_embeddings,
    ...(defaults.rope_theta !== undefined && { theta: defaults.rope_theta }),
  });
  const bias = read.flag('attention_bias', false);
  const { key, value } = defaults.activation ?? { key: 'hidden_act', value: 'silu' };
  const result: LlamaConfig = {
    model_type: modelType,
    ...commonFields(read),
    ...sizes,
    hidden_act: read.text(key, value),
    rms_norm_eps: read.positive('rms_norm_eps', defaults.rms_norm_eps ?? 1e-6),
    rope: { full_attention: rope, sliding_attention: rope },
    layer_types: Array.from({ length: sizes.num_hidden_layers }, () => 'full_attention' as const),
    sliding_window: null,
    attention_bias: { input: bias, output: bias },
    mlp_bias: read.flag('mlp_bias', false),
    attention_dropout: read.probability('attention_dropout', 0),
    query_pre_attn_scalar: sizes.head_dim,
    attn_logit_softcapping: null,
    final_logit_softcapping: null,
    tie_word_embeddings: read.flag('tie_word_embeddings', defaults.tie_word_embeddings ?? false),
  };
  checkDecoder(result);
  return result;
}

type Sizes =
  | 'vocab_size'
  | 'hidden_size'
  | 'num_hidden_layers'
  | 'num_attention_heads'
  | 'num_key_value_heads'
  | 'head_dim'
  | 'intermediate_size'
  | 'max_position_embeddings';

function llamaSizes(read: ConfigReader, defaults: LlamaDefaults): Pick<LlamaConfig, Sizes> {
  const hidden = read.size('hidden_size');
  const heads = read.size('num_attention_heads');
  const width = defaults.head_dim ?? Math.max(1, Math.floor(hidden / heads));
  return {
    vocab_size: read.size('vocab_size'),
    hidden_size: hidden,
    num_hidden_layers: read.size('num_hidden_layers'),
    num_attention_heads: heads,
    num_key_value_heads: read.size('num_key_value_heads', heads),
    head_dim: read.size('head_dim', width),
    intermediate_size: read.size('intermediate_size'),
    max_position_embeddings: read.size(
      'max_position_embeddings',
      defaults.max_position_embeddings ?? 2048,
    ),
  };
}
