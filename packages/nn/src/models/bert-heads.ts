/** @file BERT with a head: sequence classification and regression, and masked language modelling. */
import type { Tensor } from '@camada/tensor';
import type { Batch, BatchLimits } from '../batch.ts';
import type { Context } from '../context.ts';
import { activation, type Activation } from '../layers/activation.ts';
import { Dropout } from '../layers/dropout.ts';
import { Linear, linear, type Layer } from '../layers/linear.ts';
import { LayerNorm } from '../layers/norm.ts';
import { zeroParameter } from '../layers/parameter.ts';
import { crossEntropy } from '../loss/cross-entropy.ts';
import { mseLoss } from '../loss/mse.ts';
import { BertModel, bertLimits } from './bert.ts';
import type { BertConfig } from './bert-config.ts';
import { bertAliases } from './bert-names.ts';
import { chosenRows, labelsOf, prefixed } from './head.ts';
import type { HeadModel, HeadOutput, LayerInfo } from './model.ts';

/** BERT with a linear classifier on the pooled first token; one label means regression. */
export class BertForSequenceClassification implements HeadModel {
  readonly config: BertConfig;
  readonly bert: BertModel;
  readonly dropout: Dropout;
  classifier: Layer;

  /** As many outputs as `id2label` has entries. Weights start at zero: load or initialise them. */
  constructor(config: BertConfig) {
    this.config = config;
    this.bert = new BertModel(config);
    this.dropout = new Dropout(config.classifier_dropout ?? config.hidden_dropout_prob);
    this.classifier = new Linear(config.hidden_size, this.labelCount);
  }

  /** Number of classes; 1 for regression. */
  get labelCount(): number {
    return Object.keys(this.config.id2label).length;
  }

  /** Blocks with their full paths. */
  get layers(): readonly LayerInfo[] {
    return prefixed('bert', this.bert.layers);
  }

  /** Labels are classes, or real values for regression. */
  get limits(): BatchLimits {
    const count = this.labelCount;
    return bertLimits(this.config, { kind: count === 1 ? 'value' : 'class', count });
  }

  /** A pretrained model has no classifier, and perhaps no pooler. */
  get headPrefixes(): readonly string[] {
    return ['classifier.', 'bert.pooler.'];
  }

  /** See `bertAliases`. */
  aliases(name: string): readonly string[] {
    return bertAliases(name);
  }

  /** Logits [B, N]. */
  call(batch: Batch, context: Context): HeadOutput {
    const { hidden } = this.bert.call(batch, context);
    const pooled = this.bert.pooler!.call(hidden, context); // [B, C]
    const logits = this.classifier.call(this.dropout.call(pooled, context), context);
    return { hidden, logits };
  }

  /** Cross-entropy over classes i32 [B], or mean squared error to values f32 [B]. */
  loss({ logits }: HeadOutput, batch: Batch): Tensor {
    const labels = labelsOf(batch);
    if (this.labelCount > 1) return crossEntropy(logits, labels);
    return mseLoss(logits.squeeze(-1), labels);
  }
}

/** Dense layer, activation and LayerNorm before the vocabulary. */
export class BertPredictionHeadTransform {
  dense: Layer;
  readonly LayerNorm: LayerNorm;
  readonly #activation: Activation;

  /** Weights start at zero. */
  constructor(config: BertConfig) {
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
  constructor(config: BertConfig) {
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
  constructor(config: BertConfig) {
    this.predictions = new BertLMPredictionHead(config);
  }

  /** See `BertLMPredictionHead`. */
  call(rows: Tensor, words: Tensor, context: Context): Tensor {
    return this.predictions.call(rows, words, context);
  }
}

/** BERT that predicts masked tokens; the decoder is tied to the word embeddings. */
export class BertForMaskedLM implements HeadModel {
  readonly config: BertConfig;
  readonly bert: BertModel;
  readonly cls: BertOnlyMLMHead;

  /** Weights start at zero: load or initialise them. */
  constructor(config: BertConfig) {
    this.config = config;
    this.bert = new BertModel(config, false);
    this.cls = new BertOnlyMLMHead(config);
  }

  /** Blocks with their full paths. */
  get layers(): readonly LayerInfo[] {
    return prefixed('bert', this.bert.layers);
  }

  /** Labels are token ids. */
  get limits(): BatchLimits {
    return bertLimits(this.config, { kind: 'token', count: this.config.vocab_size });
  }

  /** A checkpoint of BertModel has no prediction head. */
  get headPrefixes(): readonly string[] {
    return ['cls.'];
  }

  /** See `bertAliases`. */
  aliases(name: string): readonly string[] {
    return bertAliases(name);
  }

  /** Logits [B, T, V]; [P, V] where the batch names positions, which saves most of the head's work. */
  call(batch: Batch, context: Context): HeadOutput {
    const { hidden } = this.bert.call(batch, context);
    const words = this.bert.embeddings.word_embeddings.weight;
    const logits = this.cls.call(chosenRows(hidden, batch.positions), words, context);
    if (batch.positions) return { hidden, logits };
    return { hidden, logits: logits.reshape([...batch.inputIds.shape, words.shape[0]!]) };
  }

  /** Cross-entropy over the labelled positions. */
  loss({ logits }: HeadOutput, batch: Batch): Tensor {
    return crossEntropy(logits, labelsOf(batch));
  }
}
