/**
 * @file Which parameters train. The classifier always does. LoRA leaves a pretrained pooler frozen, as PEFT does,
 * and trains (and stores) a fresh one; the methods head and full train it either way, since it was made for
 * another task.
 */
import { InputError, type Tensor } from '@camada/tensor';
import { namedParameters, packedLayers, type HeadModel } from '@camada/nn';
import {
  defaultTargets,
  injectLora,
  isInside,
  linearNames,
  loraConfig,
  matchTargets,
  type Adapter,
  type LoraConfig,
  type LoraOptions,
} from '@camada/lora';
import { headModules } from '../model/head.ts';
import type { Network } from '../model/network.ts';
import type { LoraSettings, Method } from './method.ts';

/** What trains. */
export interface Trainable {
  /** Parameters by name; everything else is frozen. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** The adapter they belong to; undefined for the methods without one. */
  readonly adapter: Adapter<LoraConfig> | undefined;
}

/** What the choice is made from. */
export interface TrainableOptions {
  readonly method: Method;
  /** Numbers of the chosen layers. */
  readonly layers: readonly number[];
  /** Seed of the adapter's initial values. */
  readonly seed: number;
  /** Recorded in the adapter. */
  readonly baseName: string;
}

/** Prepares a network for training. Throws InputError when the method finds nothing to train. */
export async function prepareTraining(
  network: Network,
  { method, layers, seed, baseName }: TrainableOptions,
): Promise<Trainable> {
  if (method.type === 'lora') {
    const options = loraOptions(network, method, layers, baseName);
    const adapter = await injectLora(network.model, options, seed);
    return { parameters: adapter.trainable, adapter };
  }
  const parameters =
    method.type === 'head' ? headParameters(network) : fullParameters(network.model, layers);
  return { parameters, adapter: undefined };
}

/** Throws InputError when LoRA's settings cannot be or its targets match no module, or there is no head to train. */
export function checkMethodFits(network: Network, method: Method): void {
  if (method.type === 'head') headParameters(network);
  if (method.type === 'full') checkPlain(network.model);
  if (method.type !== 'lora') return;
  const all = network.model.layers.map(({ index }) => index);
  matchTargets(linearNames(network.model), loraConfig(loraOptions(network, method, all, '')));
}

/** Throws InputError when weights are packed: they cannot be updated. */
function checkPlain(model: HeadModel): void {
  const packed = packedLayers(model);
  const [first] = packed.values();
  if (first)
    throw new InputError(
      `full fine-tuning changes all weights, but ${packed.size} layers are packed as ${first.packed.parts.format}: ` +
        'load the model with dequantize (--dequantize) and without quantize, or choose lora.',
    );
}

function loraOptions(
  network: Network,
  settings: LoraSettings,
  layers: readonly number[],
  baseName: string,
): LoraOptions {
  const { model, task } = network;
  const saved = modulesToSave(network);
  const targets = targetsOf(model, settings);
  return {
    task_type: task === 'causal-lm' ? 'CAUSAL_LM' : 'SEQ_CLS',
    base_model_name_or_path: baseName,
    r: settings.r ?? 8,
    lora_alpha: settings.alpha ?? 16,
    lora_dropout: settings.dropout ?? 0,
    use_rslora: settings.rslora ?? false,
    modules_to_save: saved.length > 0 ? saved : null,
    ...inLayers(model, targets, layers),
  };
}

/** PEFT takes layer numbers with a list of names only; a pattern is resolved to full paths. */
function inLayers(
  model: HeadModel,
  targets: readonly string[] | string,
  layers: readonly number[],
): Pick<LoraOptions, 'target_modules' | 'layers_to_transform'> {
  if (layers.length === model.layers.length) return { target_modules: targets };
  if (typeof targets !== 'string')
    return { target_modules: targets, layers_to_transform: [...layers] };
  const chosen = layers.map((i) => model.layers[i]!.name);
  const paths = matchTargets(linearNames(model), {
    target_modules: targets,
    exclude_modules: null,
    layers_to_transform: null,
    layers_pattern: null,
    modules_to_save: null,
  }).filter((path) => chosen.some((layer) => path.startsWith(`${layer}.`)));
  if (paths.length > 0) return { target_modules: paths };
  throw new InputError(
    `target_modules: the pattern "${targets}" matches no module of the layers ${layers.join(', ')}.`,
  );
}

function targetsOf(model: HeadModel, { targets }: LoraSettings): readonly string[] | string {
  return targets ?? defaultTargets(model.config.model_type);
}

function modulesToSave({ model, fresh, task }: Network): string[] {
  if (task === 'causal-lm') return [];
  const { outputs, others } = headModules(model);
  return [...outputs, ...others.filter((module) => fresh.some((name) => isInside(name, module)))];
}

/** Classifier and pooler, or `lm_head`. */
function headParameters({ model, task }: Network): Map<string, Tensor> {
  const prefixes = task === 'causal-lm' ? ['lm_head.'] : model.headPrefixes;
  const found = pick(model, (name) => prefixes.some((prefix) => name.startsWith(prefix)));
  if (found.size > 0) return found;
  throw new InputError(
    "The method 'head' finds no head to train: this model's output is tied to its embeddings; use lora or full.",
  );
}

/** Chosen layers and the head; with all layers, the whole model. */
function fullParameters(model: HeadModel, layers: readonly number[]): Map<string, Tensor> {
  if (layers.length === model.layers.length) return namedParameters(model);
  const prefixes = layers.map((i) => `${model.layers[i]!.name}.`);
  return pick(model, (name) =>
    [...prefixes, ...model.headPrefixes].some((prefix) => name.startsWith(prefix)),
  );
}

function pick(model: HeadModel, wanted: (name: string) => boolean): Map<string, Tensor> {
  return new Map([...namedParameters(model)].filter(([name]) => wanted(name)));
}
