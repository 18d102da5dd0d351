/**
 * @file The BERT encoder (Devlin et al. 2019, https://arxiv.org/abs/1810.04805), MiniLM included. Inside the
 * blocks hidden states are rows [N, C] with N = B·T: every elementwise op then has the shape of the matmul
 * before it and fuses with it.
 */
import { InputError, type Tensor } from '@camada/tensor';
import type { Batch, BatchLimits } from '../batch.ts';
import type { Context } from '../context.ts';
import { activation, type Activation } from '../layers/activation.ts';
import { attention, mergeHeads, splitHeads } from '../layers/attention.ts';
import { Dropout } from '../layers/dropout.ts';
import { Embedding } from '../layers/embedding.ts';
import { Linear, type Layer } from '../layers/linear.ts';
import { paddingBias } from '../layers/mask.ts';
import { LayerNorm } from '../layers/norm.ts';
import { firstToken } from '../layers/pool.ts';
import { embedTokens, prompted, withPast, withoutPast, type Prompting } from '../prompting.ts';
import type { BertBlockConfig, BertConfig } from './bert-config.ts';
import { bertAliases } from './bert-names.ts';
import { throughBlocks, type EncoderPass, type Encoder } from './encoder.ts';
import { labelCount } from './labels.ts';
import type { LayerInfo, Output } from './model.ts';

/** Word, position and token type embeddings, summed and normalised. */
export class BertEmbeddings {
  readonly word_embeddings: Embedding;
  readonly position_embeddings: Embedding;
  readonly token_type_embeddings: Embedding;
  readonly LayerNorm: LayerNorm;
  readonly dropout: Dropout;

  /** All tables start at zero. */
  constructor(config: BertBlockConfig) {
    const width = config.hidden_size;
    this.word_embeddings = new Embedding(config.vocab_size, width);
    this.position_embeddings = new Embedding(config.max_position_embeddings, width);
    this.token_type_embeddings = new Embedding(config.type_vocab_size, width);
    this.LayerNorm = new LayerNorm(width, config.layer_norm_eps);
    this.dropout = new Dropout(config.hidden_dropout_prob);
  }

  /** Rows [N, C]. Throws InputError when the batch is longer than the positions known. */
  call(batch: Batch, context: Context): Tensor {
    const [count, length] = batch.inputIds.shape as [number, number];
    if (length > this.capacity)
      throw new InputError(`${length} tokens do not fit a model of ${this.capacity} positions`);
    const words = embedTokens(this.word_embeddings, batch.inputIds, context); // [B, T, C]
    const summed = words.add(this.#types(batch)).add(this.positions(batch)); // [B, T, C]
    const rows = this.LayerNorm.call(summed.reshape([count * length, words.shape[2]!]));
    return this.dropout.call(rows, context);
  }

  /** The most tokens in a row. */
  get capacity(): number {
    return this.position_embeddings.weight.shape[0]!;
  }

  /** Embeddings of the positions, [T, C]; a position is the index of its token. */
  protected positions({ inputIds }: Batch): Tensor {
    return this.position_embeddings.weight.slice(0, 0, inputIds.shape[1]!);
  }

  /** [B, T, C], or the first row [1, C] where the batch has no types. */
  #types({ tokenTypeIds }: Batch): Tensor {
    if (tokenTypeIds) return this.token_type_embeddings.call(tokenTypeIds);
    return this.token_type_embeddings.weight.slice(0, 0, 1);
  }
}

/** Queries, keys, values and their mixing. */
export class BertSelfAttention {
  query: Layer;
  key: Layer;
  value: Layer;
  readonly dropout: Dropout;
  readonly heads: number;

  /** Weights start at zero. */
  constructor(config: BertBlockConfig) {
    const width = config.hidden_size;
    this.query = new Linear(width, width);
    this.key = new Linear(width, width);
    this.value = new Linear(width, width);
    this.dropout = new Dropout(config.attention_probs_dropout_prob);
    this.heads = config.num_attention_heads;
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: EncoderPass): Tensor {
    const heads = (layer: Layer): Tensor =>
      splitHeads(layer.call(rows, pass.context), this.heads, pass); // [B, H, T, D]
    const { key, value } = withPast(
      { key: heads(this.key), value: heads(this.value) },
      pass.block ?? 0,
      pass.context,
    );
    const mixed = attention(heads(this.query), key, value, pass.bias, this.dropout, pass.context);
    return mergeHeads(mixed);
  }
}

/** A projection, dropout, the residual and LayerNorm: the end of both halves of a block. */
export class BertOutput {
  dense: Layer;
  readonly LayerNorm: LayerNorm;
  readonly dropout: Dropout;

  /** @param width size of the input's last axis. */
  constructor(width: number, config: BertBlockConfig) {
    this.dense = new Linear(width, config.hidden_size);
    this.LayerNorm = new LayerNorm(config.hidden_size, config.layer_norm_eps);
    this.dropout = new Dropout(config.hidden_dropout_prob);
  }

  /** Rows [N, K] and the residual [N, C] to rows [N, C]. */
  call(rows: Tensor, residual: Tensor, context: Context): Tensor {
    const projected = this.dropout.call(this.dense.call(rows, context), context);
    return this.LayerNorm.call(projected.add(residual));
  }
}

/** Self-attention with its output projection. */
export class BertAttention {
  readonly self: BertSelfAttention;
  readonly output: BertOutput;

  /** Weights start at zero. */
  constructor(config: BertBlockConfig) {
    this.self = new BertSelfAttention(config);
    this.output = new BertOutput(config.hidden_size, config);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: EncoderPass): Tensor {
    return this.output.call(this.self.call(rows, pass), rows, pass.context);
  }
}

/** The widening half of the feed-forward network. */
export class BertIntermediate {
  dense: Layer;
  readonly #activation: Activation;

  /** Throws InputError when the activation is unknown. */
  constructor(config: BertBlockConfig) {
    this.dense = new Linear(config.hidden_size, config.intermediate_size);
    this.#activation = activation(config.hidden_act);
  }

  /** Rows [N, C] to rows [N, 4C] (`intermediate_size`). */
  call(rows: Tensor, context: Context): Tensor {
    return this.#activation(this.dense.call(rows, context));
  }
}

/** One block: attention, then the feed-forward network, each with residual and LayerNorm. */
export class BertLayer {
  readonly attention: BertAttention;
  readonly intermediate: BertIntermediate;
  readonly output: BertOutput;

  /** Weights start at zero. */
  constructor(config: BertBlockConfig) {
    this.attention = new BertAttention(config);
    this.intermediate = new BertIntermediate(config);
    this.output = new BertOutput(config.intermediate_size, config);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: EncoderPass): Tensor {
    const attended = this.attention.call(rows, pass);
    const widened = this.intermediate.call(attended, pass.context);
    return this.output.call(widened, attended, pass.context);
  }
}

/** The stack of blocks. */
export class BertEncoder {
  readonly layer: BertLayer[];

  /** Weights start at zero. */
  constructor(config: BertBlockConfig) {
    this.layer = Array.from({ length: config.num_hidden_layers }, () => new BertLayer(config));
  }

  /** Rows [N, C] to rows [N, C]; captures R0 … RL. */
  call(embedded: Tensor, pass: EncoderPass): Tensor {
    return throughBlocks(this.layer, embedded, pass);
  }
}

/** tanh of a projection of the first token. */
export class BertPooler {
  dense: Layer;

  /** Weights start at zero. */
  constructor(config: BertBlockConfig) {
    this.dense = new Linear(config.hidden_size, config.hidden_size);
  }

  /** [B, T, C] to [B, C]. */
  call(hidden: Tensor, context: Context): Tensor {
    return this.dense.call(firstToken(hidden), context).tanh();
  }
}

/** BERT without a head. */
export class BertModel implements Encoder {
  readonly prefix: string = 'bert';
  readonly wordEmbeddings: string = 'embeddings.word_embeddings.weight';
  readonly config: BertConfig;
  prompting: Prompting | undefined;
  readonly embeddings: BertEmbeddings;
  readonly encoder: BertEncoder;
  /** Absent in masked language models. */
  readonly pooler?: BertPooler;

  /** Weights start at zero: load or initialise them. */
  constructor(
    config: BertConfig,
    pooler: boolean = true,
    embeddings: BertEmbeddings = new BertEmbeddings(config),
  ) {
    this.config = config;
    this.embeddings = embeddings;
    this.encoder = new BertEncoder(config);
    if (pooler) this.pooler = new BertPooler(config);
  }

  /** Blocks, named from this model down. */
  get layers(): readonly LayerInfo[] {
    return this.encoder.layer.map((_, index) => ({ index, name: `encoder.layer.${index}` }));
  }

  /** Ids, positions and token types; it reads no labels. */
  get limits(): BatchLimits {
    return {
      vocabSize: this.config.vocab_size,
      maxLength: this.embeddings.capacity - (this.prompting?.tokens ?? 0),
      tokenTypes: this.config.type_vocab_size,
      padTokenId: this.config.pad_token_id,
      labels: { kind: 'class', count: labelCount(this.config) },
    };
  }

  /** Sentence-embedding checkpoints may lack the pooler. */
  get headPrefixes(): readonly string[] {
    return ['pooler.'];
  }

  /** Names with the prefix of a model with a head, and TensorFlow's names of LayerNorm. */
  aliases(name: string): readonly string[] {
    return bertAliases(name);
  }

  /** Last hidden state [B, T, C]. */
  call(given: Batch, outer: Context): Output {
    const { batch, context } = prompted(given, outer, this.prompting, this.config.vocab_size);
    const [count, length] = batch.inputIds.shape as [number, number];
    const embedded = this.embeddings.call(batch, context); // [N, C]
    const pass = { batch: count, length, bias: paddingBias(batch.attentionMask), context };
    const rows = this.encoder.call(embedded, pass);
    return { hidden: withoutPast(rows.reshape([count, length, rows.shape[1]!]), context) };
  }
}
