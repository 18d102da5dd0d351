/** @file What the blocks of a decoder share in one forward pass: where queries look, and how positions turn them. */
import { InputError, arange, scalar, type HostNumber, type Tensor } from '@camada/tensor';
import type { Batch } from '../../batch.ts';
import type { Context } from '../../context.ts';
import type { HeadShape } from '../../layers/attention.ts';
import { causalBias, leftPaddedBias } from '../../layers/mask.ts';
import { RotaryTables, type Rotation } from '../../layers/rotary.ts';
import { KeyValueCache, type CacheRows, type KeysAndValues } from './cache.ts';
import { LAYER_TYPES, mostPositions, type DecoderConfig, type LayerType } from './config.ts';

/** What the blocks of one type see. */
export interface View {
  /** Additive mask [B, 1, T, S]. */
  readonly bias: Tensor;
  /** Angles of the T positions; undefined where positions are embedded instead. */
  readonly rotation: Rotation | undefined;
}

/** One forward pass. */
export interface DecoderPass extends HeadShape {
  readonly views: Readonly<Record<LayerType, View>>;
  /** i32 [B, T]; undefined where column t of each row is position t. */
  readonly positions: Tensor | undefined;
  readonly context: Context;
  /** Generation: keeps the new keys and values of a block [B, K, T, D] and gives all that queries may look at. */
  readonly remember?: (block: number, fresh: KeysAndValues) => KeysAndValues;
}

/** Makes the passes of one decoder. */
export class DecoderPasses {
  readonly #config: DecoderConfig;
  readonly #tables: Partial<Record<LayerType, RotaryTables>> = {};

  constructor(config: DecoderConfig) {
    this.#config = config;
    if (!config.rope) return;
    for (const type of LAYER_TYPES) this.#tables[type] = new RotaryTables(config.rope[type]);
  }

  /** A batch as it is: column t is position t. Throws InputError when the batch is longer than the model. */
  whole({ inputIds, attentionMask }: Batch, context: Context): DecoderPass {
    const [batch, length] = inputIds.shape as [number, number];
    const limit = mostPositions(this.#config);
    if (length > limit)
      throw new InputError(`${length} tokens do not fit a model of ${limit} positions`);
    const view = (type: LayerType): View => ({
      bias: causalBias(attentionMask, this.#window(type)),
      rotation: this.#tables[type]?.at(length),
    });
    return { batch, length, views: byType(view), positions: undefined, context };
  }

  /** Room for the continuation of a batch. */
  createCache(rows: CacheRows): KeyValueCache {
    const { layer_types, num_key_value_heads, head_dim } = this.#config;
    const slots = layer_types.map((type) => this.#slots(type, rows.columns));
    return new KeyValueCache({ slots, heads: num_key_value_heads, width: head_dim }, rows);
  }

  /** Prompts of `length` columns, padded on the left as the cache was told, which keeps their keys and values. */
  prompt(length: number, cache: KeyValueCache, context: Context): DecoderPass {
    const positions = this.#positions(arange(length), cache); // [B, T]
    const view = (type: LayerType): View => ({
      bias: leftPaddedBias(cache.starts, length, this.#window(type)),
      rotation: this.#rotation(type, positions, cache),
    });
    return {
      batch: cache.starts.size,
      length,
      views: byType(view),
      positions,
      context,
      remember: (block, fresh) => {
        cache.fill(block, fresh);
        return fresh;
      },
    };
  }

  /** One token a row, in the column after those that the cache holds. */
  step(column: HostNumber, cache: KeyValueCache, context: Context): DecoderPass {
    const positions = this.#positions(scalar(column, 'i32').reshape([1]), cache); // [B, 1]
    const view = (type: LayerType): View => ({
      bias: cache.bias(this.#slots(type, cache.columns), column),
      rotation: this.#rotation(type, positions, cache),
    });
    return {
      batch: cache.starts.size,
      length: 1,
      views: byType(view),
      positions,
      context,
      remember: (block, fresh) => cache.append(block, fresh, column),
    };
  }

  #window(type: LayerType): number | undefined {
    return type === 'sliding_attention' ? (this.#config.sliding_window ?? undefined) : undefined;
  }

  #slots(type: LayerType, columns: number): number {
    return Math.min(columns, this.#window(type) ?? columns);
  }

  /** Columns i32 [T] as positions [B, T]: padding is at 0, rows that have ended stay at the last. */
  #positions(columns: Tensor, { starts }: KeyValueCache): Tensor {
    const last = scalar(mostPositions(this.#config) - 1, 'i32');
    const position = columns.sub(starts.reshape([starts.size, 1]));
    return position.maximum(scalar(0, 'i32')).minimum(last);
  }

  #rotation(type: LayerType, positions: Tensor, cache: KeyValueCache): Rotation | undefined {
    const table = this.#tables[type]?.at(cache.columns, cache.longest); // [columns, D/2]
    if (!table) return undefined;
    return {
      cos: table.cos.gather(positions).unsqueeze(1),
      sin: table.sin.gather(positions).unsqueeze(1),
    };
  }
}

function byType<T>(of: (type: LayerType) => T): Record<LayerType, T> {
  return { full_attention: of('full_attention'), sliding_attention: of('sliding_attention') };
}
