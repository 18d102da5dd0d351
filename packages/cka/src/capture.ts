/** @file Runs the model over the task's data and hands on every level's pooled representation. */
import { InputError, foldKey, type Tensor, type TypedArray } from '@camada/tensor';
import {
  createContext,
  hiddenStates,
  seedKey,
  type Batch,
  type LastHidden,
  type Model,
} from '@camada/nn';
import { POOLINGS, pool, sampledTokens, type Pooling } from './pool.ts';

/** What is taken from the model. */
export interface CaptureOptions {
  /** @defaultValue 'mean' */
  readonly pooling?: Pooling;
  /** The last level before the final norm (`raw`) or after it, as Transformers has it. @defaultValue 'raw' */
  readonly lastHidden?: LastHidden;
}

/** How many tokens of an example are taken on average with the pooling `tokens`. */
export const TOKENS: number = 4;

/** Stream of the seed that draws tokens. */
const TOKEN_STREAM = 0x70c;

/**
 * Pooled representations R0 … RL of one batch, each [B, C] ([4·B, C] or fewer rows of single tokens with `tokens`): R0 is the
 * output of the embeddings, Ri that of layer i − 1. Lazy: one forward pass without dropout when read; only the
 * pooled vectors outlive it. Throws InputError on an unknown pooling.
 * @param draw which tokens are sampled: the same number gives the same ones.
 */
export async function pooledLevels(
  model: Model,
  batch: Batch,
  options: CaptureOptions = {},
  draw: number = 0,
): Promise<Tensor[]> {
  const pooling = options.pooling ?? 'mean';
  if (!POOLINGS.includes(pooling))
    throw new InputError(`the pooling '${pooling}' is unknown; known are ${POOLINGS.join(', ')}`);
  const context = createContext({ training: false });
  const states = hiddenStates(model, batch, context, options.lastHidden ?? 'raw');
  if (pooling !== 'tokens')
    return states.map((hidden) => pool(hidden, batch.attentionMask, pooling));
  const key = foldKey(seedKey(draw), TOKEN_STREAM);
  const rows = await sampledTokens(batch.attentionMask, TOKENS, key);
  return states.map((hidden) => hidden.flatten(0, 1).gather(rows)); // [N, C]
}

/**
 * Throws InputError when pooled vectors [B, C] hold NaN or infinity, with the level and the example.
 * @param first number of the batch's first example.
 */
export function checkFinite(data: TypedArray, width: number, level: number, first: number): void {
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw notFinite(level, data[bad]!, first + Math.floor(bad / width));
}

/** What to say about a hidden state that is NaN or infinite. */
export function notFinite(level: number, value: number, example: number): InputError {
  const where = level === 0 ? 'the embeddings' : `layer ${level - 1}`;
  return new InputError(
    `layer importance: ${where} (level ${level}) gives ${value} for example ${example}: ` +
      "check the checkpoint's weights there, and whether 16-bit ones overflow",
  );
}
