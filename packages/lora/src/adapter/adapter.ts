/**
 * @file An adapter and the model it sits on: putting it on, switching it, merging it, taking it off. An adapter has a
 * name (PEFT's `adapter_name`); a model carries any number of adapters with different names, each of them a part in
 * every layer that it adapts. Putting on, switching and taking off exchange references and cost nothing.
 */
import { getModule, setModule, type Module } from '@camada/nn';
import { InputError, type Tensor } from '@camada/tensor';
import type { PeftConfig } from '../peft/common.ts';
import type { Method } from '../method/method.ts';
import { AdapterLayer } from './layer.ts';
import type { BaseLayer } from './base.ts';
import type { LayerPart, ModelPart } from './part.ts';
import { placeSaved, readSaved, tiedEmbedding, type SavedParameter } from './saved.ts';

/** An adapter's parts, from which the rest follows. */
export interface AdapterParts<C extends PeftConfig = PeftConfig> {
  /** PEFT's `adapter_name`, unique on a model; `default` when none is given. */
  readonly name: string;
  readonly method: Method;
  readonly config: C;
  /** What it adds to layers, by path. */
  readonly layers: ReadonlyMap<string, LayerPart>;
  /** Tensors that its layers share and that are stored once, by key; they do not train. */
  readonly shared: ReadonlyMap<string, Tensor>;
  /** What it adds to the model as a whole. */
  readonly part: ModelPart | undefined;
  /** Parameters that train in full (`modules_to_save`, biases), by name. */
  readonly saved: ReadonlyMap<string, SavedParameter>;
}

/** An adapter. */
export interface Adapter<C extends PeftConfig = PeftConfig> extends AdapterParts<C> {
  /** All that trains, by name: `<path>.lora_A.weight`, `prompt_embeddings`, `classifier.weight`, … */
  readonly trainable: ReadonlyMap<string, Tensor>;
}

const ON_MODEL = new WeakMap<Module, Map<string, Adapter>>();

/** The adapters on a model by name, in the order in which they were put on. */
export function adaptersOf(model: Module): ReadonlyMap<string, Adapter> {
  return ON_MODEL.get(model) ?? new Map();
}

/** The model's own parameter of a checkpoint's name, whatever adapters have put in its place. Throws InputError. */
export function ownParameter(model: Module, name: string): Tensor {
  for (const { saved } of adaptersOf(model).values()) {
    const kept = saved.get(name);
    if (kept) return kept.base;
  }
  return readSaved(model, name);
}

/**
 * Puts finished parts, or an adapter that was taken off, onto a model and switches it on and the others there off.
 * Throws InputError, and changes nothing, when its name is taken or it is for another model.
 */
export function attach<C extends PeftConfig>(model: Module, parts: AdapterParts<C>): Adapter<C> {
  checkNew(model, parts);
  const adapter: Adapter<C> = { ...parts, trainable: trainableOf(parts) };
  for (const [path, part] of parts.layers) layerAt(model, path).add(parts.name, part);
  const known = ON_MODEL.get(model) ?? new Map<string, Adapter>();
  ON_MODEL.set(model, known.set(parts.name, adapter));
  setActiveAdapters(model, [parts.name]);
  return adapter;
}

/** The wrapper at a path, made where there is none. */
export function layerAt(model: Module, path: string): AdapterLayer {
  const found = getModule(model, path);
  if (found instanceof AdapterLayer) return found;
  const layer = new AdapterLayer(found as BaseLayer);
  setModule(model, path, layer);
  return layer;
}

function trainableOf({ layers, part, saved }: AdapterParts): Map<string, Tensor> {
  const trainable = new Map<string, Tensor>();
  for (const [path, { tensors, frozen }] of layers)
    for (const [suffix, value] of tensors)
      if (!frozen?.has(suffix)) trainable.set(`${path}.${suffix}`, value);
  for (const [name, value] of part?.trainable ?? part?.tensors ?? []) trainable.set(name, value);
  for (const [name, { own }] of saved) trainable.set(name, own);
  return trainable;
}

/** Switches on the adapters of these names and all others off; none gives the base model. Throws InputError. */
export function setActiveAdapters(model: Module, names: readonly string[]): void {
  const known = adaptersOf(model);
  for (const name of names)
    if (!known.has(name))
      throw new InputError(
        `the model has no adapter '${name}'; it has ${[...known.keys()].join(', ') || 'none'}`,
      );
  for (const adapter of known.values()) switchAdapter(model, adapter, false);
  for (const name of names) switchAdapter(model, known.get(name)!, true);
}

/**
 * Switches an adapter on or off; off, the model is what it was before, its own head included and merged weights set
 * aside. Throws InputError when the adapter is not on this model.
 */
export function enableAdapter(model: Module, adapter: Adapter, on: boolean): void {
  checkOn(model, adapter);
  switchAdapter(model, adapter, on);
}

const MODEL_PARTS_ON = new WeakSet<ModelPart>();

function switchAdapter(model: Module, adapter: Adapter, on: boolean): void {
  const { name, layers, part, saved } = adapter;
  for (const path of layers.keys()) layerAt(model, path).enable(name, on);
  for (const [key, { base, own }] of saved)
    if (on || readSaved(model, key) === own) placeSaved(model, key, on ? own : base);
  if (!part || MODEL_PARTS_ON.has(part) === on) return;
  if (on) part.attach(model);
  else part.detach(model);
  if (on) MODEL_PARTS_ON.add(part);
  else MODEL_PARTS_ON.delete(part);
}

/**
 * Takes an adapter off: the model is as it was before, merged weights restored. `attach` puts it back. Throws
 * InputError when the adapter is not on this model.
 */
export function removeAdapter(model: Module, adapter: Adapter): void {
  checkOn(model, adapter);
  switchAdapter(model, adapter, false);
  for (const path of adapter.layers.keys()) {
    const layer = layerAt(model, path);
    layer.remove(adapter.name);
    if (layer.parts.size === 0) setModule(model, path, layer.base_layer);
  }
  ON_MODEL.get(model)?.delete(adapter.name);
}

/** True while an adapter that is on this model is switched on, in a layer or in the model itself. */
export function isActive(model: Module, { name, layers, part }: Adapter): boolean {
  if (part && MODEL_PARTS_ON.has(part)) return true;
  return [...layers.keys()].some((path) => layerAt(model, path).isEnabled(name));
}

/** The wrapped layers of a model by path that hold a part of the adapter. Throws InputError when it is not on this model. */
export function adapterLayers(model: Module, adapter: Adapter): Map<string, AdapterLayer> {
  checkOn(model, adapter);
  return new Map([...adapter.layers.keys()].map((path) => [path, layerAt(model, path)]));
}

/**
 * Puts weights that hold the adapters in use in the place of the layers' own, for inference at no extra cost. Throws
 * InputError when the adapter is not on this model or cannot be merged.
 */
export async function mergeAdapter(model: Module, adapter: Adapter): Promise<void> {
  const layers = adapterLayers(model, adapter);
  checkMergeable(model, adapter);
  for (const layer of layers.values()) await layer.merge();
}

/** Undoes `mergeAdapter`, bit for bit. Throws InputError when the adapter is not on this model. */
export function unmergeAdapter(model: Module, adapter: Adapter): void {
  for (const layer of adapterLayers(model, adapter).values()) layer.unmerge();
}

/**
 * Merges and unwraps: a plain model with the adapter's weights, which can be saved as one. The original weights
 * are kept for as long as the adapter itself is. Throws InputError when the adapter is not on this model, another one
 * is too, or it cannot be merged.
 */
export async function mergeAndUnload(model: Module, adapter: Adapter): Promise<void> {
  const layers = adapterLayers(model, adapter);
  checkAlone(model, adapter);
  enableAdapter(model, adapter, true);
  await mergeAdapter(model, adapter);
  for (const [path, layer] of layers) setModule(model, path, layer.base_layer);
  ON_MODEL.get(model)?.delete(adapter.name);
}

function checkAlone(model: Module, adapter: Adapter): void {
  const others = [...adaptersOf(model).keys()].filter((name) => name !== adapter.name);
  if (others.length > 0)
    throw new InputError(
      `the model also carries ${others.join(', ')}; remove them, or combine the adapters into one first`,
    );
}

function checkMergeable(model: Module, { part, layers, method }: Adapter): void {
  if (part)
    throw new InputError(
      `${method.peftType} changes how the model is called and cannot be merged into its weights`,
    );
  const tied = tiedEmbedding(model);
  if (tied !== undefined && layers.has(tied.replace(/\.weight$/, '')))
    throw new InputError(
      `'${tied}' is also the output layer (tied weights), which the adapter does not change, so it cannot be merged`,
    );
}

/** Throws InputError when parts cannot be put on. */
function checkNew(model: Module, { name, layers, saved, method }: AdapterParts): void {
  if (adaptersOf(model).has(name))
    throw new InputError(
      `the model already has an adapter named '${name}'; remove it first, or give the new one another name`,
    );
  for (const path of layers.keys()) {
    const found = getModule(model, path);
    const base = found instanceof AdapterLayer ? found.base_layer : found;
    if (method.kind === 'layers' && !method.wraps(base))
      throw new InputError(`${method.peftType}: '${path}' is no layer that it can sit on`);
    for (const key of saved.keys())
      if (key.startsWith(`${path}.`) && !key.endsWith('.bias'))
        throw new InputError(
          `${method.peftType}: '${path}' is adapted, but '${key}' inside it is trained in full; choose one of the two`,
        );
  }
  for (const [key, { base }] of saved) if (ownParameter(model, key) !== base) throw misplaced(key);
}

function checkOn(model: Module, adapter: Adapter): void {
  const found = adaptersOf(model).get(adapter.name);
  if (found?.layers !== adapter.layers) throw misplaced(adapter.name);
}

function misplaced(place: string): InputError {
  return new InputError(
    `'${place}' of this model does not belong to the adapter: it is not on this model, or another one is ` +
      'in its place; remove that one, or load the adapter onto this model',
  );
}

/** How many numbers an adapter adds to its model; copies that stand in for the model's own parameters not counted. */
export function addedNumbers({ layers, shared, part }: Adapter): number {
  const added = [...layers.values()].flatMap(({ tensors }) => [...tensors.values()]);
  added.push(...shared.values(), ...(part?.trainable ?? part?.tensors ?? new Map()).values());
  return added.reduce((sum, { size }) => sum + size, 0);
}
