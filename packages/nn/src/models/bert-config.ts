/** @file The configuration of BERT, with the keys and defaults of Hugging Face's `BertConfig`. */
import { InputError } from '@camada/tensor';
import { ConfigReader } from './config.ts';
import type { ModelConfig } from './model.ts';

/** Fields of a BERT `config.json` that the model uses. */
export interface BertConfig extends ModelConfig {
  readonly model_type: 'bert';
  readonly hidden_act: string;
  readonly hidden_dropout_prob: number;
  readonly attention_probs_dropout_prob: number;
  /** Dropout before the classifier; `hidden_dropout_prob` when null. */
  readonly classifier_dropout: number | null;
  readonly type_vocab_size: number;
  readonly layer_norm_eps: number;
  readonly pad_token_id: number;
  /** Name of each class by its index. */
  readonly id2label: Readonly<Record<string, string>>;
}

/**
 * Reads and checks a BERT configuration. Throws InputError that names the field when one is missing, wrong or
 * asks for something that is not supported.
 */
export function parseBertConfig(config: unknown): BertConfig {
  const read = new ConfigReader(config);
  read.only('model_type', 'bert');
  read.only('position_embedding_type', 'absolute');
  read.only('is_decoder', false);
  read.only('add_cross_attention', false);
  const result: BertConfig = {
    model_type: 'bert',
    architectures: read.texts('architectures'),
    ...sizes(read),
    hidden_act: read.text('hidden_act', 'gelu'),
    hidden_dropout_prob: read.probability('hidden_dropout_prob', 0.1),
    attention_probs_dropout_prob: read.probability('attention_probs_dropout_prob', 0.1),
    classifier_dropout:
      read.get('classifier_dropout') === undefined ? null : read.probability('classifier_dropout'),
    layer_norm_eps: read.positive('layer_norm_eps', 1e-12),
    initializer_range: read.positive('initializer_range', 0.02),
    pad_token_id: read.index('pad_token_id', 0),
    id2label: labelNames(read),
  };
  checkSizes(result);
  return result;
}

type Sizes =
  | 'vocab_size'
  | 'hidden_size'
  | 'num_hidden_layers'
  | 'num_attention_heads'
  | 'intermediate_size'
  | 'max_position_embeddings'
  | 'type_vocab_size';

function sizes(read: ConfigReader): Pick<BertConfig, Sizes> {
  return {
    vocab_size: read.size('vocab_size'),
    hidden_size: read.size('hidden_size'),
    num_hidden_layers: read.size('num_hidden_layers'),
    num_attention_heads: read.size('num_attention_heads'),
    intermediate_size: read.size('intermediate_size'),
    max_position_embeddings: read.size('max_position_embeddings'),
    type_vocab_size: read.size('type_vocab_size', 2),
  };
}

/** `id2label`, or LABEL_0 … for `num_labels` (2 when absent), as Transformers names them. */
export function labelNames(read: ConfigReader): Record<string, string> {
  const given = read.record('id2label');
  if (!given) return defaultLabels(read.size('num_labels', 2));
  return Object.fromEntries(Object.entries(given).map(([id, name]) => [id, String(name)]));
}

/** LABEL_0 … LABEL_{count−1}. */
export function defaultLabels(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [String(i), `LABEL_${i}`]));
}

function checkSizes(config: BertConfig): void {
  if (config.hidden_size % config.num_attention_heads !== 0)
    throw new InputError(
      `config.json: hidden_size ${config.hidden_size} is not a multiple of num_attention_heads ` +
        config.num_attention_heads,
    );
  if (config.pad_token_id >= config.vocab_size)
    throw new InputError(
      `config.json: pad_token_id ${config.pad_token_id} is not below vocab_size ${config.vocab_size}`,
    );
}
