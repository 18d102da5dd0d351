/**
 * @file What travels beside the data in a forward pass: training or evaluation, the stream of dropout keys
 * and the capture of hidden states. Keys are host numbers, so every step has the same graph.
 */
import {
  InputError,
  foldKey,
  readNumber,
  type HostKey,
  type HostNumber,
  type RandomKey,
  type Tensor,
} from '@camada/tensor';
import type { PromptPass } from './prompt-pass.ts';

/** State of one forward pass, handed to every `call`. */
export interface Context {
  /** True while training: dropout is active. */
  readonly training: boolean;
  /** A fresh key for each call, the same sequence in each pass with the same seed and step. */
  dropoutKey(): HostKey;
  /** Receives hidden states [B, T, C] by name; see `HiddenName`. */
  capture?(name: string, hidden: Tensor): void;
  /** What adapters add to this pass; the model sets it (see `Prompting`). */
  readonly prompt?: PromptPass;
  /** Where the pass begins, if not at the embeddings. */
  readonly entry?: Entry;
}

/** The hidden state with which a pass begins: nothing that stands below a block is computed. */
export interface Entry {
  /** Number of the block that receives it; that of blocks for what follows the last. */
  readonly layer: number;
  /** R[layer], [B, T, C]. */
  readonly hidden: Tensor;
}

/** How a pass is to run. */
export interface ContextOptions {
  /** Whether dropout is active; false when left out. */
  readonly training?: boolean;
  /** Seed of the whole run, a non-negative integer below 2⁵³; 0 when left out. */
  readonly seed?: number;
  /** Number of the step; different steps draw different masks. In a captured step a function. 0 when left out. */
  readonly step?: HostNumber;
  /** Receives hidden states; see `Context.capture`. */
  readonly capture?: (name: string, hidden: Tensor) => void;
}

/**
 * The context of one forward pass. Key n of step s is `foldKey(foldKey(seed, s), n)`, so a resumed run
 * draws the masks that the uninterrupted one would have drawn. Throws InputError on a bad seed.
 */
export function createContext(options: ContextOptions = {}): Context {
  const { step = 0 } = options;
  const seed = seedKey(options.seed ?? 0);
  const base = (): RandomKey => foldKey(seed, readNumber(step));
  const fixed = base();
  let drawn = 0;
  return {
    training: options.training ?? false,
    dropoutKey: () => {
      const n = drawn++;
      return typeof step === 'number' ? foldKey(fixed, n) : () => foldKey(base(), n);
    },
    ...(options.capture && { capture: options.capture }),
  };
}

/** The two key words of a seed. Throws InputError unless it is an integer in [0, 2⁵³). */
export function seedKey(seed: number): RandomKey {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new InputError(`seed ${seed} is not an integer from 0 to 2^53 - 1`);
  return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}

/**
 * Name under which a model captures hidden state R[index], the input of block `index`: `R0` is the output
 * of the embeddings, `R1` … `RL` the outputs of the blocks, before any final norm.
 */
export function hiddenName(index: number): string {
  return `R${index}`;
}

/** Name under which a model with a final norm captures the normalised last hidden state. */
export const FINAL_HIDDEN: string = 'final';
