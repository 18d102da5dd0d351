/**
 * @file An adapter and the model it sits on: putting it on, switching it, merging it, taking it off. Paths and
 * names are those of the checkpoint. Putting on and taking off exchanges references and costs nothing, so several
 * adapters can take turns on one base model.
 */
import { getModule, getParameter, setModule, setParameter, type Module } from '@camada/nn';
import { InputError, type Tensor } from '@camada/tensor';
import type { LoraLinear } from './lora-linear.ts';
import type { LoraConfig } from './peft/config.ts';

/** A parameter that is trained in full beside LoRA: the model's own and the adapter's copy. */
export interface SavedParameter {
  readonly base: Tensor;
  readonly own: Tensor;
}

/** An adapter on a model. */
export interface LoraAdapter {
  readonly config: LoraConfig;
  /** Wrapped layers by path. */
  readonly layers: ReadonlyMap<string, LoraLinear>;
  /** Parameters of `modules_to_save` by name. */
  readonly saved: ReadonlyMap<string, SavedParameter>;
  /** All that trains, by name: `<path>.lora_A.weight`, `<path>.lora_B.weight`, `classifier.weight`, … */
  readonly trainable: ReadonlyMap<string, Tensor>;
}

/** An adapter's parts, from which the rest follows. */
type Parts = Omit<LoraAdapter, 'trainable'>;

/**
 * Puts finished wrappers and copies into the model, switched on; also an adapter that was taken off. Throws
 * InputError, and changes nothing, when another adapter is in one of its places or it is for another model.
 */
export function attach(model: Module, parts: Parts): LoraAdapter {
  checkDisjoint(parts);
  checkPlaces(model, parts, 'on or off');
  const trainable = new Map<string, Tensor>();
  for (const [path, layer] of parts.layers) {
    setModule(model, path, layer);
    trainable.set(`${path}.lora_A.weight`, layer.lora_A.weight);
    trainable.set(`${path}.lora_B.weight`, layer.lora_B.weight);
  }
  for (const [name, { own }] of parts.saved) trainable.set(name, own);
  const adapter = { ...parts, trainable };
  enableAdapter(model, adapter, true);
  return adapter;
}

/**
 * Switches an adapter on or off; off, the model is the base model, its own head included and merged weights set
 * aside. Throws InputError when the adapter is not on this model.
 */
export function enableAdapter(model: Module, adapter: LoraAdapter, on: boolean): void {
  checkPlaces(model, adapter, 'on');
  for (const layer of adapter.layers.values()) layer.enabled = on;
  for (const [name, { base, own }] of adapter.saved) setParameter(model, name, on ? own : base);
}

/**
 * Takes an adapter off: the model is as it was before, merged weights restored. `attach` puts it back. Throws
 * InputError when another adapter is in its place.
 */
export function removeAdapter(model: Module, adapter: LoraAdapter): void {
  checkPlaces(model, adapter, 'on or off');
  for (const [path, layer] of adapter.layers) {
    layer.unmerge();
    setModule(model, path, layer.base_layer);
  }
  for (const [name, { base }] of adapter.saved) setParameter(model, name, base);
}

/** Adds the update of every layer to its weight, for inference at no extra cost. */
export async function mergeAdapter(adapter: LoraAdapter): Promise<void> {
  for (const layer of adapter.layers.values()) await layer.merge();
}

/** Undoes `mergeAdapter`, bit for bit. */
export function unmergeAdapter(adapter: LoraAdapter): void {
  for (const layer of adapter.layers.values()) layer.unmerge();
}

/**
 * Merges and unwraps: a plain model with the adapter's weights, which can be saved as one. The original weights
 * are kept for as long as the adapter itself is. Throws InputError when the adapter is not on this model.
 */
export async function mergeAndUnload(model: Module, adapter: LoraAdapter): Promise<void> {
  enableAdapter(model, adapter, true);
  await mergeAdapter(adapter);
  for (const [path, layer] of adapter.layers) setModule(model, path, layer.base_layer);
}

/** Throws InputError when a parameter is both inside a wrapped layer and trained in full. */
function checkDisjoint({ layers, saved }: Parts): void {
  for (const path of layers.keys())
    for (const name of saved.keys())
      if (name.startsWith(`${path}.`))
        throw new InputError(
          `LoRA: '${path}' is adapted, but '${name}' inside it is trained in full; choose one of the two`,
        );
}

/** Throws InputError unless every place holds this adapter, or, where it may be off, what it stands in for. */
function checkPlaces(model: Module, { layers, saved }: Parts, state: 'on' | 'on or off'): void {
  for (const [path, layer] of layers) {
    const found = getModule(model, path);
    if (found !== layer && (state === 'on' || found !== layer.base_layer)) throw misplaced(path);
  }
  for (const [name, { base, own }] of saved) {
    const found = getParameter(model, name);
    if (found !== own && found !== base) throw misplaced(name);
  }
}

function misplaced(place: string): InputError {
  return new InputError(
    `LoRA: '${place}' of this model does not belong to the adapter: it is not on this model, or another one is ` +
      'in its place; remove that one, or load the adapter onto this model',
  );
}
