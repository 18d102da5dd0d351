/** @file BERT with a head: sequence and token classification, regression, and masked language modelling. */
import type { Tensor } from '@camada/tensor';
import type { Batch } from '../batch.ts';
import type { Context } from '../context.ts';
import { activation, type Activation } from '../layers/activation.ts';
import { Dropout } from '../layers/dropout.ts';
import { Linear, linear, type Layer } from '../layers/linear.ts';
import { LayerNorm } from '../layers/norm.ts';
import { zeroParameter } from '../layers/parameter.ts';
import type { Architecture } from './architecture.ts';
import { BertModel } from './bert.ts';
import { parseBertConfig, type BertConfig, type BertBlockConfig } from './bert-config.ts';
import { MaskedHead, SequenceHead, TokenClassifier, encoderArchitecture } from './encoder.ts';

/** BERT with a linear classifier on the pooled first token. */
export class BertForSequenceClassification extends SequenceHead<BertConfig> {
  readonly bert: BertModel;
  readonly dropout: Dropout;
  classifier: Layer;

  /** As many outputs as `id2label` has entries. Weights start at zero: load or initialise them. */
  constructor(config: BertConfig) {
    super(config);
    this.bert = new BertModel(config);
    this.dropout = new Dropout(config.classifier_dropout ?? config.hidden_dropout_prob);
    this.classifier = new Linear(config.hidden_size, this.labelCount);
  }

  /** BERT with its pooler. */
  get encoder(): BertModel {
    return this.bert;
  }

  /** A pretrained model has no classifier, and perhaps no pooler. */
  get headPrefixes(): readonly string[] {
    return ['classifier.', 'bert.pooler.'];
  }

  /** [B, N]. */
  protected logits(hidden: Tensor, _batch: Batch, context: Context): Tensor {
    const pooled = this.bert.pooler!.call(hidden, context); // [B, C]
    return this.classifier.call(this.dropout.call(pooled, context), context);
  }
}

/** BERT that gives each token a class. */
export class BertForTokenClassification extends TokenClassifier<BertConfig> {
  readonly bert: BertModel;

  /** Weights start at zero: load or initialise them. */
  constructor(config: BertConfig) {
    super(config, config.classifier_dropout ?? config.hidden_dropout_prob);
    this.bert = new BertModel(config, false);
  }

  /** BERT without its pooler. */
  get encoder(): BertModel {
    return this.bert;
  }
}

/** Dense layer, activation and LayerNorm before the vocabulary. */
export class BertPredictionHeadTransform {
  dense: Layer;
  readonly LayerNorm: LayerNorm;
  readonly #activation: Activation;

  /** Weights start at zero. */
  constructor(config: BertBlockConfig) {
    this.dense = new Linear(config.hidden_size, config.hidden_size);
    this.LayerNorm = new LayerNorm(config.hidden_size, config.layer_norm_eps);
    this.#activation = activation(config.hidden_act);
  }

  /** [N, C] to [N, C]. */
  call(rows: Tensor, context: Context): Tensor {
    return this.LayerNorm.call(this.#activation(this.dense.call(rows, context)));
  }
}

/** Scores over the vocabulary, with the word embeddings as weight. */
export class BertLMPredictionHead {
  readonly transform: BertPredictionHeadTransform;
  /** [V]. */
  readonly bias: Tensor;

  /** Weights start at zero. */
  constructor(config: BertBlockConfig) {
    this.transform = new BertPredictionHeadTransform(config);
    this.bias = zeroParameter([config.vocab_size]);
  }

  /** Rows [N, C] and word embeddings [V, C] to logits [N, V]. */
  call(rows: Tensor, words: Tensor, context: Context): Tensor {
    return linear(this.transform.call(rows, context), words, this.bias);
  }
}

/** Holder that gives the head its checkpoint name, `cls.predictions`. */
export class BertOnlyMLMHead {
  readonly predictions: BertLMPredictionHead;

  /** Weights start at zero. */
  constructor(config: BertBlockConfig) {
    this.predictions = new BertLMPredictionHead(config);
  }

  /** See `BertLMPredictionHead`. */
  call(rows: Tensor, words: Tensor, context: Context): Tensor {
    return this.predictions.call(rows, words, context);
  }
}

/** BERT that predicts masked tokens; the decoder is tied to the word embeddings. */
export class BertForMaskedLM extends MaskedHead<BertConfig> {
  readonly bert: BertModel;
  readonly cls: BertOnlyMLMHead;

  /** Weights start at zero: load or initialise them. */
  constructor(config: BertConfig) {
    super(config);
    this.bert = new BertModel(config, false);
    this.cls = new BertOnlyMLMHead(config);
  }

  /** BERT without its pooler. */
  get encoder(): BertModel {
    return this.bert;
  }

  /** A checkpoint of BertModel has no prediction head. */
  get headPrefixes(): readonly string[] {
    return ['cls.'];
  }

  /** [N, C] to [N, V]. */
  protected score(rows: Tensor, context: Context): Tensor {
    return this.cls.call(rows, this.bert.embeddings.word_embeddings.weight, context);
  }
}

/** `model_type` bert: BERT, MiniLM and others of its shape. */
export const BERT: Architecture = encoderArchitecture('Bert', parseBertConfig, {
  Model: BertModel,
  ForSequenceClassification: BertForSequenceClassification,
  ForTokenClassification: BertForTokenClassification,
  ForMaskedLM: BertForMaskedLM,
});
