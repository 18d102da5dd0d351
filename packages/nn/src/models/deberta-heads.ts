/** @file DeBERTa with a head: sequence and token classification, regression, and masked language modelling. */
import type { Tensor } from '@camada/tensor';
import type { Batch } from '../batch.ts';
import type { Context } from '../context.ts';
import { activation, type Activation } from '../layers/activation.ts';
import { Dropout } from '../layers/dropout.ts';
import { Linear, type Layer } from '../layers/linear.ts';
import { firstToken } from '../layers/pool.ts';
import type { Architecture } from './architecture.ts';
import { BertOnlyMLMHead } from './bert-heads.ts';
import { DebertaV2Model } from './deberta.ts';
import { parseDebertaConfig, type DebertaConfig } from './deberta-config.ts';
import { MaskedHead, SequenceHead, TokenClassifier, encoderArchitecture } from './encoder.ts';

/** A projection of the first token and an activation. */
export class ContextPooler {
  dense: Layer;
  readonly dropout: Dropout;
  readonly #activation: Activation;

  /** Throws InputError when the activation is unknown. */
  constructor(config: DebertaConfig) {
    this.dense = new Linear(config.hidden_size, config.hidden_size);
    this.dropout = new Dropout(config.pooler_dropout);
    this.#activation = activation(config.pooler_hidden_act);
  }

  /** [B, T, C] to [B, C]. */
  call(hidden: Tensor, context: Context): Tensor {
    const first = this.dropout.call(firstToken(hidden), context);
    return this.#activation(this.dense.call(first, context));
  }
}

/** DeBERTa with a pooler and a linear classifier. */
export class DebertaV2ForSequenceClassification extends SequenceHead<DebertaConfig> {
  readonly deberta: DebertaV2Model;
  readonly pooler: ContextPooler;
  classifier: Layer;
  readonly dropout: Dropout;

  /** As many outputs as `id2label` has entries. Weights start at zero: load or initialise them. */
  constructor(config: DebertaConfig) {
    super(config);
    this.deberta = new DebertaV2Model(config);
    this.pooler = new ContextPooler(config);
    this.classifier = new Linear(config.hidden_size, this.labelCount);
    this.dropout = new Dropout(config.cls_dropout ?? config.hidden_dropout_prob);
  }

  /** DeBERTa. */
  get encoder(): DebertaV2Model {
    return this.deberta;
  }

  /** A pretrained model has neither. */
  get headPrefixes(): readonly string[] {
    return ['classifier.', 'pooler.'];
  }

  /** [B, N]. */
  protected logits(hidden: Tensor, _batch: Batch, context: Context): Tensor {
    const pooled = this.dropout.call(this.pooler.call(hidden, context), context); // [B, C]
    return this.classifier.call(pooled, context);
  }
}

/** DeBERTa that gives each token a class. */
export class DebertaV2ForTokenClassification extends TokenClassifier<DebertaConfig> {
  readonly deberta: DebertaV2Model;

  /** Weights start at zero: load or initialise them. */
  constructor(config: DebertaConfig) {
    super(config, config.hidden_dropout_prob);
    this.deberta = new DebertaV2Model(config);
  }

  /** DeBERTa. */
  get encoder(): DebertaV2Model {
    return this.deberta;
  }
}

/** DeBERTa that predicts masked tokens, with BERT's head; the decoder is tied to the word embeddings. */
export class DebertaV2ForMaskedLM extends MaskedHead<DebertaConfig> {
  readonly deberta: DebertaV2Model;
  readonly cls: BertOnlyMLMHead;

  /** Weights start at zero: load or initialise them. */
  constructor(config: DebertaConfig) {
    super(config);
    this.deberta = new DebertaV2Model(config);
    this.cls = new BertOnlyMLMHead(config);
  }

  /** DeBERTa. */
  get encoder(): DebertaV2Model {
    return this.deberta;
  }

  /** A checkpoint of DebertaV2Model has no prediction head. */
  get headPrefixes(): readonly string[] {
    return ['cls.'];
  }

  /** [N, C] to [N, V]. */
  protected score(rows: Tensor, context: Context): Tensor {
    return this.cls.call(rows, this.deberta.embeddings.word_embeddings.weight, context);
  }
}

/** `model_type` deberta-v2: DeBERTa-v3, and v2 without its convolution. */
export const DEBERTA: Architecture = encoderArchitecture('DebertaV2', parseDebertaConfig, {
  Model: DebertaV2Model,
  ForSequenceClassification: DebertaV2ForSequenceClassification,
  ForTokenClassification: DebertaV2ForTokenClassification,
  ForMaskedLM: DebertaV2ForMaskedLM,
});
