/**
 * @file The keys and values of earlier tokens, for generation: a ring of fixed size for each block. Sizes are fixed and
 * the column of the new token is data, so every step runs the same program; updates happen in device memory. A block
 * with a window keeps no more slots than that.
 */
import {
  arange,
  concat,
  scalar,
  tensor,
  where,
  type HostNumber,
  type Tensor,
} from '@camada/tensor';
import { MASKED } from '../../layers/mask.ts';

/** Keys and values that queries look at. */
export interface KeysAndValues {
  /** [B, K, S, D]. */
  readonly key: Tensor;
  /** [B, K, S, D]. */
  readonly value: Tensor;
}

/** What a cache is made for. */
export interface CacheSize {
  /** Slots of each block. */
  readonly slots: readonly number[];
  /** Key-value heads, K. */
  readonly heads: number;
  /** Head width, D. */
  readonly width: number;
}

/** A batch of texts that is to be continued: rows end in the same column, short ones begin with padding. */
export interface CacheRows {
  /** Columns of padding before each row. */
  readonly starts: readonly number[];
  /** Columns at most: prompt and continuation. */
  readonly columns: number;
  /** Most tokens of a row, prompt and continuation. */
  readonly longest: number;
}

/** Rings of slots: column c of a row is in slot c mod S. */
export class KeyValueCache {
  /** Columns at most. */
  readonly columns: number;
  /** Most tokens of a row. */
  readonly longest: number;
  /** Padding before each row, i32 [B]. */
  readonly starts: Tensor;
  /** Slots of each block, [B, K, S, D]. */
  readonly blocks: readonly KeysAndValues[];

  /** Empty slots. */
  constructor({ slots, heads, width }: CacheSize, { starts, columns, longest }: CacheRows) {
    this.columns = columns;
    this.longest = longest;
    this.starts = tensor(Int32Array.from(starts));
    const empty = (count: number): Tensor => {
      const shape = [starts.length, heads, count, width];
      return tensor(new Float32Array(starts.length * heads * count * width), shape);
    };
    this.blocks = slots.map((count) => ({ key: empty(count), value: empty(count) }));
  }

  /** Replaces the slots of a block by the keys and values of whole prompts, [B, K, T, D]. */
  fill(block: number, { key, value }: KeysAndValues): void {
    const slots = this.blocks[block]!;
    slots.key.assign(placed(key, slots.key.shape[2]!));
    slots.value.assign(placed(value, slots.value.shape[2]!));
  }

  /** Writes one token a row, [B, K, 1, D], in the slot of its column and returns all slots [B, K, S, D]. */
  append(block: number, { key, value }: KeysAndValues, column: HostNumber): KeysAndValues {
    const slots = this.blocks[block]!;
    const count = slots.key.shape[2]!;
    const here = arange(count).eq(slotOf(column, count)).reshape([count, 1]); // [S, 1]
    const result = { key: where(here, key, slots.key), value: where(here, value, slots.value) };
    slots.key.assign(result.key);
    slots.value.assign(result.value);
    return result;
  }

  /** Bias [B, 1, 1, S] that lets the token of a column see the slots of its row up to its own, in a ring of S. */
  bias(slots: number, column: HostNumber): Tensor {
    const slot = arange(slots);
    const own = slotOf(column, slots);
    const lap = where(slot.le(own), scalar(0, 'i32'), scalar(slots, 'i32'));
    const written = slot.sub(own).sub(lap).add(scalar(column, 'i32')); // the column in each slot
    const starts = this.starts.reshape([this.starts.size, 1, 1, 1]);
    return where(written.ge(starts), 0, MASKED); // [B, 1, 1, S]
  }

  /** Frees the device memory. */
  dispose(): void {
    this.starts.dispose();
    for (const { key, value } of this.blocks) {
      key.dispose();
      value.dispose();
    }
  }
}

/** The slot of a column in a ring of S, i32 []. */
function slotOf(column: HostNumber, slots: number): Tensor {
  const slot = typeof column === 'number' ? column % slots : (): number => column() % slots;
  return scalar(slot, 'i32');
}

/** Columns [B, K, T, D] in a ring of S slots; where T is more than S, the last S of them. */
function placed(x: Tensor, slots: number): Tensor {
  const length = x.shape[2]!;
  if (length <= slots) return x.pad([0, 0, 0, 0], [0, 0, slots - length, 0]);
  const kept = x.slice(2, length - slots, length); // column c is at c − (T − S), its slot is c mod S
  const turn = length % slots;
  if (turn === 0) return kept;
  return concat([kept.slice(2, slots - turn, slots), kept.slice(2, 0, slots - turn)], 2);
}
