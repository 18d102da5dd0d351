/** @file What all runs of a comparison share: the model, its data as token rows, and hidden states below adapted layers. */
import { namedParameters, type HeadModel } from '@camada/nn';
import type { BatchShape } from '../data/batches.ts';
import type { EncodedRows, Row } from '../data/encode.ts';
import type { Split } from '../data/load.ts';
import type { LoadedModel } from '../model/load.ts';
import { buildNetwork, type Network } from '../model/network.ts';
import { entryLayer } from '../prefix/plan.ts';
import { ComputedPrefix, fillStore, type PrefixStore } from '../prefix/store.ts';
import { settingsOf, type Settings } from '../run/options.ts';
import { prepare, startAtMean } from '../run/prepare.ts';
import type { Prefix } from '../train/prefix.ts';
import type { CheckedRecipe } from './recipe.ts';

/** What runs share. */
export interface Ground {
  readonly loaded: LoadedModel;
  readonly settings: Settings;
  /** The untrained network on which layers are ranked. */
  readonly network: Network;
  readonly rows: Split<EncodedRows>;
  readonly shape: BatchShape;
  readonly stores: PrefixStores;
}

/** Reads model and data once. Throws InputError as `finetune` does. */
export async function prepareGround(
  loaded: LoadedModel,
  { data, task, training, methods }: CheckedRecipe,
  note: (text: string) => void,
): Promise<Ground> {
  const settings = settingsOf({
    ...training,
    data,
    samples: 0,
    method: methods[0]!,
    ...(task && { task }),
    onEvent: (event) => event.type === 'note' && note(event.text),
  });
  const { network, rows, maxLength } = await prepare(loaded, settings);
  const shape = { batchSize: settings.batchSize, maxLength };
  const both = [...rows.train.rows, ...rows.test.rows];
  return {
    loaded,
    settings,
    network,
    rows,
    shape,
    stores: new PrefixStores(both, shape, settings),
  };
}

/** A network as a run begins with it. */
export async function freshNetwork(ground: Ground, seed: number): Promise<Network> {
  const { task, labels } = ground.network;
  const network = await buildNetwork(ground.loaded, { task, labels, seed });
  if (task === 'regression') startAtMean(network, ground.rows.train);
  return network;
}

/** Frees the memory of a network that is not wanted any more. */
export function disposeNetwork({ model }: Pick<Network, 'model'>): void {
  for (const parameter of new Set(namedParameters(model).values())) parameter.dispose();
}

/** The inputs of blocks for all rows, for runs of any method and seed: what is below is the same in all of them. */
export class PrefixStores {
  readonly #rows: readonly Row[];
  readonly #shape: BatchShape;
  readonly #settings: Settings;
  readonly #stores = new Map<number, PrefixStore>();

  constructor(rows: readonly Row[], shape: BatchShape, settings: Settings) {
    this.#rows = rows;
    this.#shape = shape;
    this.#settings = settings;
  }

  /** Where the passes of a run begin; undefined for the embeddings. */
  async prefixFor(model: HeadModel, parameters: Iterable<string>): Promise<Prefix | undefined> {
    const { frozenDropout, prefixCache } = this.#settings;
    const layer = entryLayer({
      model,
      parameters,
      frozenDropout,
      prefixCache,
      rows: this.#rows,
      shape: this.#shape,
      note: () => undefined,
    });
    if (layer === 0) return undefined;
    return (await this.#storeAt(model, layer)) ?? new ComputedPrefix(model, layer);
  }

  /** Seconds that looking up has saved in all runs so far. */
  get savedSeconds(): number {
    return [...this.#stores.values()].reduce((sum, store) => sum + store.savedSeconds, 0);
  }

  /** Gives all memory back. */
  dispose(): void {
    for (const store of this.#stores.values()) store.dispose();
    this.#stores.clear();
  }

  /** Budgets hold for all stores together; what is not used longest makes room. */
  async #storeAt(model: HeadModel, layer: number): Promise<PrefixStore | undefined> {
    const { prefixCache } = this.#settings;
    if (prefixCache === false) return undefined;
    const known = this.#stores.get(layer);
    if (known) {
      this.#stores.delete(layer); // the order of the map is that of use
      this.#stores.set(layer, known);
      return known;
    }
    for (;;) {
      const options = this.#left(prefixCache);
      const made = await fillStore({ model, layer, rows: this.#rows, shape: this.#shape, options });
      if (made) {
        this.#stores.set(layer, made);
        return made;
      }
      const [oldest] = this.#stores;
      if (!oldest) return undefined;
      this.#stores.delete(oldest[0]);
      oldest[1].dispose();
    }
  }

  #left(options: Exclude<Settings['prefixCache'], false>): typeof options {
    const { deviceBytes = 2 ** 29, hostBytes = 2 ** 31, diskBytes = 0 } = options;
    const held = (place: PrefixStore['place']): number =>
      [...this.#stores.values()].reduce(
        (sum, store) => sum + (store.place === place ? store.bytes : 0),
        0,
      );
    return {
      ...options,
      deviceBytes: deviceBytes - held('device'),
      hostBytes: hostBytes - held('host'),
      diskBytes: diskBytes - held('disk'),
    };
  }
}
