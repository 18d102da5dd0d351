/** @file The configuration of GPT-2, with the keys and defaults of Hugging Face's `GPT2Config`. */
import { InputError } from '@camada/tensor';
import { ConfigReader } from './config.ts';
import { checkDecoder, commonFields, type DecoderConfig } from './decoder/config.ts';

/** Fields of a GPT-2 `config.json` that the model uses; sizes under the names that all families share. */
export interface GPT2Config extends DecoderConfig {
  readonly activation_function: string;
  readonly layer_norm_epsilon: number;
  readonly embd_pdrop: number;
  readonly attn_pdrop: number;
  readonly resid_pdrop: number;
  /** Whether scores are divided by √D. */
  readonly scale_attn_weights: boolean;
  /** Whether scores of block i are divided by i + 1 too. */
  readonly scale_attn_by_inverse_layer_idx: boolean;
}

/** Reads and checks a GPT-2 configuration. Throws InputError that names a bad field. */
export function parseGPT2Config(config: unknown): GPT2Config {
  const read = new ConfigReader(config);
  read.only('model_type', 'gpt2');
  read.only('add_cross_attention', false);
  const width = read.size('n_embd', 768);
  const heads = read.size('n_head', 12);
  if (width % heads !== 0)
    throw new InputError(`config.json: n_embd ${width} is not a multiple of n_head ${heads}`);
  const layers = read.size('n_layer', 12);
  const result: GPT2Config = {
    model_type: 'gpt2',
    ...commonFields(read),
    vocab_size: read.size('vocab_size', 50257),
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: heads,
    head_dim: width / heads,
    intermediate_size: read.size('n_inner', 4 * width),
    max_position_embeddings: read.size('n_positions', 1024),
    layer_types: Array.from({ length: layers }, () => 'full_attention' as const),
    sliding_window: null,
    rope: null,
    final_logit_softcapping: null,
    tie_word_embeddings: read.flag('tie_word_embeddings', true),
    activation_function: read.text('activation_function', 'gelu_new'),
    layer_norm_epsilon: read.positive('layer_norm_epsilon', 1e-5),
    embd_pdrop: read.probability('embd_pdrop', 0.1),
    attn_pdrop: read.probability('attn_pdrop', 0.1),
    resid_pdrop: read.probability('resid_pdrop', 0.1),
    scale_attn_weights: read.flag('scale_attn_weights', true),
    scale_attn_by_inverse_layer_idx: read.flag('scale_attn_by_inverse_layer_idx', false),
  };
  checkDecoder(result);
  return result;
}
