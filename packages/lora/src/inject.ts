/**
 * @file A fresh adapter on a model: target modules become wrappers, `modules_to_save` get copies that train, and
 * everything else stays frozen.
 */
import {
  CausalLM,
  Conv1D,
  getModule,
  getParameter,
  Linear,
  MaskedHead,
  namedModules,
  namedParameters,
  type Module,
} from '@camada/nn';
import { InputError, tensor, type Tensor } from '@camada/tensor';
import { attach, type LoraAdapter, type SavedParameter } from './adapter.ts';
import { LoraLinear, type BaseLayer } from './lora-linear.ts';
import { loraConfig, type LoraConfig, type LoraOptions } from './peft/config.ts';
import { isInside, matchTargets, moduleScale } from './peft/targets.ts';

/**
 * Adds a fresh adapter to a model, which computes what it did before: B is zero. Throws InputError, and changes
 * nothing, when a target or a module to save matches nothing, a target has an adapter already, or the config asks
 * for what is not offered (a bias other than 'none', another beginning than PEFT's default).
 * @param seed chooses the initial A.
 */
export async function injectLora(
  model: Module,
  options: LoraOptions,
  seed = 0,
): Promise<LoraAdapter> {
  const given = loraConfig(options);
  const targets = matchTargets(linearNames(model), given);
  const bases = targets.map((path) => [path, linearAt(model, path)] as const);
  const transposed = bases.some(([, base]) => base instanceof Conv1D);
  checkOffered(given, transposed);
  const config = { ...given, fan_in_fan_out: transposed }; // as PEFT sets it
  const saved = await copySaved(model, config);
  const layers = new Map<string, LoraLinear>();
  for (const [path, base] of bases) {
    const { r, scale } = moduleScale(path, config);
    const layer = LoraLinear.fromBase(base, path, seed, { r, scale, dropout: config.lora_dropout });
    layers.set(path, layer);
  }
  return attach(model, { config, layers, saved });
}

/** Paths of the linear layers; one that has an adapter already counts as one. */
export function linearNames(model: Module): string[] {
  const names: string[] = [];
  const wrapped = new Set<Module>();
  for (const [path, module] of namedModules(model)) {
    if (module instanceof LoraLinear) wrapped.add(module.base_layer);
    else if (!isBase(module) || wrapped.has(module)) continue;
    names.push(path);
  }
  return names;
}

/** The linear layer at a path. Throws InputError when something else is there. */
export function linearAt(model: Module, path: string): BaseLayer {
  const module = getModule(model, path);
  if (isBase(module)) return module;
  const what =
    module instanceof LoraLinear ? 'already has an adapter; remove it first' : 'is no linear layer';
  throw new InputError(`LoRA: '${path}' ${what}`);
}

function isBase(module: Module): module is BaseLayer {
  return module instanceof Linear || module instanceof Conv1D;
}

/**
 * Throws InputError when one of the parameters is an embedding that is also the output layer: PEFT trains a copy
 * for the embedding alone, so the same file would mean another model there.
 */
export function checkUntied(model: Module, names: Iterable<string>): void {
  const tied = tiedEmbedding(model);
  for (const name of names)
    if (name === tied)
      throw new InputError(
        `modules_to_save: '${name}' is also the output layer (tied weights), which is not offered; leave it out, ` +
          'or use full fine-tuning',
      );
}

function tiedEmbedding(model: Module): string | undefined {
  return model instanceof CausalLM || model instanceof MaskedHead ? model.tiedEmbedding : undefined;
}

/** Copies of the parameters that `modules_to_save` names, so that the model's own stay as they are. */
async function copySaved(model: Module, config: LoraConfig): Promise<Map<string, SavedParameter>> {
  const names = savedNames(model, config);
  checkUntied(model, names);
  const saved = new Map<string, SavedParameter>();
  for (const name of names) saved.set(name, await copy(getParameter(model, name)));
  return saved;
}

/** PEFT names both heads in every sequence classifier's config; the model has one of them. */
const EITHER_HEAD: readonly string[] = ['classifier', 'score'];

function savedNames(model: Module, { modules_to_save }: LoraConfig): Set<string> {
  const all = [...namedParameters(model).keys()];
  const within = (module: string): string[] => all.filter((name) => isInside(name, module));
  const modules = modules_to_save ?? [];
  const bothHeads = EITHER_HEAD.every((head) => modules.includes(head));
  const head = EITHER_HEAD.some((name) => within(name).length > 0);
  for (const module of modules) {
    if (within(module).length > 0 || (bothHeads && head && EITHER_HEAD.includes(module))) continue;
    throw new InputError(
      `modules_to_save: '${module}' is in no parameter of the model; its modules are ${topModules(all)}`,
    );
  }
  return new Set(modules.flatMap(within));
}

async function copy(base: Tensor): Promise<SavedParameter> {
  return { base, own: tensor(await base.data(), base.shape) };
}

function topModules(names: readonly string[]): string {
  return [...new Set(names.map((name) => name.split('.').slice(0, 2).join('.')))]
    .slice(0, 8)
    .join(', ');
}

/** Throws InputError when biases are to be trained: the adapter's numbers depend on them. */
export function checkBias({ bias }: LoraConfig): void {
  if (bias !== 'none')
    throw new InputError(
      `LoRA: bias '${bias}' is not offered; use 'none' with modules_to_save, or full fine-tuning`,
    );
}

function checkOffered(config: LoraConfig, transposed: boolean): void {
  checkBias(config);
  if (config.fan_in_fan_out && !transposed)
    throw new InputError(
      'LoRA: fan_in_fan_out is for layers stored as [in, out]; this model has none',
    );
  if (config.init_lora_weights !== true)
    throw new InputError(
      `LoRA: init_lora_weights ${JSON.stringify(config.init_lora_weights)} is not offered for a new adapter; use true`,
    );
}
