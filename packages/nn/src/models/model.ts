/** @file What every model offers to training, capture and layer selection. */
import type { Tensor } from '@camada/tensor';
import type { Batch, BatchLimits } from '../batch.ts';
import { FINAL_HIDDEN, hiddenName, type Context } from '../context.ts';
import type { Module } from '../module.ts';
import type { Prompting } from '../prompting.ts';

/** One transformer block, for selection. */
export interface LayerInfo {
  /** 0 for the block after the embeddings. */
  readonly index: number;
  /** Path of its module, as in `bert.encoder.layer.0`. */
  readonly name: string;
}

/** Results of a forward pass. */
export interface Output {
  /** Last hidden state [B, T, C], after the final norm where there is one. */
  readonly hidden: Tensor;
}

/** Results of a model with a head. */
export interface HeadOutput extends Output {
  /** Sequence heads: [B, N]. Language models: [B, T, V], or [P, V] where the batch names positions. */
  readonly logits: Tensor;
}

/** A transformer with or without a head. */
export interface Model extends Module {
  /** Keys and values of `config.json`. */
  readonly config: ModelConfig;
  /** Its blocks, from the embeddings up. */
  readonly layers: readonly LayerInfo[];
  /** What its batches may hold. */
  readonly limits: BatchLimits;
  /** Path of the table of word embeddings [V, C]. */
  readonly wordEmbeddings: string;
  /** Prefixes of parameters that a checkpoint may lack: they start fresh. */
  readonly headPrefixes: readonly string[];
  /** Virtual tokens and prompts of an adapter, which every pass then has; none by default. */
  prompting?: Prompting | undefined;
  /** Other names that checkpoints use for a parameter, best first. */
  aliases(name: string): readonly string[];
  /** Forward pass. */
  call(batch: Batch, context: Context): Output;
}

/** A model with logits and a loss. */
export interface HeadModel extends Model {
  call(batch: Batch, context: Context): HeadOutput;
  /** Mean loss over the labels of the batch, []. Throws InputError when it has none. */
  loss(output: HeadOutput, batch: Batch): Tensor;
}

/** What all configurations share; field names are Hugging Face's. */
export interface ModelConfig {
  readonly model_type: string;
  readonly architectures: readonly string[];
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly intermediate_size: number;
  readonly max_position_embeddings: number;
  readonly initializer_range: number;
}

/**
 * Whose last hidden state `hiddenStates` returns: of the last block, or after the final norm, as Transformers does (but
 * for ModernBERT, where it gives that of the last block).
 */
export type LastHidden = 'raw' | 'normalized';

/**
 * Hidden states R0 … RL of a batch, each [B, T, C], as graph nodes: R0 is the output of the embeddings. Use a
 * context without training. With `normalized`, RL has passed the final norm; see `LastHidden`.
 */
export function hiddenStates(
  model: Model,
  batch: Batch,
  context: Context,
  last: LastHidden = 'raw',
): Tensor[] {
  const found = new Map<string, Tensor>();
  model.call(batch, { ...context, capture: (name, hidden) => void found.set(name, hidden) });
  const states = Array.from({ length: model.layers.length + 1 }, (_, i) =>
    found.get(hiddenName(i))!,
  );
  const final = found.get(FINAL_HIDDEN);
  if (last === 'normalized' && final) states[states.length - 1] = final;
  return states;
}
