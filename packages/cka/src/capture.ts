/** @file Runs the model over the task's data and hands on every level's pooled representation. */
import { InputError, type Tensor, type TypedArray } from '@camada/tensor';
import { createContext, hiddenStates, type Batch, type LastHidden, type Model } from '@camada/nn';
import { pool, type Pooling } from './pool.ts';

/** What is taken from the model. */
export interface CaptureOptions {
  /** @defaultValue 'mean' */
  readonly pooling?: Pooling;
  /** The last level before the final norm (`raw`) or after it, as Transformers has it. @defaultValue 'raw' */
  readonly lastHidden?: LastHidden;
}

/**
 * Pooled representations R0 … RL of one batch, each [B, C], lazily: R0 is the output of the embeddings, Ri
 * that of layer i − 1. One forward pass without dropout; only the pooled vectors outlive it.
 */
export function pooledLevels(model: Model, batch: Batch, options: CaptureOptions = {}): Tensor[] {
  const context = createContext({ training: false });
  const states = hiddenStates(model, batch, context, options.lastHidden ?? 'raw');
  const pooling = options.pooling ?? 'mean';
  return states.map((hidden) => pool(hidden, batch.attentionMask, pooling));
}

/**
 * Throws InputError when pooled vectors [B, C] hold NaN or infinity, with the level and the example.
 * @param first number of the batch's first example.
 */
export function checkFinite(data: TypedArray, width: number, level: number, first: number): void {
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  const where = level === 0 ? 'the embeddings' : `layer ${level - 1}`;
  throw new InputError(
    `layer importance: ${where} (level ${level}) gives ${data[bad]} for example ${first + Math.floor(bad / width)}: ` +
      "check the checkpoint's weights there, and whether 16-bit ones overflow",
  );
}
