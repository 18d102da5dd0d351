/**
 * @file A fresh adapter on a model: matched modules get a part, `modules_to_save` and biases get copies that train,
 * and everything else stays frozen.
 */
import { getModule, namedModules, type Module } from '@camada/nn';
import { InputError } from '@camada/tensor';
import { adaptersOf, attach, ownParameter, type Adapter } from '../adapter/adapter.ts';
import { isLinear, isTransposed, type BaseLayer } from '../adapter/base.ts';
import { AdapterLayer } from '../adapter/layer.ts';
import type { LayerPart } from '../adapter/part.ts';
import { biasNames, copySaved, savedNames } from '../adapter/saved.ts';
import { loraConfig, type LoraConfig, type LoraOptions } from '../lowrank/config.ts';
import { LORA } from '../lowrank/lora.ts';
import { ALL_LINEAR, matchTargets } from '../peft/targets.ts';
import type { LayerConfig, PeftConfig } from '../peft/common.ts';
import type { LayerMethod, ModelMethod } from './method.ts';

/** How a fresh adapter is made. */
export interface AddOptions {
  /** PEFT's `adapter_name`; `default` when left out. */
  readonly name?: string;
  /** Chooses the initial numbers, with the path of the layer; 0 when left out. */
  readonly seed?: number;
}

/**
 * Adds a fresh adapter on layers. Throws InputError, and changes nothing, when a target or a module to save matches
 * nothing, the name is taken, or the config asks for what is not offered.
 */
export async function addAdapter<C extends LayerConfig>(
  model: Module,
  method: LayerMethod<C>,
  given: C,
  { name = 'default', seed = 0 }: AddOptions = {},
): Promise<Adapter<C>> {
  checkName(model, name);
  const bases = targetsOf(model, method, given);
  const transposed = [...bases.values()].some(isTransposed);
  if (given.fan_in_fan_out && !transposed)
    throw new InputError(
      `${method.peftType}: fan_in_fan_out is for layers stored as [in, out]; this model has none`,
    );
  const config: C = { ...given, fan_in_fan_out: transposed }; // as PEFT sets it
  const names = [...savedNames(model, config), ...biasNames(model, config.bias, bases.keys())];
  const shared = method.share?.(bases, config, seed) ?? new Map();
  const layers = new Map<string, LayerPart>();
  for (const [path, base] of bases)
    layers.set(path, await method.fresh({ path, base, config, shared }, seed));
  const saved = await copySaved(names, (key) => ownParameter(model, key));
  return attach(model, { name, method, config, layers, shared, part: undefined, saved });
}

/** Adds a fresh adapter on a whole model. Throws InputError, and changes nothing, when the model cannot carry it. */
export async function addModelAdapter<C extends PeftConfig>(
  model: Module,
  method: ModelMethod<C>,
  config: C,
  { name = 'default', seed = 0 }: AddOptions = {},
): Promise<Adapter<C>> {
  checkName(model, name);
  const saved = await copySaved(savedNames(model, config), (key) => ownParameter(model, key));
  const part = await method.fresh(model, config, seed);
  return attach(model, {
    name,
    method,
    config,
    layers: new Map(),
    shared: new Map(),
    part,
    saved,
  });
}

/** Adds a fresh LoRA adapter named `default`. Throws as `addAdapter` does. */
export async function injectLora(
  model: Module,
  options: LoraOptions,
  seed = 0,
): Promise<Adapter<LoraConfig>> {
  return addAdapter(model, LORA, loraConfig(options), { seed });
}

function targetsOf<C extends LayerConfig>(
  model: Module,
  method: LayerMethod<C>,
  config: C,
): Map<string, BaseLayer> {
  const allLinear = config.target_modules === ALL_LINEAR;
  const candidates = layerNames(model, (module) => {
    return method.wraps(module) && (!allLinear || isLinear(module));
  });
  const paths = matchTargets(candidates, config);
  return new Map(paths.map((path) => [path, baseAt(model, path)]));
}

/** Paths of the modules that pass a test; a wrapped one counts as what it wraps. */
export function layerNames(model: Module, test: (module: Module) => boolean): string[] {
  const names: string[] = [];
  const wrapped = new Set<Module>();
  for (const [path, module] of namedModules(model)) {
    const base = module instanceof AdapterLayer ? module.base_layer : module;
    if (base !== module) wrapped.add(base);
    else if (wrapped.has(module)) continue;
    if (test(base)) names.push(path);
  }
  return names;
}

/** Paths of the linear layers, wrapped or not. */
export function linearNames(model: Module): string[] {
  return layerNames(model, isLinear);
}

/** The layer at a path, without a wrapper. Throws InputError when there is none. */
export function baseAt(model: Module, path: string): BaseLayer {
  const found = getModule(model, path);
  return found instanceof AdapterLayer ? found.base_layer : (found as BaseLayer);
}

function checkName(model: Module, name: string): void {
  if (!/^[\w-]+$/.test(name))
    throw new InputError(
      `'${name}' is no name for an adapter; use letters, digits, - and _, since it names a folder`,
    );
  if (adaptersOf(model).has(name))
    throw new InputError(
      `the model already has an adapter named '${name}'; remove it first, or give the new one another name`,
    );
}
