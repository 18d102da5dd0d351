/**
 * @file Putting LoRA on a model: target modules become wrappers, `modules_to_save` get copies that train, and
 * everything else stays frozen. Paths and names are those of the checkpoint.
 */
import {
  getModule,
  getParameter,
  Linear,
  namedModules,
  namedParameters,
  setModule,
  setParameter,
  type Module,
} from '@camada/nn';
import { InputError, tensor, type Tensor } from '@camada/tensor';
import { LoraLinear } from './lora-linear.ts';
import { loraConfig, type LoraConfig, type LoraOptions } from './peft/config.ts';
import { isInside, matchTargets, moduleScale } from './peft/targets.ts';

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

/**
 * Adds a fresh adapter to a model. Throws InputError when a target or a module to save matches nothing, a
 * target is no linear layer, or the config asks for what is not offered (a bias other than 'none').
 * @param seed chooses the initial A.
 */
export async function injectLora(
  model: Module,
  options: LoraOptions,
  seed = 0,
): Promise<LoraAdapter> {
  const config = loraConfig(options);
  checkOffered(config);
  const targets = matchTargets(linearNames(model), config);
  const bases = targets.map((path) => [path, linearAt(model, path)] as const);
  const saved = await copySaved(model, config);
  const layers = new Map<string, LoraLinear>();
  for (const [path, base] of bases) {
    const { r, scale } = moduleScale(path, config);
    const layer = LoraLinear.fromBase(base, path, seed, { r, scale, dropout: config.lora_dropout });
    layers.set(path, layer);
  }
  return attach(model, { config, layers, saved });
}

/** Puts finished wrappers and copies into the model. */
export function attach(model: Module, parts: Omit<LoraAdapter, 'trainable'>): LoraAdapter {
  const trainable = new Map<string, Tensor>();
  for (const [path, layer] of parts.layers) {
    setModule(model, path, layer);
    trainable.set(`${path}.lora_A.weight`, layer.lora_A.weight);
    trainable.set(`${path}.lora_B.weight`, layer.lora_B.weight);
  }
  for (const [name, { own }] of parts.saved) {
    setParameter(model, name, own);
    trainable.set(name, own);
  }
  return { ...parts, trainable };
}

/** Switches an adapter on or off; off, the model is the base model, its own head included. */
export function enableAdapter(model: Module, adapter: LoraAdapter, on: boolean): void {
  for (const layer of adapter.layers.values()) layer.enabled = on;
  for (const [name, { base, own }] of adapter.saved) setParameter(model, name, on ? own : base);
}

/** Takes an adapter off: the model is as it was before. Merged weights are restored. */
export function removeAdapter(model: Module, adapter: LoraAdapter): void {
  enableAdapter(model, adapter, false);
  for (const [path, layer] of adapter.layers) {
    layer.unmerge();
    setModule(model, path, layer.base_layer);
  }
}

/** Adds the update of every layer to its weight, for inference at no extra cost. */
export async function mergeAdapter(adapter: LoraAdapter): Promise<void> {
  for (const layer of adapter.layers.values()) await layer.merge();
}

/** Undoes `mergeAdapter`, bit for bit. */
export function unmergeAdapter(adapter: LoraAdapter): void {
  for (const layer of adapter.layers.values()) layer.unmerge();
}

/** Merges and unwraps: a plain model with the adapter's weights, which can be saved as one. */
export async function mergeAndUnload(model: Module, adapter: LoraAdapter): Promise<void> {
  await mergeAdapter(adapter);
  for (const [path, layer] of adapter.layers) setModule(model, path, layer.base_layer);
}

/** Paths of the layers that LoRA can wrap. */
export function linearNames(model: Module): string[] {
  const names: string[] = [];
  for (const [path, module] of namedModules(model)) if (module instanceof Linear) names.push(path);
  return names;
}

/** The linear layer at a path. Throws InputError when something else is there. */
export function linearAt(model: Module, path: string): Linear {
  const module = getModule(model, path);
  if (module instanceof Linear) return module;
  const what =
    module instanceof LoraLinear ? 'already has an adapter; remove it first' : 'is no linear layer';
  throw new InputError(`LoRA: '${path}' ${what}`);
}

/** Copies of the parameters that `modules_to_save` names, so that the model's own stay as they are. */
async function copySaved(model: Module, config: LoraConfig): Promise<Map<string, SavedParameter>> {
  const saved = new Map<string, SavedParameter>();
  const names = [...namedParameters(model).keys()];
  for (const module of config.modules_to_save ?? []) {
    const inside = names.filter((name) => isInside(name, module));
    if (inside.length === 0)
      throw new InputError(
        `modules_to_save: '${module}' is in no parameter of the model; its modules are ${topModules(names)}`,
      );
    for (const name of inside) saved.set(name, await copy(getParameter(model, name)));
  }
  return saved;
}

async function copy(base: Tensor): Promise<SavedParameter> {
  return { base, own: tensor(await base.data(), base.shape) };
}

function topModules(names: readonly string[]): string {
  return [...new Set(names.map((name) => name.split('.').slice(0, 2).join('.')))]
    .slice(0, 8)
    .join(', ');
}

function checkOffered(config: LoraConfig): void {
  if (config.bias !== 'none')
    throw new InputError(
      `LoRA: bias '${config.bias}' is not offered; use 'none', or full fine-tuning`,
    );
  if (config.fan_in_fan_out)
    throw new InputError(
      'LoRA: fan_in_fan_out is for layers stored as [in, out]; this model has none',
    );
  if (config.init_lora_weights !== true)
    throw new InputError(
      `LoRA: init_lora_weights ${JSON.stringify(config.init_lora_weights)} is not offered for a new adapter; use true`,
    );
}
