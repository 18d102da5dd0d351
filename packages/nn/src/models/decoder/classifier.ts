/** @file A decoder that scores a whole text by the state of its last token. */
import { arange, type Tensor } from '@camada/tensor';
import type { Batch, BatchLimits } from '../../batch.ts';
import type { Context } from '../../context.ts';
import { Linear, type Layer } from '../../layers/linear.ts';
import { ofBatch } from '../../prompting.ts';
import { labelsOf } from '../head.ts';
import { labelCount, sequenceLabels, sequenceLoss } from '../labels.ts';
import type { HeadOutput } from '../model.ts';
import { DecoderHead } from './head.ts';
import type { DecoderModel } from './model.ts';

/** A decoder with a linear classifier without bias, Transformers' `…ForSequenceClassification`. */
export class DecoderClassifier extends DecoderHead {
  score: Layer;

  /** As many outputs as `id2label` has entries. Weights start at zero: load or initialise them. */
  constructor(decoder: DecoderModel) {
    super(decoder);
    this.score = new Linear(decoder.config.hidden_size, labelCount(decoder.config), false);
  }

  /** Labels are classes, or real values. */
  get limits(): BatchLimits {
    return { ...this.decoder.limits, labels: sequenceLabels(this.config) };
  }

  /** A pretrained model has no classifier. */
  get headPrefixes(): readonly string[] {
    return ['score.'];
  }

  /** Logits [B, N] of the last token of each row that is not padding. */
  call(batch: Batch, context: Context): HeadOutput {
    const { hidden } = this.decoder.call(batch, context); // [B, T, C]
    const last = chosenRowsOf(ofBatch(hidden, batch), this.#lastTokens(batch)); // [B, C]
    return { hidden, logits: this.score.call(last, context) };
  }

  /** See `sequenceLoss`. */
  loss({ logits }: HeadOutput, batch: Batch): Tensor {
    return sequenceLoss(logits, labelsOf(batch), this.config);
  }

  /**
   * Column of the last token of each row, i32 [B]. As in Transformers, the padding token is padding wherever it
   * stands, so a text that ends in it is scored at the token before.
   */
  #lastTokens({ inputIds, attentionMask }: Batch): Tensor {
    const pad = this.config.pad_token_id;
    const real = attentionMask.ne(0);
    const token = pad === null ? real : real.and(inputIds.ne(pad));
    const column = arange(inputIds.shape[1]!); // [T]
    return column.mul(token.cast('i32')).argmax(-1);
  }
}

/** Hidden states [B, T, C] at one column a row, i32 [B]: [B, C]. */
function chosenRowsOf(hidden: Tensor, columns: Tensor): Tensor {
  const [batch, length] = hidden.shape as [number, number, number];
  return hidden.flatten(0, 1).gather(arange(batch).mul(length).add(columns));
}
