/**
 * @file A pass in two parts: what stands below a block once, and the rest as often as wanted from its result. Frozen
 * blocks below the lowest trained one need not be computed anew in every epoch.
 */
import { InputError, type Tensor } from '@camada/tensor';
import type { Batch } from '../batch.ts';
import { createContext, hiddenName, type Context } from '../context.ts';
import type { Model } from './model.ts';

/** The first block that runs, and its input, rows [N, C]. */
export interface Start {
  readonly first: number;
  readonly rows: Tensor;
}

/** Where a pass begins: at the embeddings' rows [N, C], or at its entry. */
export function startOf(embedded: Tensor, { entry }: Context): Start {
  return entry
    ? { first: entry.layer, rows: entry.hidden.flatten(0, 1) }
    : { first: 0, rows: embedded };
}

/**
 * The input of block `layer`, [B, T, C], lazily and without dropout; nothing above is computed. L is what leaves the last
 * block. Throws InputError when there is no such block, or when an adapter puts prompts into the passes.
 */
export function prefixState(model: Model, batch: Batch, layer: number): Tensor {
  checkPrefix(model, layer);
  const found = new Map<string, Tensor>();
  const capture = (name: string, hidden: Tensor): void => void found.set(name, hidden);
  model.call(batch, createContext({ capture }));
  return found.get(hiddenName(layer))!;
}

/**
 * A context whose pass begins with the input of a block: `model.call(batch, enterAt(context, k, prefixState(model, batch, k)))`
 * gives what `model.call(batch, context)` does, where there is no dropout below. Of the batch, ids are not embedded.
 */
export function enterAt(context: Context, layer: number, hidden: Tensor): Context {
  return { ...context, entry: { layer, hidden } };
}

/** Throws InputError unless a pass can be parted below a block. */
export function checkPrefix(model: Model, layer: number): void {
  if (!(Number.isInteger(layer) && layer >= 0 && layer <= model.layers.length))
    throw new InputError(
      `a pass cannot begin at layer ${layer} of a model of ${model.layers.length} layers`,
    );
  if (model.prompting)
    throw new InputError(
      'a pass of a model with virtual tokens or prompts begins at the embeddings',
    );
}
