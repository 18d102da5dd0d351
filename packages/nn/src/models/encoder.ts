/** @file What encoders share: the heads that differ only in what stands below them, and their table of tasks. */
import type { Tensor } from '@camada/tensor';
import type { Batch, BatchLimits } from '../batch.ts';
import { hiddenName, type Context } from '../context.ts';
import { Dropout } from '../layers/dropout.ts';
import { Linear, linear, type Layer } from '../layers/linear.ts';
import { zeroParameter } from '../layers/parameter.ts';
import { crossEntropy } from '../loss/cross-entropy.ts';
import { ofBatch, type Prompting } from '../prompting.ts';
import { named, withLabels, type Architecture, type Task } from './architecture.ts';
import { ConfigReader } from './config.ts';
import { chosenRows, labelsOf, prefixed } from './head.ts';
import { labelCount, sequenceLabels, sequenceLoss, type LabelConfig } from './labels.ts';
import type { HeadModel, HeadOutput, LayerInfo, Model } from './model.ts';
import { startOf } from './prefix.ts';

/** A model without a head. */
export interface Encoder extends Model {
  /** Field that holds it in models with a head, and so the prefix of its parameters: `base_model_prefix`. */
  readonly prefix: string;
}

/** The name of a parameter with the prefix of a model with a head, or without it. */
export function movedName(name: string, prefix: string): string {
  return name.startsWith(`${prefix}.`) ? name.slice(prefix.length + 1) : `${prefix}.${name}`;
}

/** What all blocks of one pass share. */
export interface EncoderPass {
  readonly batch: number;
  readonly length: number;
  /** Additive mask, broadcast to [B, H, T, T]. */
  readonly bias: Tensor;
  readonly context: Context;
  /** Index of the block that is running; set by `throughBlocks`. */
  readonly block?: number;
}

/** Runs rows [N, C] through the blocks, from the entry of the pass on; captures R0 … RL as [B, T, C]. */
export function throughBlocks<P extends EncoderPass>(
  blocks: readonly { call(rows: Tensor, pass: P): Tensor }[],
  embedded: Tensor,
  pass: P,
): Tensor {
  const shape = [pass.batch, pass.length, embedded.shape[1]!];
  const capture = (index: number, rows: Tensor): void =>
    pass.context.capture?.(hiddenName(index), rows.reshape(shape));
  const { first, rows: start } = startOf(embedded, pass.context);
  let rows = start;
  capture(first, rows);
  for (const [index, block] of blocks.entries()) {
    if (index < first) continue;
    rows = block.call(rows, { ...pass, block: index });
    capture(index + 1, rows);
  }
  return rows;
}

/** A model that hands its batch to an encoder and scores what comes out. */
abstract class EncoderHead<C extends LabelConfig> implements HeadModel {
  readonly config: C;

  constructor(config: C) {
    this.config = config;
  }

  /** The model below the head. */
  abstract get encoder(): Encoder;
  /** Prefixes of the head's parameters. */
  abstract get headPrefixes(): readonly string[];
  /** Logits of a batch's last hidden state [B, T, C]. */
  protected abstract logits(hidden: Tensor, batch: Batch, context: Context): Tensor;
  /** What the labels of a batch are. */
  protected abstract get labels(): BatchLimits['labels'];
  /** Mean loss over the labels of the batch, []. */
  abstract loss(output: HeadOutput, batch: Batch): Tensor;

  /** Blocks with their full paths. */
  get layers(): readonly LayerInfo[] {
    return prefixed(this.encoder.prefix, this.encoder.layers);
  }

  /** The encoder's. */
  get wordEmbeddings(): string {
    return `${this.encoder.prefix}.${this.encoder.wordEmbeddings}`;
  }

  /** The encoder's, with the labels of this head. */
  get limits(): BatchLimits {
    return { ...this.encoder.limits, labels: this.labels };
  }

  /** The encoder's. */
  get prompting(): Prompting | undefined {
    return this.encoder.prompting;
  }

  set prompting(prompting: Prompting | undefined) {
    this.encoder.prompting = prompting;
  }

  /** The encoder's. */
  aliases(name: string): readonly string[] {
    return this.encoder.aliases(name);
  }

  /** Forward pass. */
  call(batch: Batch, context: Context): HeadOutput {
    const { hidden } = this.encoder.call(batch, context);
    return { hidden, logits: this.logits(hidden, batch, context) };
  }
}

/** Base of models that score a whole sequence: logits [B, N] for N labels. */
export abstract class SequenceHead<C extends LabelConfig> extends EncoderHead<C> {
  /** Classes or values: the number of outputs. */
  get labelCount(): number {
    return labelCount(this.config);
  }

  /** Classes, or N real values a row: values to predict, or for each label how true it is. */
  protected get labels(): BatchLimits['labels'] {
    return sequenceLabels(this.config);
  }

  /** See `sequenceLoss`. */
  loss({ logits }: HeadOutput, batch: Batch): Tensor {
    return sequenceLoss(logits, labelsOf(batch), this.config);
  }
}

/** Base of models that score tokens: logits [B, T, N], or [P, N] where the batch names positions. */
export abstract class TokenHead<C extends LabelConfig> extends EncoderHead<C> {
  /** Rows [N, C] of hidden states to logits. */
  protected abstract score(rows: Tensor, context: Context): Tensor;

  /** A head for chosen positions only saves most of the work of a large vocabulary. */
  protected logits(hidden: Tensor, batch: Batch, context: Context): Tensor {
    const logits = this.score(chosenRows(ofBatch(hidden, batch), batch.positions), context);
    return batch.positions
      ? logits
      : logits.reshape([...batch.inputIds.shape, logits.shape.at(-1)!]);
  }

  /** Cross-entropy over the labelled tokens. */
  loss({ logits }: HeadOutput, batch: Batch): Tensor {
    return crossEntropy(logits, labelsOf(batch));
  }
}

/** Base of models that predict masked tokens: labels are token ids. */
export abstract class MaskedHead<C extends LabelConfig = LabelConfig> extends TokenHead<C> {
  /** Path of the word embeddings, which are the weight of the output layer too. */
  get tiedEmbedding(): string {
    return this.wordEmbeddings;
  }

  /** One class for each entry of the vocabulary. */
  protected get labels(): BatchLimits['labels'] {
    return { kind: 'token', count: this.config.vocab_size };
  }
}

/** Base of models that give each token one of N classes, with dropout and a linear layer. */
export abstract class TokenClassifier<C extends LabelConfig> extends TokenHead<C> {
  readonly dropout: Dropout;
  classifier: Layer;

  /** @param dropout probability before the classifier. */
  constructor(config: C, dropout: number) {
    super(config);
    this.dropout = new Dropout(dropout);
    this.classifier = new Linear(config.hidden_size, labelCount(config));
  }

  /** A pretrained encoder has no classifier. */
  get headPrefixes(): readonly string[] {
    return ['classifier.'];
  }

  /** One of the classes for each token. */
  protected get labels(): BatchLimits['labels'] {
    return { kind: 'token', count: labelCount(this.config) };
  }

  /** [N, C] to [N, labels]. */
  protected score(rows: Tensor, context: Context): Tensor {
    return this.classifier.call(this.dropout.call(rows, context), context);
  }
}

/** Scores over the vocabulary with the word embeddings as weight: only the bias is its own. */
export class TiedDecoder {
  /** [V]; absent where the configuration has no bias. */
  readonly bias?: Tensor;

  /** @param size of the vocabulary. */
  constructor(size: number, bias: boolean = true) {
    if (bias) this.bias = zeroParameter([size]);
  }

  /** Rows [N, C] and word embeddings [V, C] to logits [N, V]. */
  call(rows: Tensor, words: Tensor): Tensor {
    return linear(rows, words, this.bias);
  }
}

/** The classes of one family. */
export interface EncoderClasses<C extends LabelConfig> {
  readonly Model: new (config: C) => Encoder;
  readonly ForSequenceClassification: new (config: C) => HeadModel;
  readonly ForTokenClassification: new (config: C) => HeadModel;
  readonly ForMaskedLM: new (config: C) => HeadModel;
}

/**
 * The registry's entry of an encoder: every task, by the class that does it.
 * @param family how Transformers' class names begin, such as `Bert`.
 */
export function encoderArchitecture<C extends LabelConfig>(
  family: string,
  parse: (config: unknown) => C,
  classes: EncoderClasses<C>,
): Architecture {
  const build =
    (name: keyof EncoderClasses<C>, task: Task) =>
    (...[config, options]: Parameters<NonNullable<Architecture['tasks'][Task]>>): Model =>
      new classes[name](named(withLabels(parse(config), task, options), family + name));
  const sequence = 'ForSequenceClassification';
  return {
    architectures: [...Object.keys(classes), 'ForPreTraining'].map((name) => family + name),
    tasks: {
      classification: build(sequence, 'classification'),
      'multi-label': build(sequence, 'multi-label'),
      regression: build(sequence, 'regression'),
      'token-classification': build('ForTokenClassification', 'token-classification'),
      'masked-lm': (config, options) => {
        new ConfigReader(config).only('tie_word_embeddings', true);
        return build('ForMaskedLM', 'masked-lm')(config, options);
      },
      features: build('Model', 'features'),
    },
  };
}
