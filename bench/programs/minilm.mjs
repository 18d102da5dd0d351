/**
 * @file The MiniLM-shaped classifier of the suite: 6 layers, C 384, H 12, V 30,522, B 16, T 64, AdamW, no dropout; all
 * weights, LoRA of rank 8 on query and value, or that in the upper three layers.
 */

export const CONFIG = {
  model_type: 'bert',
  architectures: ['BertModel'],
  vocab_size: 30522,
  hidden_size: 384,
  num_hidden_layers: 6,
  num_attention_heads: 12,
  intermediate_size: 1536,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  initializer_range: 0.02,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  pad_token_id: 0,
};

export const BATCH = 16;
export const LENGTH = 64;
export const RANK = 8;
export const ALPHA = 16;
export const LEARNING_RATE = 1e-4;

/** Layers that get LoRA; null trains everything. */
export const VARIANTS = { full: null, LoRA: [0, 1, 2, 3, 4, 5], 'LoRA, upper 3': [3, 4, 5] };

/** The batch as rows. */
export function rows(batch = BATCH, length = LENGTH) {
  return {
    inputIds: Array.from({ length: batch }, (_, b) =>
      Array.from({ length }, (__, t) => 5 + ((b * 31 + t * 7) % (CONFIG.vocab_size - 522))),
    ),
    labels: Array.from({ length: batch }, (_, b) => b % 2),
  };
}
