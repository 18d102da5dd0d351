/** @file The configuration of BERT, with the keys and defaults of Hugging Face's `BertConfig`. */
import { InputError } from '@camada/tensor';
import { ConfigReader } from './config.ts';
import { labelNames, type LabelConfig } from './labels.ts';

/** Fields that BERT's blocks and those of its descendants (RoBERTa, DeBERTa) read. */
export interface BertBlockConfig extends LabelConfig {
  readonly hidden_act: string;
  readonly hidden_dropout_prob: number;
  readonly attention_probs_dropout_prob: number;
  readonly type_vocab_size: number;
  readonly layer_norm_eps: number;
  readonly pad_token_id: number;
}

/** Fields of a BERT `config.json` that the model uses. */
export interface BertConfig extends BertBlockConfig {
  /** Dropout before the classifier; `hidden_dropout_prob` when null. */
  readonly classifier_dropout: number | null;
}

/** Values where a family's defaults differ from BERT's. */
export interface BertDefaults {
  readonly layer_norm_eps: number;
  readonly type_vocab_size: number;
  readonly pad_token_id: number;
}

const DEFAULTS: BertDefaults = { layer_norm_eps: 1e-12, type_vocab_size: 2, pad_token_id: 0 };

/**
 * Reads and checks a BERT configuration. Throws InputError that names the field when one is missing, wrong or
 * asks for something that is not supported.
 */
export function parseBertConfig(config: unknown): BertConfig {
  const read = new ConfigReader(config);
  read.only('model_type', 'bert');
  return readBertConfig(read, 'bert', DEFAULTS);
}

/** The configuration of BERT or RoBERTa. Throws InputError that names a bad field. */
export function readBertConfig(
  read: ConfigReader,
  modelType: string,
  defaults: BertDefaults,
): BertConfig {
  read.only('position_embedding_type', 'absolute');
  read.only('is_decoder', false);
  read.only('add_cross_attention', false);
  return {
    ...readBlockConfig(read, modelType, defaults),
    type_vocab_size: read.size('type_vocab_size', defaults.type_vocab_size),
    classifier_dropout:
      read.get('classifier_dropout') === undefined ? null : read.probability('classifier_dropout'),
  };
}

/** The fields that all descendants of BERT share. Throws InputError that names a bad field. */
export function readBlockConfig(
  read: ConfigReader,
  modelType: string,
  defaults: BertDefaults,
): BertBlockConfig {
  const result: BertBlockConfig = {
    model_type: modelType,
    architectures: read.texts('architectures'),
    vocab_size: read.size('vocab_size'),
    hidden_size: read.size('hidden_size'),
    num_hidden_layers: read.size('num_hidden_layers'),
    num_attention_heads: read.size('num_attention_heads'),
    intermediate_size: read.size('intermediate_size'),
    max_position_embeddings: read.size('max_position_embeddings'),
    type_vocab_size: read.index('type_vocab_size', defaults.type_vocab_size),
    hidden_act: read.text('hidden_act', 'gelu'),
    hidden_dropout_prob: read.probability('hidden_dropout_prob', 0.1),
    attention_probs_dropout_prob: read.probability('attention_probs_dropout_prob', 0.1),
    layer_norm_eps: read.positive('layer_norm_eps', defaults.layer_norm_eps),
    initializer_range: read.positive('initializer_range', 0.02),
    pad_token_id: read.index('pad_token_id', defaults.pad_token_id),
    id2label: labelNames(read),
    problem_type: null,
  };
  checkEncoderSizes(result);
  return result;
}

/** Throws InputError when the heads do not divide the width, or the padding's id is outside the vocabulary. */
export function checkEncoderSizes(
  config: Pick<
    BertBlockConfig,
    'hidden_size' | 'num_attention_heads' | 'pad_token_id' | 'vocab_size'
  >,
): void {
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
