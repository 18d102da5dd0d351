/** @file Whether the layers below the lowest one that trains are computed once a text, once a batch, or within the step. */
import type { HeadModel } from '@camada/nn';
import { disposeBatch, toBatch, type BatchShape } from '../data/batches.ts';
import type { Row } from '../data/encode.ts';
import type { Prefix } from '../train/prefix.ts';
import { dropsBelow, lowestLayer } from './boundary.ts';
import type { PrefixCacheOptions } from './options.ts';
import { ComputedPrefix, PrefixStore, fillStore } from './store.ts';

/** What the plan is made from. */
export interface PlanOptions {
  readonly model: HeadModel;
  /** Names of what trains. */
  readonly parameters: Iterable<string>;
  readonly rows: readonly Row[];
  readonly shape: BatchShape;
  /** How often each row is wanted, about. */
  readonly epochs: number;
  /** Whether frozen layers keep their dropout. */
  readonly frozenDropout: boolean;
  readonly prefixCache: PrefixCacheOptions | false;
  /** Receives sentences for the user. */
  readonly note: (text: string) => void;
  readonly onProgress: (done: number, total: number) => void;
}

/** The layer at which passes can begin; 0 where nothing below it stays the same. */
export function entryLayer(options: Omit<PlanOptions, 'epochs' | 'onProgress'>): number {
  const { model, parameters, rows, shape, frozenDropout, note } = options;
  const layer = lowestLayer(model, parameters);
  if (layer === 0 || !frozenDropout) return layer;
  const batch = toBatch({ rows: rows.slice(0, 1), filler: 0 }, model.limits, shape);
  const drops = dropsBelow(model, batch, layer);
  disposeBatch(batch);
  if (!drops) return layer;
  note(
    `${below(layer)} frozen, but dropout makes them other each time: without it (--no-frozen-dropout) they are computed once a text.`,
  );
  return 0;
}

/** Where the passes of a run begin; undefined for the embeddings. */
export async function planPrefix(options: PlanOptions): Promise<Prefix | undefined> {
  const { model, rows, shape, epochs, prefixCache, note, onProgress } = options;
  const layer = entryLayer(options);
  if (layer === 0) return undefined;
  if (prefixCache === false || epochs <= 1) return new ComputedPrefix(model, layer);
  const store = await fillStore({ model, layer, rows, shape, options: prefixCache, onProgress });
  if (store) {
    note(`${below(layer)} frozen: computed once a text, ${held(store)}.`);
    return store;
  }
  note(`${below(layer)} frozen, but no budget holds what they hand on: computed in every epoch.`);
  return new ComputedPrefix(model, layer);
}

/** Tells what a store has saved, and gives its memory back. */
export function closePrefix(prefix: Prefix | undefined, note: (text: string) => void): void {
  if (!(prefix instanceof PrefixStore)) return;
  const seconds = prefix.savedSeconds.toFixed(1);
  note(`${below(prefix.layer)} not computed anew: about ${seconds} s saved, ${held(prefix)}.`);
  prefix.dispose();
}

function held({ bytes, place }: PrefixStore): string {
  const where = { device: 'on the device', host: 'in host memory', disk: 'on disk' }[place];
  return `${(bytes / 2 ** 20).toFixed(1)} MiB ${where}`;
}

function below(layer: number): string {
  return layer === 1 ? 'Layer 0 and the embeddings are' : `Layers 0 to ${layer - 1} are`;
}
