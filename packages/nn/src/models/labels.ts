/** @file The labels of a head: how many there are, what they are, and the loss that goes with them. */
import type { Tensor } from '@camada/tensor';
import type { BatchLimits } from '../batch.ts';
import { bceWithLogits } from '../loss/bce.ts';
import { crossEntropy } from '../loss/cross-entropy.ts';
import { mseLoss } from '../loss/mse.ts';
import type { ConfigReader } from './config.ts';
import type { ModelConfig } from './model.ts';

/** What a sequence head's logits stand for; Hugging Face's names. */
export type ProblemType =
  'single_label_classification' | 'multi_label_classification' | 'regression';

/** The part of a configuration that describes a head's labels. */
export interface LabelConfig extends ModelConfig {
  /** Name of each class by its index. */
  readonly id2label: Readonly<Record<string, string>>;
  /** Null where the head is not a sequence head: the model of a task sets it. */
  readonly problem_type: ProblemType | null;
}

/** `id2label`, or LABEL_0 … for `num_labels` (2 when absent), as Transformers names them. */
export function labelNames(read: ConfigReader): Record<string, string> {
  const given = read.record('id2label');
  if (!given) return defaultLabels(read.size('num_labels', 2));
  return Object.fromEntries(Object.entries(given).map(([id, name]) => [id, String(name)]));
}

/** LABEL_0 … LABEL_{count−1}. */
export function defaultLabels(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [String(i), `LABEL_${i}`]));
}

/** The number of a head's outputs. */
export function labelCount({ id2label }: LabelConfig): number {
  return Object.keys(id2label).length;
}

/** What the batches of a sequence head may have as labels. */
export function sequenceLabels(config: LabelConfig): BatchLimits['labels'] {
  const count = labelCount(config);
  if (config.problem_type === 'single_label_classification') return { kind: 'class', count };
  return { kind: config.problem_type === 'regression' ? 'value' : 'probability', count };
}

/**
 * Mean loss of logits [B, N], []: cross-entropy over classes i32 [B], binary cross-entropy of each of N labels
 * f32 [B, N], or squared error to values f32 [B, N] ([B] where N is 1).
 */
export function sequenceLoss(logits: Tensor, labels: Tensor, config: LabelConfig): Tensor {
  if (config.problem_type === 'single_label_classification') return crossEntropy(logits, labels);
  const scores = labels.rank === 1 ? logits.squeeze(-1) : logits;
  return config.problem_type === 'regression'
    ? mseLoss(scores, labels)
    : bceWithLogits(scores, labels);
}
