/** @file DistilBERT (Sanh et al. 2019, https://arxiv.org/abs/1910.01108): BERT without token types and pooler. */
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
import { embedTokens, prompted, type Prompting } from '../prompting.ts';
import type { Architecture } from './architecture.ts';
import { checkEncoderSizes } from './bert-config.ts';
import { ConfigReader } from './config.ts';
import {
  MaskedHead,
  SequenceHead,
  TiedDecoder,
  TokenClassifier,
  encoderArchitecture,
  movedName,
  throughBlocks,
  type Encoder,
  type EncoderPass,
} from './encoder.ts';
import { labelCount, labelNames, type LabelConfig } from './labels.ts';
import type { LayerInfo, Output } from './model.ts';

/** The file's `dim`, `n_layers`, `n_heads` and `hidden_dim` under the names that other families have for them. */
export interface DistilBertConfig extends LabelConfig {
  readonly activation: string;
  readonly dropout: number;
  readonly attention_dropout: number;
  /** Dropout before the classifier of sequences. */
  readonly seq_classif_dropout: number;
  readonly pad_token_id: number;
}

const EPS = 1e-12;

/** Reads and checks a DistilBERT configuration. Throws InputError that names a bad field. */
export function parseDistilBertConfig(config: unknown): DistilBertConfig {
  const read = new ConfigReader(config);
  read.only('model_type', 'distilbert');
  const width = read.size('dim', 768);
  const result: DistilBertConfig = {
    model_type: 'distilbert',
    architectures: read.texts('architectures'),
    vocab_size: read.size('vocab_size', 30522),
    hidden_size: width,
    num_hidden_layers: read.size('n_layers', 6),
    num_attention_heads: read.size('n_heads', 12),
    intermediate_size: read.size('hidden_dim', 4 * width),
    max_position_embeddings: read.size('max_position_embeddings', 512),
    activation: read.text('activation', 'gelu'),
    dropout: read.probability('dropout', 0.1),
    attention_dropout: read.probability('attention_dropout', 0.1),
    seq_classif_dropout: read.probability('seq_classif_dropout', 0.2),
    initializer_range: read.positive('initializer_range', 0.02),
    pad_token_id: read.index('pad_token_id', 0),
    id2label: labelNames(read),
    problem_type: null,
  };
  checkEncoderSizes(result);
  return result;
}

/** Word and position embeddings, summed and normalised. */
export class DistilBertEmbeddings {
  readonly word_embeddings: Embedding;
  readonly position_embeddings: Embedding;
  readonly LayerNorm: LayerNorm;
  readonly dropout: Dropout;

  /** All tables start at zero. */
  constructor(config: DistilBertConfig) {
    this.word_embeddings = new Embedding(config.vocab_size, config.hidden_size);
    this.position_embeddings = new Embedding(config.max_position_embeddings, config.hidden_size);
    this.LayerNorm = new LayerNorm(config.hidden_size, EPS);
    this.dropout = new Dropout(config.dropout);
  }

  /** Rows [N, C]. Throws InputError when the batch is longer than the positions known. */
  call({ inputIds }: Batch, context: Context): Tensor {
    const length = inputIds.shape[1]!;
    const places = this.position_embeddings.weight;
    if (length > places.shape[0]!)
      throw new InputError(`${length} tokens do not fit a model of ${places.shape[0]} positions`);
    const summed = embedTokens(this.word_embeddings, inputIds, context).add(
      places.slice(0, 0, length),
    ); // [B, T, C]
    return this.dropout.call(this.LayerNorm.call(summed.flatten(0, 1)), context);
  }
}

/** Self-attention with its output projection. */
export class DistilBertSelfAttention {
  q_lin: Layer;
  k_lin: Layer;
  v_lin: Layer;
  out_lin: Layer;
  readonly dropout: Dropout;
  readonly heads: number;

  /** Weights start at zero. */
  constructor({ hidden_size: width, ...config }: DistilBertConfig) {
    this.q_lin = new Linear(width, width);
    this.k_lin = new Linear(width, width);
    this.v_lin = new Linear(width, width);
    this.out_lin = new Linear(width, width);
    this.dropout = new Dropout(config.attention_dropout);
    this.heads = config.num_attention_heads;
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: EncoderPass): Tensor {
    const [query, key, value] = [this.q_lin, this.k_lin, this.v_lin].map((layer) =>
      splitHeads(layer.call(rows, pass.context), this.heads, pass),
    ) as [Tensor, Tensor, Tensor]; // [B, H, T, D]
    const mixed = attention(query, key, value, pass.bias, this.dropout, pass.context);
    return this.out_lin.call(mergeHeads(mixed), pass.context);
  }
}

/** The feed-forward network. */
export class DistilBertFFN {
  lin1: Layer;
  lin2: Layer;
  readonly dropout: Dropout;
  readonly #activation: Activation;

  /** Throws InputError when the activation is unknown. */
  constructor(config: DistilBertConfig) {
    this.lin1 = new Linear(config.hidden_size, config.intermediate_size);
    this.lin2 = new Linear(config.intermediate_size, config.hidden_size);
    this.dropout = new Dropout(config.dropout);
    this.#activation = activation(config.activation);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, context: Context): Tensor {
    const wide = this.#activation(this.lin1.call(rows, context)); // [N, 4C]
    return this.dropout.call(this.lin2.call(wide, context), context);
  }
}

/** One block: attention, then the feed-forward network, each with residual and LayerNorm. */
export class DistilBertBlock {
  readonly attention: DistilBertSelfAttention;
  readonly sa_layer_norm: LayerNorm;
  readonly ffn: DistilBertFFN;
  readonly output_layer_norm: LayerNorm;

  /** Weights start at zero. */
  constructor(config: DistilBertConfig) {
    this.attention = new DistilBertSelfAttention(config);
    this.sa_layer_norm = new LayerNorm(config.hidden_size, EPS);
    this.ffn = new DistilBertFFN(config);
    this.output_layer_norm = new LayerNorm(config.hidden_size, EPS);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: EncoderPass): Tensor {
    const attended = this.sa_layer_norm.call(this.attention.call(rows, pass).add(rows));
    return this.output_layer_norm.call(this.ffn.call(attended, pass.context).add(attended));
  }
}

/** The stack of blocks. */
export class DistilBertTransformer {
  readonly layer: DistilBertBlock[];

  /** Weights start at zero. */
  constructor(config: DistilBertConfig) {
    this.layer = Array.from(
      { length: config.num_hidden_layers },
      () => new DistilBertBlock(config),
    );
  }

  /** Rows [N, C] to rows [N, C]; captures R0 … RL. */
  call(embedded: Tensor, pass: EncoderPass): Tensor {
    return throughBlocks(this.layer, embedded, pass);
  }
}

/** DistilBERT without a head. */
export class DistilBertModel implements Encoder {
  readonly prefix: string = 'distilbert';
  readonly wordEmbeddings: string = 'embeddings.word_embeddings.weight';
  prompting: Prompting | undefined;
  readonly config: DistilBertConfig;
  readonly embeddings: DistilBertEmbeddings;
  readonly transformer: DistilBertTransformer;

  /** Weights start at zero: load or initialise them. */
  constructor(config: DistilBertConfig) {
    this.config = config;
    this.embeddings = new DistilBertEmbeddings(config);
    this.transformer = new DistilBertTransformer(config);
  }

  /** Blocks, named from this model down. */
  get layers(): readonly LayerInfo[] {
    return this.transformer.layer.map((_, index) => ({
      index,
      name: `transformer.layer.${index}`,
    }));
  }

  /** Ids and positions; it has no token types. */
  get limits(): BatchLimits {
    return {
      vocabSize: this.config.vocab_size,
      maxLength: this.config.max_position_embeddings - (this.prompting?.tokens ?? 0),
      tokenTypes: 0,
      padTokenId: this.config.pad_token_id,
      labels: { kind: 'class', count: labelCount(this.config) },
    };
  }

  /** Nothing: all of it is pretrained. */
  get headPrefixes(): readonly string[] {
    return [];
  }

  /** With or without the prefix `distilbert.`. */
  aliases(name: string): readonly string[] {
    return [movedName(name, this.prefix)];
  }

  /** Last hidden state [B, T, C]. */
  call(given: Batch, outer: Context): Output {
    const { batch, context } = prompted(given, outer, this.prompting, this.config.vocab_size);
    const [count, length] = batch.inputIds.shape as [number, number];
    const embedded = this.embeddings.call(batch, context); // [N, C]
    const pass = { batch: count, length, bias: paddingBias(batch.attentionMask), context };
    const rows = this.transformer.call(embedded, pass);
    return { hidden: rows.reshape([count, length, rows.shape[1]!]) };
  }
}

/** DistilBERT with a dense layer, ReLU and a classifier on the first token. */
export class DistilBertForSequenceClassification extends SequenceHead<DistilBertConfig> {
  readonly distilbert: DistilBertModel;
  pre_classifier: Layer;
  classifier: Layer;
  readonly dropout: Dropout;

  /** As many outputs as `id2label` has entries. Weights start at zero: load or initialise them. */
  constructor(config: DistilBertConfig) {
    super(config);
    this.distilbert = new DistilBertModel(config);
    this.pre_classifier = new Linear(config.hidden_size, config.hidden_size);
    this.classifier = new Linear(config.hidden_size, this.labelCount);
    this.dropout = new Dropout(config.seq_classif_dropout);
  }

  /** DistilBERT. */
  get encoder(): DistilBertModel {
    return this.distilbert;
  }

  /** A pretrained model has neither. */
  get headPrefixes(): readonly string[] {
    return ['classifier.', 'pre_classifier.'];
  }

  /** [B, N]. */
  protected logits(hidden: Tensor, _batch: Batch, context: Context): Tensor {
    const dense = this.pre_classifier.call(firstToken(hidden), context).relu(); // [B, C]
    return this.classifier.call(this.dropout.call(dense, context), context);
  }
}

/** DistilBERT that gives each token a class. */
export class DistilBertForTokenClassification extends TokenClassifier<DistilBertConfig> {
  readonly distilbert: DistilBertModel;

  /** Weights start at zero: load or initialise them. */
  constructor(config: DistilBertConfig) {
    super(config, config.dropout);
    this.distilbert = new DistilBertModel(config);
  }

  /** DistilBERT. */
  get encoder(): DistilBertModel {
    return this.distilbert;
  }
}

/** DistilBERT that predicts masked tokens; the projector is tied to the word embeddings. */
export class DistilBertForMaskedLM extends MaskedHead<DistilBertConfig> {
  readonly distilbert: DistilBertModel;
  vocab_transform: Layer;
  readonly vocab_layer_norm: LayerNorm;
  readonly vocab_projector: TiedDecoder;
  readonly #activation: Activation;

  /** Weights start at zero: load or initialise them. */
  constructor(config: DistilBertConfig) {
    super(config);
    this.distilbert = new DistilBertModel(config);
    this.vocab_transform = new Linear(config.hidden_size, config.hidden_size);
    this.vocab_layer_norm = new LayerNorm(config.hidden_size, EPS);
    this.vocab_projector = new TiedDecoder(config.vocab_size);
    this.#activation = activation(config.activation);
  }

  /** DistilBERT. */
  get encoder(): DistilBertModel {
    return this.distilbert;
  }

  /** A checkpoint of DistilBertModel has no prediction head. */
  get headPrefixes(): readonly string[] {
    return ['vocab_'];
  }

  /** [N, C] to [N, V]. */
  protected score(rows: Tensor, context: Context): Tensor {
    const dense = this.#activation(this.vocab_transform.call(rows, context)); // [N, C]
    const words = this.distilbert.embeddings.word_embeddings.weight;
    return this.vocab_projector.call(this.vocab_layer_norm.call(dense), words);
  }
}

/** `model_type` distilbert. */
export const DISTILBERT: Architecture = encoderArchitecture('DistilBert', parseDistilBertConfig, {
  Model: DistilBertModel,
  ForSequenceClassification: DistilBertForSequenceClassification,
  ForTokenClassification: DistilBertForTokenClassification,
  ForMaskedLM: DistilBertForMaskedLM,
});
