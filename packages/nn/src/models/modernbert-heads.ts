/** @file ModernBERT with a head: sequence and token classification, regression, and masked language modelling. */
import type { Tensor } from '@camada/tensor';
import type { Batch } from '../batch.ts';
import type { Context } from '../context.ts';
import { activation, type Activation } from '../layers/activation.ts';
import { Dropout } from '../layers/dropout.ts';
import { Linear, type Layer } from '../layers/linear.ts';
import { LayerNorm } from '../layers/norm.ts';
import { firstToken, meanPool } from '../layers/pool.ts';
import { maskOf } from '../prompting.ts';
import type { Architecture } from './architecture.ts';
import {
  MaskedHead,
  SequenceHead,
  TiedDecoder,
  TokenClassifier,
  encoderArchitecture,
} from './encoder.ts';
import { ModernBertModel, parseModernBertConfig, type ModernBertConfig } from './modernbert.ts';

/** Dense layer, activation and norm before the outputs of every head. */
export class ModernBertPredictionHead {
  dense: Layer;
  readonly norm: LayerNorm;
  readonly #activation: Activation;

  /** Throws InputError when the activation is unknown. */
  constructor(config: ModernBertConfig) {
    const { hidden_size: width, classifier_bias: bias } = config;
    this.dense = new Linear(width, width, bias);
    this.norm = new LayerNorm(width, config.norm_eps, config.norm_bias);
    this.#activation = activation(config.classifier_activation);
  }

  /** [N, C] to [N, C]. */
  call(rows: Tensor, context: Context): Tensor {
    return this.norm.call(this.#activation(this.dense.call(rows, context)));
  }
}

/** ModernBERT with a classifier on the first token or the mean (`classifier_pooling`). */
export class ModernBertForSequenceClassification extends SequenceHead<ModernBertConfig> {
  readonly model: ModernBertModel;
  readonly head: ModernBertPredictionHead;
  readonly drop: Dropout;
  classifier: Layer;

  /** As many outputs as `id2label` has entries. Weights start at zero: load or initialise them. */
  constructor(config: ModernBertConfig) {
    super(config);
    this.model = new ModernBertModel(config);
    this.head = new ModernBertPredictionHead(config);
    this.drop = new Dropout(config.classifier_dropout);
    this.classifier = new Linear(config.hidden_size, this.labelCount);
  }

  /** ModernBERT. */
  get encoder(): ModernBertModel {
    return this.model;
  }

  /** A pretrained model has no classifier; its prediction head is the masked language model's. */
  get headPrefixes(): readonly string[] {
    return ['classifier.', 'head.'];
  }

  /** [B, N]. */
  protected logits(hidden: Tensor, batch: Batch, context: Context): Tensor {
    const cls = this.config.classifier_pooling === 'cls';
    const pooled = cls ? firstToken(hidden) : meanPool(hidden, maskOf(hidden, batch)); // [B, C]
    const dense = this.drop.call(this.head.call(pooled, context), context);
    return this.classifier.call(dense, context);
  }
}

/** ModernBERT that gives each token a class. */
export class ModernBertForTokenClassification extends TokenClassifier<ModernBertConfig> {
  readonly model: ModernBertModel;
  readonly head: ModernBertPredictionHead;

  /** Weights start at zero: load or initialise them. */
  constructor(config: ModernBertConfig) {
    super(config, config.classifier_dropout);
    this.model = new ModernBertModel(config);
    this.head = new ModernBertPredictionHead(config);
  }

  /** ModernBERT. */
  get encoder(): ModernBertModel {
    return this.model;
  }

  /** A pretrained model has no classifier; its prediction head is the masked language model's. */
  override get headPrefixes(): readonly string[] {
    return ['classifier.', 'head.'];
  }

  /** [N, C] to [N, labels]. */
  protected override score(rows: Tensor, context: Context): Tensor {
    return super.score(this.head.call(rows, context), context);
  }
}

/** ModernBERT that predicts masked tokens; the decoder is tied to the word embeddings. */
export class ModernBertForMaskedLM extends MaskedHead<ModernBertConfig> {
  readonly model: ModernBertModel;
  readonly head: ModernBertPredictionHead;
  readonly decoder: TiedDecoder;

  /** Weights start at zero: load or initialise them. */
  constructor(config: ModernBertConfig) {
    super(config);
    this.model = new ModernBertModel(config);
    this.head = new ModernBertPredictionHead(config);
    this.decoder = new TiedDecoder(config.vocab_size, config.decoder_bias);
  }

  /** ModernBERT. */
  get encoder(): ModernBertModel {
    return this.model;
  }

  /** A checkpoint of ModernBertModel has no prediction head. */
  get headPrefixes(): readonly string[] {
    return ['head.', 'decoder.'];
  }

  /** [N, C] to [N, V]. */
  protected score(rows: Tensor, context: Context): Tensor {
    const words = this.model.embeddings.tok_embeddings.weight;
    return this.decoder.call(this.head.call(rows, context), words);
  }
}

/** `model_type` modernbert. */
export const MODERNBERT: Architecture = encoderArchitecture('ModernBert', parseModernBertConfig, {
  Model: ModernBertModel,
  ForSequenceClassification: ModernBertForSequenceClassification,
  ForTokenClassification: ModernBertForTokenClassification,
  ForMaskedLM: ModernBertForMaskedLM,
});
