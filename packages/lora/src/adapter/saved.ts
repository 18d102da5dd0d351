/**
 * @file Parameters that train in full beside an adapter: those of `modules_to_save`, and biases. The adapter holds
 * copies, so that the model's own stay as they are. Names are the checkpoint's, also inside wrapped layers.
 */
import {
  CausalLM,
  getParameter,
  MaskedHead,
  namedParameters,
  setParameter,
  type Module,
} from '@camada/nn';
import { InputError, tensor, type Tensor } from '@camada/tensor';
import type { BiasChoice, PeftConfig } from '../peft/common.ts';
import { isInside } from '../peft/targets.ts';

/** A parameter that is trained in full: the model's own and the adapter's copy. */
export interface SavedParameter {
  readonly base: Tensor;
  readonly own: Tensor;
}

const BASE = '.base_layer.';

/** A model's parameters by their names in the checkpoint, whether layers are wrapped or not. */
export function checkpointParameters(model: Module): Map<string, Tensor> {
  return new Map(
    [...namedParameters(model)].map(([name, value]) => [name.replaceAll(BASE, '.'), value]),
  );
}

/** The parameter of a checkpoint's name. Throws InputError when there is none. */
export function readSaved(model: Module, name: string): Tensor {
  return getParameter(model, placeOf(model, name));
}

/** Puts a tensor in the place of the parameter of a checkpoint's name. Throws InputError or ShapeError. */
export function placeSaved(model: Module, name: string, value: Tensor): void {
  setParameter(model, placeOf(model, name), value);
}

/** Where in the tree a parameter is: inside `base_layer` where its layer is wrapped. */
function placeOf(model: Module, name: string): string {
  const dot = name.lastIndexOf('.');
  const wrapped = `${name.slice(0, dot)}${BASE}${name.slice(dot + 1)}`;
  return namedParameters(model).has(wrapped) ? wrapped : name;
}

/** Copies of parameters; `read` gives the model's own by name. */
export async function copySaved(
  names: Iterable<string>,
  read: (name: string) => Tensor,
): Promise<Map<string, SavedParameter>> {
  const saved = new Map<string, SavedParameter>();
  for (const name of names) {
    const base = read(name);
    saved.set(name, { base, own: tensor(await base.data(), base.shape) });
  }
  return saved;
}

/** PEFT names both heads in every sequence classifier's config; the model has one of them. */
const EITHER_HEAD: readonly string[] = ['classifier', 'score'];

/** Names of the parameters in `modules_to_save`. Throws InputError when a module is not there or its weight is tied. */
export function savedNames(model: Module, { modules_to_save }: PeftConfig): Set<string> {
  const all = [...checkpointParameters(model).keys()];
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
  const names = new Set(modules.flatMap(within));
  checkUntied(model, names);
  return names;
}

/** Names of the biases that train: all of the model's, or those of the adapted layers. */
export function biasNames(model: Module, bias: BiasChoice, paths: Iterable<string>): string[] {
  if (bias === 'none') return [];
  const all = [...checkpointParameters(model).keys()].filter((name) => /(^|\.)bias$/.test(name));
  if (bias === 'all') return all;
  const own = new Set([...paths].map((path) => `${path}.bias`));
  return all.filter((name) => own.has(name));
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

/** Name of the embedding that is also the output layer; undefined without one. */
export function tiedEmbedding(model: Module): string | undefined {
  return model instanceof CausalLM || model instanceof MaskedHead ? model.tiedEmbedding : undefined;
}

function topModules(names: readonly string[]): string {
  return [...new Set(names.map((name) => name.split('.').slice(0, 2).join('.')))]
    .slice(0, 8)
    .join(', ');
}
