/**
 * @file Which parameters train. The classifier always does. LoRA leaves a pretrained pooler frozen, as PEFT does,
 * and trains (and stores) a fresh one; the methods head and full train it either way, since it was made for
 * another task.
 */
import { InputError, type Tensor } from '@camada/tensor';
import { namedParameters, packedLayers, type HeadModel } from '@camada/nn';
import {
  defaultTargets,
  isInside,
  linearNames,
  matchTargets,
  type Adapter,
  type TargetConfig,
} from '@camada/lora';
import { headModules } from '../model/head.ts';
import type { Network } from '../model/network.ts';
import type { AdapterOptions, AdapterPlaces } from './adapter-method.ts';
import { featureParameters } from './features.ts';
import type { TrainingHooks } from './hooks.ts';
import { lisaHooks } from './lisa.ts';
import { ADAPTER_METHODS, isAdapterMethod, type AdapterChoice, type Method } from './method.ts';

/** What trains. */
export interface Trainable {
  /** Parameters by name; everything else is frozen. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** The adapter they belong to; undefined for the methods without one. */
  readonly adapter: Adapter | undefined;
  /** What the method does in a step. */
  readonly hooks: TrainingHooks;
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
  /** Steps of the run. */
  readonly steps: number;
}

/** Prepares a network for training. Throws InputError when the method finds nothing to train. */
export async function prepareTraining(
  network: Network,
  options: TrainableOptions,
): Promise<Trainable> {
  const { method, layers } = options;
  if (isAdapterMethod(method)) {
    const chosen = adapterOptions(network, method, options);
    const fresh = await ADAPTER_METHODS[method.type].add(network.model, method, chosen);
    const { adapter, parameters = adapter.trainable, hooks = {} } = fresh;
    return { parameters, adapter, hooks };
  }
  const parameters = ownParameters(network, method.type, layers);
  const lisa = method.type === 'lisa';
  const hooks = lisa ? lisaHooks(network.model, layers, method, options.seed) : {};
  return { parameters, adapter: undefined, hooks };
}

function ownParameters(
  network: Network,
  type: Exclude<Method['type'], AdapterChoice['type']>,
  layers: readonly number[],
): Map<string, Tensor> {
  if (type === 'head') return headParameters(network);
  if (type === 'lisa') return lisaParameters(network.model, layers);
  return type === 'features' ? featureParameters(network) : fullParameters(network.model, layers);
}

/** Throws InputError when settings cannot be or targets match no module, or there is no head to train. */
export function checkMethodFits(network: Network, method: Method): void {
  if (method.type === 'head') headParameters(network);
  if (method.type === 'features') featureParameters(network);
  if (method.type === 'full' || method.type === 'lisa') checkPlain(network.model);
  if (method.type === 'lisa') lisaHooks(network.model, [0], method, 0);
  if (!isAdapterMethod(method)) return;
  const layers = network.model.layers.map(({ index }) => index);
  const any = { method, layers, seed: 0, baseName: '', steps: 100 };
  const options = adapterOptions(network, method, any);
  ADAPTER_METHODS[method.type].check(method, options, network.model);
  const places = placesOf(method);
  if (places !== 'model')
    matchTargets(places.candidates(network.model), { ...ANY_TARGETS, ...options.shared });
}

const ANY_TARGETS: Omit<TargetConfig, 'target_modules'> = {
  exclude_modules: null,
  layers_to_transform: null,
  layers_pattern: null,
  modules_to_save: null,
};

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

function adapterOptions(
  network: Network,
  method: AdapterChoice,
  { layers, seed, steps, baseName }: TrainableOptions,
): AdapterOptions {
  const { model, task } = network;
  const saved = modulesToSave(network);
  const shared: AdapterOptions['shared'] = {
    task_type: task === 'causal-lm' ? 'CAUSAL_LM' : 'SEQ_CLS',
    base_model_name_or_path: baseName,
    modules_to_save: saved.length > 0 ? saved : null,
    ...targetsIn(model, method, layers),
  };
  return { shared, layers, seed, steps };
}

const LINEAR: AdapterPlaces = {
  candidates: linearNames,
  targets: ({ config }) => defaultTargets(config.model_type),
};

function placesOf({ type }: AdapterChoice): AdapterPlaces | 'model' {
  return ADAPTER_METHODS[type].places ?? LINEAR;
}

type Targets = Pick<AdapterOptions['shared'], 'target_modules' | 'layers_to_transform'>;

function targetsIn(model: HeadModel, method: AdapterChoice, layers: readonly number[]): Targets {
  const places = placesOf(method);
  if (places !== 'model')
    return inLayers(model, method.targets ?? places.targets(model), layers, places);
  if (method.targets === undefined) return { target_modules: [], layers_to_transform: null };
  throw new InputError(`The method ${method.type} chooses its places itself and takes no targets.`);
}

/** PEFT takes layer numbers with a list of names only; a pattern is resolved to full paths. */
function inLayers(
  model: HeadModel,
  targets: readonly string[] | string,
  layers: readonly number[],
  places: AdapterPlaces,
): Targets {
  if (layers.length === model.layers.length)
    return { target_modules: targets, layers_to_transform: null };
  if (typeof targets !== 'string')
    return { target_modules: targets, layers_to_transform: [...layers] };
  const chosen = layers.map((i) => model.layers[i]!.name);
  const every = { ...ANY_TARGETS, target_modules: targets };
  const paths = matchTargets(places.candidates(model), every).filter((path) =>
    chosen.some((layer) => path.startsWith(`${layer}.`)),
  );
  if (paths.length > 0) return { target_modules: paths, layers_to_transform: null };
  throw new InputError(
    `target_modules: the pattern "${targets}" matches no module of the layers ${layers.join(', ')}.`,
  );
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

/** The chosen layers, and all that is in no layer: embeddings, last norm, head. */
function lisaParameters(model: HeadModel, layers: readonly number[]): Map<string, Tensor> {
  const frozen = model.layers.filter(({ index }) => !layers.includes(index));
  return pick(model, (name) => !frozen.some((layer) => name.startsWith(`${layer.name}.`)));
}

function pick(model: HeadModel, wanted: (name: string) => boolean): Map<string, Tensor> {
  return new Map([...namedParameters(model)].filter(([name]) => wanted(name)));
}
