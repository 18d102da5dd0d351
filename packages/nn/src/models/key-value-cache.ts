/**
 * @file The keys and values of earlier tokens, for generation. Sizes are fixed (S slots), the position is data,
 * so every step runs the same program; updates happen in device memory.
 */
import { arange, scalar, tensor, where, type Tensor } from '@camada/tensor';
import { MASKED } from '../layers/mask.ts';

/** Keys and values of one block. */
interface Slots {
  /** [1, K, S, D]. */
  readonly key: Tensor;
  /** [1, K, S, D]. */
  readonly value: Tensor;
}

/** Slots for one sequence. */
export class KeyValueCache {
  /** Slots, S. */
  readonly capacity: number;
  readonly #slots: readonly Slots[];

  /** @param blocks number of blocks. @param heads key-value heads K. @param width D. @param capacity S. */
  constructor(blocks: number, heads: number, width: number, capacity: number) {
    this.capacity = capacity;
    const empty = (): Tensor =>
      tensor(new Float32Array(heads * capacity * width), [1, heads, capacity, width]);
    this.#slots = Array.from({ length: blocks }, () => ({ key: empty(), value: empty() }));
  }

  /** Replaces the slots of a block by the keys and values of a whole prompt, [1, K, T, D] with T ≤ S. */
  fill(block: number, key: Tensor, value: Tensor): void {
    const slots = this.#slots[block]!;
    const padding = [0, 0, this.capacity - key.shape[2]!, 0];
    slots.key.assign(key.pad([0, 0, 0, 0], padding));
    slots.value.assign(value.pad([0, 0, 0, 0], padding));
  }

  /** Writes one token, [1, K, 1, D], at a slot and returns all keys and values [1, K, S, D]. */
  append(block: number, key: Tensor, value: Tensor, slot: Tensor): Slots {
    const slots = this.#slots[block]!;
    const here = arange(this.capacity).eq(slot).reshape([this.capacity, 1]); // [S, 1]
    const result = { key: where(here, key, slots.key), value: where(here, value, slots.value) };
    slots.key.assign(result.key);
    slots.value.assign(result.value);
    return result;
  }

  /** Frees the device memory. */
  dispose(): void {
    for (const { key, value } of this.#slots) {
      key.dispose();
      value.dispose();
    }
  }
}

/** A position as data: i32 []. */
export function slotOf(position: number): Tensor {
  return scalar(position, 'i32');
}

/** Bias [1, 1, 1, S] that lets one query see the slots up to its own. */
export function slotBias(capacity: number, slot: Tensor): Tensor {
  return where(arange(capacity).le(slot), 0, MASKED).reshape([1, 1, 1, capacity]);
}
