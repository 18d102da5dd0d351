/**
 * @file Batches whose rows use different adapters: what a layer does then. The choice travels in the context of a
 * pass, so that it is data of a step (and of a captured step) and changes nothing on the model.
 */
import type { Context } from '@camada/nn';
import type { Tensor } from '@camada/tensor';
import type { BaseLayer } from './base.ts';

/** Which row of a batch uses which adapter. */
export interface RowChoice {
  /** Number of each row's adapter, i32 [B]; 0 is the base model. */
  readonly rows: Tensor;
  /** T of the batch: layers see its rows one by one, [B, ..., C], or token by token, [B·T, C]. */
  readonly length: number;
}

/** What one layer computes for rows of different adapters. */
export interface RowPart {
  /** x [B, ..., in] or [B·T, in] to the same with `out`. Throws InputError on other inputs. */
  call(x: Tensor, choice: RowChoice, base: BaseLayer, context: Context): Tensor;
}

/** A pass whose rows use different adapters. */
export interface RowContext extends Context {
  readonly adapterRows: RowChoice & {
    /** By wrapped layer; a layer that is not listed is the base layer. */
    readonly parts: ReadonlyMap<object, RowPart>;
  };
}

/** Whether rows of this pass use different adapters. */
export function hasRows(context: Context | undefined): context is RowContext {
  return context !== undefined && 'adapterRows' in context; // norms are called without one
}
