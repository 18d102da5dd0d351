/** @file The configuration of Llama, with the keys and defaults of Hugging Face's `LlamaConfig`. */
import { InputError } from '@camada/tensor';
import { ConfigReader } from './config.ts';
import type { ModelConfig } from './model.ts';

/** Fields of a Llama `config.json` that the model uses. */
export interface LlamaConfig extends ModelConfig {
  readonly model_type: 'llama';
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly hidden_act: string;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly attention_bias: boolean;
  readonly mlp_bias: boolean;
  readonly attention_dropout: number;
  readonly tie_word_embeddings: boolean;
  readonly pad_token_id: number | null;
  readonly bos_token_id: number | null;
  /** Ids that end a text. */
  readonly eos_token_id: readonly number[];
}

/**
 * Reads and checks a Llama configuration. Throws InputError that names the field when one is missing, wrong or
 * asks for something that is not supported (a scaled rotary embedding).
 */
export function parseLlamaConfig(config: unknown): LlamaConfig {
  const read = new ConfigReader(config);
  read.only('model_type', 'llama');
  const result: LlamaConfig = {
    model_type: 'llama',
    architectures: read.texts('architectures'),
    ...sizes(read),
    hidden_act: read.text('hidden_act', 'silu'),
    rms_norm_eps: read.positive('rms_norm_eps', 1e-6),
    rope_theta: ropeTheta(read),
    attention_bias: read.flag('attention_bias', false),
    mlp_bias: read.flag('mlp_bias', false),
    attention_dropout: read.probability('attention_dropout', 0),
    initializer_range: read.positive('initializer_range', 0.02),
    tie_word_embeddings: read.flag('tie_word_embeddings', false),
    pad_token_id: optionalId(read, 'pad_token_id'),
    bos_token_id: optionalId(read, 'bos_token_id'),
    eos_token_id: endIds(read),
  };
  checkSizes(result);
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

function sizes(read: ConfigReader): Pick<LlamaConfig, Sizes> {
  const hidden = read.size('hidden_size');
  const heads = read.size('num_attention_heads');
  return {
    vocab_size: read.size('vocab_size'),
    hidden_size: hidden,
    num_hidden_layers: read.size('num_hidden_layers'),
    num_attention_heads: heads,
    num_key_value_heads: read.size('num_key_value_heads', heads),
    head_dim: read.size('head_dim', Math.max(1, Math.floor(hidden / heads))),
    intermediate_size: read.size('intermediate_size'),
    max_position_embeddings: read.size('max_position_embeddings', 2048),
  };
}

/** The base of the rotary embedding: `rope_theta`, or inside `rope_parameters` (Transformers 5). */
function ropeTheta(read: ConfigReader): number {
  for (const key of ['rope_scaling', 'rope_parameters']) {
    const record = read.record(key);
    const type = record?.['rope_type'] ?? record?.['type'] ?? 'default';
    if (type !== 'default')
      throw new InputError(
        `config.json: ${key} of type ${JSON.stringify(type)} is not supported, only the default (unscaled) ` +
          'rotary embedding',
      );
  }
  const parameters = read.record('rope_parameters');
  return parameters
    ? new ConfigReader(parameters).positive('rope_theta', 10000)
    : read.positive('rope_theta', 10000);
}

function optionalId(read: ConfigReader, key: string): number | null {
  const value = read.get(key);
  if (value === undefined || value === -1) return null;
  return read.index(key);
}

function endIds(read: ConfigReader): readonly number[] {
  const value = read.get('eos_token_id');
  if (Array.isArray(value) && value.every((id) => Number.isInteger(id) && id >= 0)) return value;
  const id = optionalId(read, 'eos_token_id');
  return id === null ? [] : [id];
}

function checkSizes(config: LlamaConfig): void {
  const { num_attention_heads: heads, num_key_value_heads: groups, head_dim: width } = config;
  if (heads % groups !== 0)
    throw new InputError(
      `config.json: num_attention_heads ${heads} is not a multiple of num_key_value_heads ${groups}`,
    );
  if (width % 2 !== 0)
    throw new InputError(`config.json: head_dim ${width} is odd; the rotary embedding needs pairs`);
  for (const id of [config.pad_token_id, config.bos_token_id, ...config.eos_token_id])
    if (id !== null && id >= config.vocab_size)
      throw new InputError(
        `config.json: token id ${id} is not below vocab_size ${config.vocab_size}`,
      );
}
