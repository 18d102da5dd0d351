/**
 * @file DeBERTa-v3 (He et al. 2021, https://arxiv.org/abs/2006.03654 and https://arxiv.org/abs/2111.09543), the
 * `deberta-v2` of Transformers: BERT's blocks with attention that also scores content against relative positions.
 */
import type { Tensor } from '@camada/tensor';
import type { Batch, BatchLimits } from '../batch.ts';
import type { Context } from '../context.ts';
import { attention, mergeHeads, splitHeads } from '../layers/attention.ts';
import { Dropout } from '../layers/dropout.ts';
import { Embedding } from '../layers/embedding.ts';
import { Linear, type Layer } from '../layers/linear.ts';
import { pairBias } from '../layers/mask.ts';
import { LayerNorm } from '../layers/norm.ts';
import { DistanceTables, byDistance } from '../layers/relative.ts';
import { embedTokens, prompted, type Prompting } from '../prompting.ts';
import { BertIntermediate, BertOutput } from './bert.ts';
import type { DebertaConfig } from './deberta-config.ts';
import { movedName, throughBlocks, type Encoder, type EncoderPass } from './encoder.ts';
import { labelCount } from './labels.ts';
import type { LayerInfo, Output } from './model.ts';

/** What all blocks of one pass share. */
export interface DebertaPass extends EncoderPass {
  /** Embeddings [2T, C] of the distances (query − key) that a row's keys have to a query, from T − 1 down to −T. */
  readonly falling: Tensor | undefined;
  /** The same from −(T − 1) up to T: the distances that a row's queries have to a key. */
  readonly rising: Tensor | undefined;
}

/** Word embeddings, and those of positions and token types where the configuration has them. */
export class DebertaV2Embeddings {
  readonly word_embeddings: Embedding;
  readonly position_embeddings?: Embedding;
  readonly token_type_embeddings?: Embedding;
  readonly LayerNorm: LayerNorm;
  readonly dropout: Dropout;

  /** All tables start at zero. */
  constructor(config: DebertaConfig) {
    const width = config.hidden_size;
    this.word_embeddings = new Embedding(config.vocab_size, width);
    if (config.position_biased_input)
      this.position_embeddings = new Embedding(config.max_position_embeddings, width);
    if (config.type_vocab_size > 0)
      this.token_type_embeddings = new Embedding(config.type_vocab_size, width);
    this.LayerNorm = new LayerNorm(width, config.layer_norm_eps);
    this.dropout = new Dropout(config.hidden_dropout_prob);
  }

  /** Rows [N, C]; 0 at padding. */
  call({ inputIds, attentionMask, tokenTypeIds }: Batch, context: Context): Tensor {
    const words = embedTokens(this.word_embeddings, inputIds, context); // [B, T, C]
    const places = this.position_embeddings?.weight.slice(0, 0, inputIds.shape[1]!); // [T, C]
    const types = tokenTypeIds
      ? this.token_type_embeddings?.call(tokenTypeIds) // [B, T, C]
      : this.token_type_embeddings?.weight.slice(0, 0, 1); // [1, C]
    const summed = [places, types].reduce<Tensor>((sum, x) => (x ? sum.add(x) : sum), words);
    const rows = this.LayerNorm.call(summed.flatten(0, 1)); // [N, C]
    const real = attentionMask.ne(0).cast('f32').reshape([-1, 1]); // [N, 1]
    return this.dropout.call(rows.mul(real), context);
  }
}

/** Attention over content, content to position (c2p) and position to content (p2c). */
export class DisentangledSelfAttention {
  query_proj: Layer;
  key_proj: Layer;
  value_proj: Layer;
  /** Keys of positions; the content's own where `share_att_key` is set. */
  pos_key_proj?: Layer;
  /** Queries of positions; the content's own where `share_att_key` is set. */
  pos_query_proj?: Layer;
  readonly dropout: Dropout;
  readonly pos_dropout: Dropout;
  readonly #config: DebertaConfig;

  /** Weights start at zero. */
  constructor(config: DebertaConfig) {
    const width = config.hidden_size;
    this.query_proj = new Linear(width, width);
    this.key_proj = new Linear(width, width);
    this.value_proj = new Linear(width, width);
    const own = config.relative_attention && !config.share_att_key;
    if (own && config.pos_att_type.includes('c2p')) this.pos_key_proj = new Linear(width, width);
    if (own && config.pos_att_type.includes('p2c')) this.pos_query_proj = new Linear(width, width);
    this.dropout = new Dropout(config.attention_probs_dropout_prob);
    this.pos_dropout = new Dropout(config.hidden_dropout_prob);
    this.#config = config;
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: DebertaPass): Tensor {
    const { num_attention_heads: heads, pos_att_type: kinds } = this.#config;
    const [query, key, value] = [this.query_proj, this.key_proj, this.value_proj].map((layer) =>
      splitHeads(layer.call(rows, pass.context), heads, pass),
    ) as [Tensor, Tensor, Tensor]; // [B, H, T, D]
    // Content to content is one kind of score more.
    const scale = 1 / Math.sqrt(query.shape.at(-1)! * (1 + kinds.length));
    const bias = this.#bias(query, key, scale, pass); // [B, H, T, T]
    const { context } = pass;
    return mergeHeads(attention(query, key, value, bias, this.dropout, context, { scale }));
  }

  /** The mask and what distances add to the scores, broadcast to [B, H, T, T]. */
  #bias(query: Tensor, key: Tensor, scale: number, pass: DebertaPass): Tensor {
    const { pos_att_type: kinds } = this.#config;
    let bias = pass.bias;
    if (pass.falling && kinds.includes('c2p')) {
      const keys = this.#positions(this.pos_key_proj ?? this.key_proj, pass.falling, pass);
      bias = bias.add(byDistance(query.matmul(keys.transpose())).mul(scale));
    }
    if (pass.rising && kinds.includes('p2c')) {
      const queries = this.#positions(this.pos_query_proj ?? this.query_proj, pass.rising, pass);
      const scores = byDistance(key.matmul(queries.transpose())); // [B, H, S, T]
      bias = bias.add(scores.transpose().mul(scale));
    }
    return bias;
  }

  /** Embeddings of distances [2T, C] as heads [1, H, 2T, D]. */
  #positions(layer: Layer, distances: Tensor, { context }: DebertaPass): Tensor {
    const rows = layer.call(this.pos_dropout.call(distances, context), context); // [2T, C]
    const shape = { batch: 1, length: rows.shape[0]! };
    return splitHeads(rows, this.#config.num_attention_heads, shape);
  }
}

/** Disentangled attention with its output projection. */
export class DebertaV2Attention {
  readonly self: DisentangledSelfAttention;
  readonly output: BertOutput;

  /** Weights start at zero. */
  constructor(config: DebertaConfig) {
    this.self = new DisentangledSelfAttention(config);
    this.output = new BertOutput(config.hidden_size, config);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: DebertaPass): Tensor {
    return this.output.call(this.self.call(rows, pass), rows, pass.context);
  }
}

/** One block: attention, then BERT's feed-forward network, each with residual and LayerNorm. */
export class DebertaV2Layer {
  readonly attention: DebertaV2Attention;
  readonly intermediate: BertIntermediate;
  readonly output: BertOutput;

  /** Weights start at zero. */
  constructor(config: DebertaConfig) {
    this.attention = new DebertaV2Attention(config);
    this.intermediate = new BertIntermediate(config);
    this.output = new BertOutput(config.intermediate_size, config);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: DebertaPass): Tensor {
    const attended = this.attention.call(rows, pass);
    const widened = this.intermediate.call(attended, pass.context);
    return this.output.call(widened, attended, pass.context);
  }
}

/** The stack of blocks and the embeddings of distances that all of them share. */
export class DebertaV2Encoder {
  readonly layer: DebertaV2Layer[];
  readonly rel_embeddings?: Embedding;
  /** Applied to the embeddings of distances (`norm_rel_ebd`). */
  readonly LayerNorm?: LayerNorm;
  readonly #distances: DistanceTables;

  /** Weights start at zero. */
  constructor(config: DebertaConfig) {
    const { hidden_size: width, relative_span: span } = config;
    this.layer = Array.from({ length: config.num_hidden_layers }, () => new DebertaV2Layer(config));
    if (config.relative_attention) this.rel_embeddings = new Embedding(2 * span, width);
    if (config.norm_rel_ebd) this.LayerNorm = new LayerNorm(width, config.layer_norm_eps);
    this.#distances = new DistanceTables(config.position_buckets, config.max_relative_positions);
  }

  /** Rows [N, C] to rows [N, C]; captures R0 … RL. */
  call(embedded: Tensor, pass: EncoderPass): Tensor {
    const { falling, rising } = this.#distances.at(pass.length);
    return throughBlocks(this.layer, embedded, {
      ...pass,
      falling: this.#embed(falling),
      rising: this.#embed(rising),
    });
  }

  /** Numbers of distances [2T] to their embeddings [2T, C]. */
  #embed(distances: Tensor): Tensor | undefined {
    const rows = this.rel_embeddings?.call(distances);
    return rows && this.LayerNorm ? this.LayerNorm.call(rows) : rows;
  }
}

/** DeBERTa without a head. */
export class DebertaV2Model implements Encoder {
  readonly prefix: string = 'deberta';
  readonly wordEmbeddings: string = 'embeddings.word_embeddings.weight';
  prompting: Prompting | undefined;
  readonly config: DebertaConfig;
  readonly embeddings: DebertaV2Embeddings;
  readonly encoder: DebertaV2Encoder;

  /** Weights start at zero: load or initialise them. */
  constructor(config: DebertaConfig) {
    this.config = config;
    this.embeddings = new DebertaV2Embeddings(config);
    this.encoder = new DebertaV2Encoder(config);
  }

  /** Blocks, named from this model down. */
  get layers(): readonly LayerInfo[] {
    return this.encoder.layer.map((_, index) => ({ index, name: `encoder.layer.${index}` }));
  }

  /** Ids, and token types where it has them. */
  get limits(): BatchLimits {
    return {
      vocabSize: this.config.vocab_size,
      maxLength: this.config.max_position_embeddings - (this.prompting?.tokens ?? 0),
      tokenTypes: this.config.type_vocab_size,
      padTokenId: this.config.pad_token_id,
      labels: { kind: 'class', count: labelCount(this.config) },
    };
  }

  /** Nothing: all of it is pretrained. */
  get headPrefixes(): readonly string[] {
    return [];
  }

  /** With or without the prefix `deberta.`; both names of the prediction head. */
  aliases(name: string): readonly string[] {
    return [movedName(name, this.prefix), ...predictionNames(name)];
  }

  /** Last hidden state [B, T, C]. */
  call(given: Batch, outer: Context): Output {
    const { batch, context } = prompted(given, outer, this.prompting, this.config.vocab_size);
    const [count, length] = batch.inputIds.shape as [number, number];
    const embedded = this.embeddings.call(batch, context); // [N, C]
    const pass = { batch: count, length, bias: pairBias(batch.attentionMask), context };
    const rows = this.encoder.call(embedded, pass);
    return { hidden: rows.reshape([count, length, rows.shape[1]!]) };
  }
}

/** Transformers saves the prediction head as `cls.predictions`, Microsoft's own checkpoints have `lm_predictions.lm_head`. */
function predictionNames(name: string): string[] {
  if (name === 'cls.predictions.bias')
    return ['cls.predictions.decoder.bias', 'lm_predictions.lm_head.bias'];
  const found = /^cls\.predictions\.(?:transform\.)?(.*)$/.exec(name);
  return found ? [`lm_predictions.lm_head.${found[1]}`] : [];
}
