/**
 * @file The inputs of one block for all rows of a data set, computed once. Only real tokens are kept: what stands at
 * padding is read by nobody, so zeros do as well there.
 */
import { capture, type CapturedStep, type Tensor } from '@camada/tensor';
import { prefixState, type Batch, type HeadModel } from '@camada/nn';
import {
  disposeBatch,
  evaluationBatches,
  toBatch,
  type BatchShape,
  type RowGroup,
} from '../data/batches.ts';
import type { Row } from '../data/encode.ts';
import type { Prefix } from '../train/prefix.ts';
import type { PrefixCacheOptions } from './options.ts';
import { createPool, poolBytes, type Place, type Pool } from './pool.ts';

/** Computes the inputs of a block for each batch. */
export class ComputedPrefix implements Prefix {
  readonly layer: number;
  readonly #state: CapturedStep<Batch, Record<never, never>, Tensor>;

  constructor(model: HeadModel, layer: number) {
    this.layer = layer;
    this.#state = capture((batch: Batch) => prefixState(model, batch, layer));
  }

  hidden(_: readonly Row[], batch: Batch): Promise<Tensor> {
    return this.#state(batch);
  }
}

/** Holds the inputs of a block. */
export class PrefixStore implements Prefix {
  readonly layer: number;
  /** Where they are. */
  readonly place: Place;
  /** What they take there. */
  readonly bytes: number;
  /** Time that it took to compute them. */
  readonly seconds: number;
  readonly #pool: Pool;
  readonly #first: ReadonlyMap<Row, number>;
  #served = 0;

  constructor(
    layer: number,
    pool: Pool,
    first: ReadonlyMap<Row, number>,
    facts: { readonly bytes: number; readonly seconds: number },
  ) {
    this.layer = layer;
    this.place = pool.place;
    this.bytes = facts.bytes;
    this.seconds = facts.seconds;
    this.#pool = pool;
    this.#first = first;
  }

  /** Whether it has these rows. */
  holds(rows: readonly Row[]): boolean {
    return rows.every((row) => this.#first.has(row));
  }

  async hidden(rows: readonly Row[], { inputIds }: Batch): Promise<Tensor> {
    const length = inputIds.shape[1]!;
    const numbers = new Int32Array(rows.length * length).fill(-1);
    rows.forEach((row, i) => {
      const first = this.#first.get(row)!;
      row.ids.forEach((_, t) => (numbers[i * length + t] = first + t));
    });
    this.#served += rows.length;
    const found = await this.#pool.rows(numbers); // [B·T, C]
    return found.reshape([rows.length, length, found.shape[1]!]);
  }

  /** Time that looking up has saved so far, less that of computing. */
  get savedSeconds(): number {
    return this.seconds * (this.#served / this.#first.size - 1);
  }

  /** Gives the memory back. */
  dispose(): void {
    this.#pool.dispose();
  }
}

/** What a store is filled from. */
export interface Filling {
  readonly model: HeadModel;
  readonly layer: number;
  readonly rows: readonly Row[];
  readonly shape: BatchShape;
  readonly options: PrefixCacheOptions;
  readonly onProgress?: (done: number, total: number) => void;
}

/** The first place whose budget holds so many bytes. */
export function placeFor(bytes: number, options: PrefixCacheOptions): Place | undefined {
  const { deviceBytes = 2 ** 29, hostBytes = 2 ** 31, diskBytes = 0 } = options;
  if (bytes <= deviceBytes) return 'device';
  if (bytes <= hostBytes) return 'host';
  return bytes <= diskBytes ? 'disk' : undefined;
}

/** Computes and keeps the inputs of a block; undefined where no budget holds them. */
export async function fillStore(filling: Filling): Promise<PrefixStore | undefined> {
  const { model, layer, rows, shape, options } = filling;
  const began = performance.now();
  const count = rows.reduce((sum, { ids }) => sum + ids.length, 0);
  const size = { count, width: model.config.hidden_size, f16: options.f16 ?? false };
  const bytes = poolBytes(size);
  const place = placeFor(bytes, options);
  if (!place) return undefined;
  const pool = await createPool(place, size);
  try {
    const first = await fill(pool, evaluationBatches(rows, shape), filling);
    pool.seal();
    const seconds = (performance.now() - began) / 1000;
    return new PrefixStore(layer, pool, first, { bytes, seconds });
  } catch (error) {
    pool.dispose();
    throw error;
  }
}

async function fill(
  pool: Pool,
  groups: readonly RowGroup[],
  { model, layer, rows, shape, onProgress }: Filling,
): Promise<Map<Row, number>> {
  const first = new Map<Row, number>();
  const prefix = new ComputedPrefix(model, layer);
  let filled = 0;
  for (const group of groups) {
    const batch = toBatch(group, model.limits, shape);
    const state = await prefix.hidden(group.rows, batch); // [B, T, C]
    const [, length, width] = state.shape as [number, number, number];
    const values = Float32Array.from(await state.data());
    for (const [i, row] of group.rows.slice(0, group.rows.length - group.filler).entries()) {
      if (first.has(row)) continue;
      const from = i * length * width;
      pool.append(values.subarray(from, from + row.ids.length * width));
      first.set(row, filled);
      filled += row.ids.length;
    }
    state.dispose();
    disposeBatch(batch);
    onProgress?.(first.size, rows.length);
  }
  return first;
}
