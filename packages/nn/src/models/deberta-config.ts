/** @file The configuration of DeBERTa-v2 and v3, with the keys and defaults of Hugging Face's `DebertaV2Config`. */
import { InputError } from '@camada/tensor';
import { readBlockConfig, type BertBlockConfig } from './bert-config.ts';
import { ConfigReader } from './config.ts';

/** Scores between content and positions: `c2p` content to position, `p2c` position to content. */
export type PositionScore = 'c2p' | 'p2c';

/** Fields of a DeBERTa `config.json` that the model uses. */
export interface DebertaConfig extends BertBlockConfig {
  readonly relative_attention: boolean;
  readonly pos_att_type: readonly PositionScore[];
  /** Whether positions are projected by the content's own key and query layers. */
  readonly share_att_key: boolean;
  /** Embeddings for each direction; 0 for one a distance. */
  readonly position_buckets: number;
  /** Distances are clipped here; never below 1. */
  readonly max_relative_positions: number;
  /** Half the number of embeddings of distances: the buckets, or the furthest distance without them. */
  readonly relative_span: number;
  /** Whether those embeddings pass a LayerNorm. */
  readonly norm_rel_ebd: boolean;
  /** Whether absolute positions are added to the words. */
  readonly position_biased_input: boolean;
  readonly pooler_dropout: number;
  readonly pooler_hidden_act: string;
  /** Dropout before the classifier; `hidden_dropout_prob` when null. */
  readonly cls_dropout: number | null;
}

/**
 * Reads and checks a DeBERTa configuration. Throws InputError that names the field when one is missing, wrong or
 * asks for something that is not supported: a convolution, or embeddings narrower than the model (DeBERTa-v2).
 */
export function parseDebertaConfig(config: unknown): DebertaConfig {
  const read = new ConfigReader(config);
  read.only('model_type', 'deberta-v2');
  read.only('conv_kernel_size', 0);
  const blocks = readBlockConfig(read, 'deberta-v2', {
    layer_norm_eps: 1e-7,
    type_vocab_size: 0,
    pad_token_id: 0,
  });
  read.only('embedding_size', blocks.hidden_size);
  read.only('pooler_hidden_size', blocks.hidden_size);
  read.only('attention_head_size', blocks.hidden_size / blocks.num_attention_heads);
  return {
    ...blocks,
    ...positions(read, blocks.max_position_embeddings),
    position_biased_input: read.flag('position_biased_input', true),
    pooler_dropout: read.probability('pooler_dropout', 0),
    pooler_hidden_act: read.text('pooler_hidden_act', 'gelu'),
    cls_dropout: read.get('cls_dropout') === undefined ? null : read.probability('cls_dropout'),
  };
}

type Positions =
  | 'relative_attention'
  | 'pos_att_type'
  | 'share_att_key'
  | 'position_buckets'
  | 'max_relative_positions'
  | 'relative_span'
  | 'norm_rel_ebd';

function positions(read: ConfigReader, longest: number): Pick<DebertaConfig, Positions> {
  const buckets = orElse(read, 'position_buckets', 0);
  const furthest = orElse(read, 'max_relative_positions', longest);
  if (buckets > 0 && (buckets < 4 || Math.floor(buckets / 2) >= furthest - 1))
    throw new InputError(
      `config.json: position_buckets ${buckets} must be at least 4 and at most twice max_relative_positions ${furthest}`,
    );
  return {
    relative_attention: read.flag('relative_attention', false),
    pos_att_type: kinds(read),
    share_att_key: read.flag('share_att_key', false),
    position_buckets: buckets,
    max_relative_positions: furthest,
    relative_span: buckets > 0 ? buckets : furthest,
    norm_rel_ebd: list(read.text('norm_rel_ebd', 'none')).includes('layer_norm'),
  };
}

/** A whole number; −1 and 0 stand for the fallback. */
function orElse(read: ConfigReader, key: string, fallback: number): number {
  const value = read.get(key);
  return value === undefined || value === -1 || value === 0 ? fallback : read.size(key);
}

/** A list, or one string with bars between, as the first checkpoints have it. */
function kinds(read: ConfigReader): readonly PositionScore[] {
  const value = read.get('pos_att_type');
  const names = typeof value === 'string' ? list(value) : read.texts('pos_att_type');
  return (['c2p', 'p2c'] as const).filter((kind) => names.includes(kind));
}

function list(text: string): string[] {
  return text
    .toLowerCase()
    .split('|')
    .map((item) => item.trim());
}
