/**
 * @file AdamW whose moments are 8-bit codes (Dettmers et al. 2021, https://arxiv.org/abs/2110.02861), as bitsandbytes'
 * `AdamW8bit` keeps them: a quarter of the bytes. A step unpacks them, updates in f32, and packs the new ones.
 */
import { sizeOf, type Shape, type Tensor } from '@camada/tensor';
import { AdamFamily, type AdamNumbers } from './adam.ts';
import type { AdamWOptions } from './adamw.ts';
import { BlockBook, codeScales, codeWords, type BlockCodes } from './block-codes.ts';
import type { Updated, Updating } from './frame.ts';
import type { SlotShapes } from './slots.ts';

/** Settings of AdamW8bit: AdamW's. */
export interface AdamW8bitOptions extends AdamWOptions {
  /** Parameters with fewer elements keep f32 moments; 4096, as in bitsandbytes. */
  readonly min8bitSize?: number;
}

/** The two moments by their names in PyTorch. */
const MOMENTS = ['exp_avg', 'exp_avg_sq'] as const;

/** θ ← θ(1 − lr·λ) − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε), with m and v stored as 8-bit codes between steps. */
export class AdamW8bit extends AdamFamily {
  readonly #books = { exp_avg: new BlockBook(true), exp_avg_sq: new BlockBook(false) } as const;

  /** Throws InputError on a setting outside its range. */
  constructor(parameters: ReadonlyMap<string, Tensor>, options: AdamW8bitOptions = {}) {
    const { weightDecay = 0.01, min8bitSize = 4096 } = options;
    super('AdamW8bit', parameters, { ...options, weightDecay }, true, slotsFrom(min8bitSize));
  }

  protected override update(updating: Updating, numbers: AdamNumbers): Updated {
    const { slots, parameter } = updating;
    if (slots['exp_avg']) return super.update(updating, numbers);
    const moments = Object.fromEntries(
      MOMENTS.map((name) => [
        name,
        this.#books[name].decode(codesOf(slots, name), parameter.shape),
      ]),
    );
    const next = super.update({ ...updating, slots: moments }, numbers);
    const packed = MOMENTS.map((name) => {
      const { codes, absmax } = this.#books[name].encode(next.slots[name]!);
      return { [`${name}_codes`]: codes, [`${name}_absmax`]: absmax };
    });
    return { parameter: next.parameter, slots: Object.assign({}, ...packed) as Updated['slots'] };
  }
}

function codesOf(slots: Updating['slots'], name: string): BlockCodes {
  return { codes: slots[`${name}_codes`]!, absmax: slots[`${name}_absmax`]! };
}

/** Codes and their scales for large parameters, plain moments for small ones. */
function slotsFrom(least: number): Readonly<Record<string, SlotShapes>> {
  const large = (shapes: SlotShapes): SlotShapes =>
    Object.assign(
      (shape: Shape) => (sizeOf(shape) < least ? undefined : shapes(shape)),
      shapes.words ? { words: shapes.words } : {},
    );
  const small = (shape: Shape): Shape | undefined => (sizeOf(shape) < least ? shape : undefined);
  return Object.fromEntries(
    MOMENTS.flatMap((name) => [
      [name, small],
      [`${name}_codes`, large(codeWords)],
      [`${name}_absmax`, large(codeScales)],
    ]),
  );
}
