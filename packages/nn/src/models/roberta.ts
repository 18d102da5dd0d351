/**
 * @file RoBERTa (Liu et al. 2019, https://arxiv.org/abs/1907.11692) and XLM-RoBERTa: BERT's blocks, positions counted
 * from `pad_token_id` + 1 over the tokens that are not padding, and heads of its own.
 */
import { InputError, arange, type Tensor } from '@camada/tensor';
import type { Batch } from '../batch.ts';
import type { Context } from '../context.ts';
import { Dropout } from '../layers/dropout.ts';
import { Linear, linear, type Layer } from '../layers/linear.ts';
import { LayerNorm } from '../layers/norm.ts';
import { zeroParameter } from '../layers/parameter.ts';
import { firstToken } from '../layers/pool.ts';
import type { Architecture } from './architecture.ts';
import { BertEmbeddings, BertModel } from './bert.ts';
import { readBertConfig, type BertConfig } from './bert-config.ts';
import { ConfigReader } from './config.ts';
import {
  MaskedHead,
  SequenceHead,
  TokenClassifier,
  encoderArchitecture,
  movedName,
} from './encoder.ts';

/** Reads and checks the configuration of RoBERTa or XLM-RoBERTa. Throws InputError that names a bad field. */
export function parseRobertaConfig(config: unknown): BertConfig {
  const read = new ConfigReader(config);
  const type = read.text('model_type', 'roberta');
  if (type !== 'xlm-roberta') read.only('model_type', 'roberta');
  const result = readBertConfig(read, type, {
    layer_norm_eps: 1e-12,
    type_vocab_size: 2,
    pad_token_id: 1,
  });
  if (result.max_position_embeddings > result.pad_token_id + 1) return result;
  throw new InputError(
    `config.json: max_position_embeddings ${result.max_position_embeddings} leaves no position after ` +
      `pad_token_id ${result.pad_token_id}`,
  );
}

/** BERT's embeddings with RoBERTa's positions. */
export class RobertaEmbeddings extends BertEmbeddings {
  readonly #padding: number;

  /** All tables start at zero. */
  constructor(config: BertConfig) {
    super(config);
    this.#padding = config.pad_token_id;
  }

  /** The first `pad_token_id` + 1 positions hold no token. */
  override get capacity(): number {
    return super.capacity - this.#padding - 1;
  }

  /**
   * [B, T, C]: the nth token that is not padding is at position n + `pad_token_id`, counted from 1; padding itself,
   * wherever it stands, at `pad_token_id` (fairseq's `make_positions`).
   */
  protected override positions({ inputIds }: Batch): Tensor {
    const [count, length] = inputIds.shape as [number, number];
    const real = inputIds.ne(this.#padding).cast('f32'); // [B, T]
    const past = arange(length).le(arange(length).reshape([length, 1])); // [T, T]
    const running = real.reshape([count, 1, length]).mul(past.cast('f32')).sum(-1); // [B, T]
    const places = running.mul(real).add(this.#padding).cast('i32');
    return this.position_embeddings.call(places);
  }
}

/** RoBERTa without a head. */
export class RobertaModel extends BertModel {
  override readonly prefix: string = 'roberta';

  /** Weights start at zero: load or initialise them. */
  constructor(config: BertConfig, pooler: boolean = true) {
    super(config, pooler, new RobertaEmbeddings(config));
  }

  /** With or without the prefix `roberta.`; the bias of the prediction head also under the decoder's name. */
  override aliases(name: string): readonly string[] {
    if (name === 'lm_head.bias') return ['lm_head.decoder.bias'];
    return [movedName(name, this.prefix)];
  }
}

/** Dense layer with tanh, then the outputs, on the first token. */
export class RobertaClassificationHead {
  dense: Layer;
  readonly dropout: Dropout;
  out_proj: Layer;

  /** Weights start at zero. @param labels number of outputs N. */
  constructor(config: BertConfig, labels: number) {
    this.dense = new Linear(config.hidden_size, config.hidden_size);
    this.dropout = new Dropout(config.classifier_dropout ?? config.hidden_dropout_prob);
    this.out_proj = new Linear(config.hidden_size, labels);
  }

  /** Hidden states [B, T, C] to logits [B, N]. */
  call(hidden: Tensor, context: Context): Tensor {
    const first = this.dropout.call(firstToken(hidden), context); // [B, C]
    const dense = this.dense.call(first, context).tanh(); // [B, C]
    return this.out_proj.call(this.dropout.call(dense, context), context);
  }
}

/** RoBERTa with its classification head. */
export class RobertaForSequenceClassification extends SequenceHead<BertConfig> {
  readonly roberta: RobertaModel;
  readonly classifier: RobertaClassificationHead;

  /** As many outputs as `id2label` has entries. Weights start at zero: load or initialise them. */
  constructor(config: BertConfig) {
    super(config);
    this.roberta = new RobertaModel(config, false);
    this.classifier = new RobertaClassificationHead(config, this.labelCount);
  }

  /** RoBERTa without its pooler. */
  get encoder(): RobertaModel {
    return this.roberta;
  }

  /** A pretrained model has no classifier. */
  get headPrefixes(): readonly string[] {
    return ['classifier.'];
  }

  /** [B, N]. */
  protected logits(hidden: Tensor, _batch: Batch, context: Context): Tensor {
    return this.classifier.call(hidden, context);
  }
}

/** RoBERTa that gives each token a class. */
export class RobertaForTokenClassification extends TokenClassifier<BertConfig> {
  readonly roberta: RobertaModel;

  /** Weights start at zero: load or initialise them. */
  constructor(config: BertConfig) {
    super(config, config.classifier_dropout ?? config.hidden_dropout_prob);
    this.roberta = new RobertaModel(config, false);
  }

  /** RoBERTa without its pooler. */
  get encoder(): RobertaModel {
    return this.roberta;
  }
}

/** Dense layer, GELU and LayerNorm, then scores with the word embeddings as weight. */
export class RobertaLMHead {
  dense: Layer;
  readonly layer_norm: LayerNorm;
  /** [V]. */
  readonly bias: Tensor;

  /** Weights start at zero. */
  constructor(config: BertConfig) {
    this.dense = new Linear(config.hidden_size, config.hidden_size);
    this.layer_norm = new LayerNorm(config.hidden_size, config.layer_norm_eps);
    this.bias = zeroParameter([config.vocab_size]);
  }

  /** Rows [N, C] and word embeddings [V, C] to logits [N, V]. */
  call(rows: Tensor, words: Tensor, context: Context): Tensor {
    const dense = this.layer_norm.call(this.dense.call(rows, context).gelu());
    return linear(dense, words, this.bias);
  }
}

/** RoBERTa that predicts masked tokens. */
export class RobertaForMaskedLM extends MaskedHead<BertConfig> {
  readonly roberta: RobertaModel;
  readonly lm_head: RobertaLMHead;

  /** Weights start at zero: load or initialise them. */
  constructor(config: BertConfig) {
    super(config);
    this.roberta = new RobertaModel(config, false);
    this.lm_head = new RobertaLMHead(config);
  }

  /** RoBERTa without its pooler. */
  get encoder(): RobertaModel {
    return this.roberta;
  }

  /** A checkpoint of RobertaModel has no prediction head. */
  get headPrefixes(): readonly string[] {
    return ['lm_head.'];
  }

  /** [N, C] to [N, V]. */
  protected score(rows: Tensor, context: Context): Tensor {
    return this.lm_head.call(rows, this.roberta.embeddings.word_embeddings.weight, context);
  }
}

const CLASSES = {
  Model: RobertaModel,
  ForSequenceClassification: RobertaForSequenceClassification,
  ForTokenClassification: RobertaForTokenClassification,
  ForMaskedLM: RobertaForMaskedLM,
};

/** `model_type` roberta. */
export const ROBERTA: Architecture = encoderArchitecture('Roberta', parseRobertaConfig, CLASSES);

/** `model_type` xlm-roberta: the same network with another vocabulary. */
export const XLM_ROBERTA: Architecture = encoderArchitecture(
  'XLMRoberta',
  parseRobertaConfig,
  CLASSES,
);
