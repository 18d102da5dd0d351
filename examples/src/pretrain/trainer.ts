/** @file One step of masked language modelling, and the loss on text that training never sees. */
import { tensor, type Tensor } from '@camada/tensor';
import { grad } from '@camada/autograd';
import {
  AdamW,
  clipGradNorm,
  createContext,
  decayWeightsOnly,
  namedParameters,
  type Batch,
  type BertForMaskedLM,
} from '@camada/nn';
import type { MaskedBatch } from './masking.ts';

/** A model with its optimizer. */
export class Trainer {
  readonly model: BertForMaskedLM;
  readonly optimizer: AdamW;
  readonly parameters: ReadonlyMap<string, Tensor>;
  private readonly sequence: number;
  private readonly attentionMask: Tensor;

  /** `batchSize` sequences (B) of `sequence` tokens (T) each. */
  constructor(model: BertForMaskedLM, batchSize: number, sequence: number) {
    this.model = model;
    this.parameters = namedParameters(model);
    this.optimizer = new AdamW(this.parameters, {
      betas: [0.9, 0.98], // 0.98 follows a short run's gradients sooner than 0.999 (RoBERTa, section 3.1)
      weightDecay: 0.01,
      rules: decayWeightsOnly,
    });
    this.sequence = sequence;
    const ones = new Int32Array(batchSize * sequence).fill(1);
    this.attentionMask = tensor(ones, [batchSize, sequence]);
  }

  /** Makes one step; returns the loss of the batch before it, in nats a guessed token. */
  async step(batch: MaskedBatch, learningRate: number): Promise<number> {
    const loss = this.loss(batch);
    const { gradients } = clipGradNorm(grad(loss, [...this.parameters.values()]), 1);
    this.optimizer.step(gradients, learningRate);
    return loss.item();
  }

  /** Mean loss over batches, without learning from them. */
  async evaluate(batches: readonly MaskedBatch[]): Promise<number> {
    let total = 0;
    for (const batch of batches) total += await this.loss(batch).item();
    return total / batches.length;
  }

  private loss(masked: MaskedBatch): Tensor {
    const batch: Batch = {
      inputIds: tensor(masked.inputs, [masked.inputs.length / this.sequence, this.sequence]),
      attentionMask: this.attentionMask,
      positions: tensor(masked.positions),
      labels: tensor(masked.labels),
    };
    return this.model.loss(this.model.call(batch, createContext()), batch);
  }
}
