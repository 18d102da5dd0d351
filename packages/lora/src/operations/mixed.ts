/**
 * @file Different adapters for different rows of a batch (PEFT's `adapter_names`): the A and B of all adapters lie
 * behind each other on the device and each row takes its own, so that one program serves every assignment.
 */
import {
  createContext,
  getModule,
  type Batch,
  Linear,
  setModule,
  type Context,
  type Module,
} from '@camada/nn';
import { InputError, stack, tensor, zeros, type Tensor } from '@camada/tensor';
import { adaptersOf, isActive, layerAt, ownParameter, type Adapter } from '../adapter/adapter.ts';
import { isEmbedding } from '../adapter/base.ts';
import { AdapterLayer } from '../adapter/layer.ts';
import { isLowRank, type Factors, type LayerPart } from '../adapter/part.ts';
import { readSaved } from '../adapter/saved.ts';
import type { RowContext, RowPart } from '../adapter/rows.ts';
import { baseAt } from '../method/add.ts';
import { padded } from './factors.ts';
import { RowEmbedding, RowHead, RowLora } from './row-parts.ts';

/** The name of rows that use the model without adapter. */
export const BASE_ROWS = '__base__';

/** Adapters side by side. */
export class MixedAdapters {
  /** Names that rows may have, beside `BASE_ROWS`. */
  readonly names: readonly string[];
  readonly #model: Module;
  readonly #parts: ReadonlyMap<AdapterLayer, RowPart & { dispose(): void }>;
  readonly #heads: readonly string[];

  /** Use `mixAdapters`. */
  constructor(
    model: Module,
    names: readonly string[],
    parts: ReadonlyMap<AdapterLayer, RowPart & { dispose(): void }>,
    heads: readonly string[],
  ) {
    this.#model = model;
    this.names = names;
    this.#parts = parts;
    this.#heads = heads;
  }

  /** Numbers of adapters, i32 [B], from a name for each row: an input of the step. Throws InputError on an unknown name. */
  rows(names: readonly string[]): Tensor {
    const numbers = names.map((name) => (name === BASE_ROWS ? 0 : this.names.indexOf(name) + 1));
    const wrong = names.find((name, i) => name !== BASE_ROWS && numbers[i] === 0);
    if (wrong !== undefined)
      throw new InputError(
        `mixed batch: '${wrong}' is not among ${[...this.names, BASE_ROWS].join(', ')}`,
      );
    return tensor(Int32Array.from(numbers), [numbers.length], 'i32');
  }

  /**
   * The context of a pass over a batch whose row i uses adapter `rows[i]`; which adapters are switched on does not
   * matter then. Throws InputError when batch and rows differ in number, in training (gradients would reach copies), and
   * when an adapter that is not among these is on and would act on every row. The pass throws it while one is merged.
   */
  context({ inputIds }: Batch, rows: Tensor, context: Context = createContext()): RowContext {
    const [count, length = 0] = inputIds.shape;
    if (context.training)
      throw new InputError(
        'mixed batch: rows of different adapters are for inference, not training',
      );
    if (rows.rank !== 1 || rows.shape[0] !== count)
      throw new InputError(
        `mixed batch: ${rows.size} names of adapters for ${count} rows; give one for each`,
      );
    this.#checkOthers();
    return { ...context, adapterRows: { rows, length, parts: this.#parts } };
  }

  #checkOthers(): void {
    for (const adapter of adaptersOf(this.#model).values()) {
      const { name, saved, method } = adapter;
      if (this.names.includes(name)) continue;
      // Norms, blocks and prompts do not ask which row they serve.
      if (!mixes(adapter) && isActive(this.#model, adapter))
        throw new InputError(
          `mixed batch: '${name}' (${method.peftType}) is switched on and would act on every row; switch it off`,
        );
      for (const [key, { own }] of saved)
        if (readSaved(this.#model, key) === own)
          throw new InputError(
            `mixed batch: '${name}' is switched on and has its own '${key}' in the model; switch it off`,
          );
    }
  }

  /** Frees the copies and unwraps what was wrapped. */
  dispose(): void {
    for (const part of this.#parts.values()) part.dispose();
    for (const path of this.#heads) {
      const layer = getModule(this.#model, path);
      if (layer instanceof AdapterLayer && layer.parts.size === 0)
        setModule(this.#model, path, layer.base_layer);
    }
  }
}

/**
 * Copies adapters of a model side by side, as they are now; ranks are filled with zeros to the largest. LoRA, VeRA and AdaLoRA on
 * linear layers and embeddings, and linear heads in `modules_to_save`, mix. Throws InputError on other adapters.
 */
export async function mixAdapters(model: Module, names: readonly string[]): Promise<MixedAdapters> {
  const adapters = names.map((name) => adapterOf(model, name));
  const parts = new Map<AdapterLayer, RowPart & { dispose(): void }>();
  const paths = new Set(adapters.flatMap(({ layers }) => [...layers.keys()]));
  const heads = new Set(adapters.flatMap(({ saved }) => [...saved.keys()].map(ownerOf)));
  for (const path of heads) checkHead(model, path, paths);
  for (const path of paths) {
    const part = await rowPart(model, path, adapters);
    if (part) parts.set(layerAt(model, path), part);
  }
  for (const path of heads) parts.set(layerAt(model, path), await rowHead(model, path, adapters));
  return new MixedAdapters(model, names, parts, [...heads]);
}

function adapterOf(model: Module, name: string): Adapter {
  const adapter = adaptersOf(model).get(name);
  if (!adapter)
    throw new InputError(
      `mixed batch: the model has no adapter '${name}'; it has ${[...adaptersOf(model).keys()].join(', ') || 'none'}`,
    );
  if (mixes(adapter)) return adapter;
  throw new InputError(
    `mixed batch: '${name}' (${adapter.method.peftType}) adds no update s·B·A; run its rows as a batch of their own`,
  );
}

/** True for an adapter that is updates s·B·A of layers alone. */
function mixes({ part, layers }: Adapter): boolean {
  return !part && [...layers.values()].every(isLowRank);
}

async function rowPart(
  model: Module,
  path: string,
  adapters: readonly Adapter[],
): Promise<RowLora | RowEmbedding | undefined> {
  const layer = layerAt(model, path);
  // DeBERTa's projections of positions pass through here too, and belong to no row.
  if (/^deberta\..*(query|key)_proj$/.test(path))
    throw new InputError(
      `mixed batch: '${path}' also projects relative positions, which belong to no row; run the adapters in turn`,
    );
  const table = isEmbedding(layer.base_layer);
  const factors = adapters.map(({ layers }) => factorsOf(layers.get(path)));
  const rank = Math.max(...factors.map((found) => found?.A.shape[0] ?? 0));
  const like = factors.find((found) => found !== undefined);
  if (!like) return undefined;
  const all = [undefined, ...factors].map((found) => padded(found ?? nothing(like), rank));
  const stacks = {
    A: await stack(all.map(({ A }) => (table ? A.transpose() : A))).realize(),
    B: await stack(all.map(({ B }) => B)).realize(),
    scales: tensor(all.map(({ scale }) => scale)),
  };
  return table ? new RowEmbedding(stacks) : new RowLora(stacks);
}

function factorsOf(part: LayerPart | undefined): Factors | undefined {
  const factors = part && isLowRank(part) ? part.factors() : undefined;
  return factors && factors.A.size > 0 ? factors : undefined; // AdaLoRA may have given a layer up
}

/** The factors of no update. */
function nothing({ A, B }: Factors): Factors {
  return { A: zeros([1, A.shape[1]!]), B: zeros([B.shape[0]!, 1]), scale: 0 };
}

function ownerOf(name: string): string {
  return name.slice(0, name.lastIndexOf('.'));
}

function checkHead(model: Module, path: string, adapted: ReadonlySet<string>): void {
  const base = baseAt(model, path);
  if (base instanceof Linear && !adapted.has(path)) return;
  throw new InputError(
    `mixed batch: an adapter trains '${path}' in full, which is mixed only in linear layers that no adapter adapts; ` +
      'run its rows as a batch of their own',
  );
}

async function rowHead(
  model: Module,
  path: string,
  adapters: readonly Adapter[],
): Promise<RowHead> {
  const layer = layerAt(model, path);
  const { base_layer: base } = layer;
  const all = async (end: 'weight' | 'bias'): Promise<Tensor> => {
    const name = `${path}.${end}`;
    const own = ownParameter(model, name);
    return stack([own, ...adapters.map(({ saved }) => saved.get(name)?.own ?? own)]).realize();
  };
  const weight = await all('weight'); // [N + 1, out, in]
  const bias = 'bias' in base && base.bias ? await all('bias') : undefined;
  return new RowHead(weight, bias);
}
