/** @file From a checkpoint's arrays to a model's parameters. */
import { InputError, computeType, tensor, upload, widenHalves, type Tensor } from '@camada/tensor';
import { initializeParameters } from '../init.ts';
import { checkFits, loadParameters, namedParameters } from '../module.ts';
import { packLayers, type PackOptions } from '../quantized/load.ts';
import type { WeightEntry, WeightFile } from './weight-file.ts';
import type { Model } from './model.ts';

/** How weights are to be held. */
export interface LoadOptions extends PackOptions {
  /** Seed of parameters that the file lacks; 0 when left out. */
  readonly seed?: number;
  /** Keep f16 and bf16 as they are, at half the memory (frozen weights); otherwise they become f32. */
  readonly keepStorage?: boolean;
  /** Called after each array with the number of elements done and of all that are to be read. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What became of each name. */
export interface LoadReport {
  /** Parameters read from the file. */
  readonly loaded: readonly string[];
  /** Parameters that the file lacks and that start fresh: normal numbers, biases zero. */
  readonly initialized: readonly string[];
  /** Arrays of the file that the model has no use for. */
  readonly unused: readonly string[];
}

/**
 * Loads a checkpoint into a model, one array at a time: where a device is open each goes there before the next is read,
 * so the host never holds two. Names may lack or have the family's prefix. Parameters of a head that the
 * file lacks are initialised from the seed and reported. Throws InputError when anything else is missing and
 * ShapeError when a shape does not fit.
 */
export async function loadWeights(
  model: Model,
  file: WeightFile,
  options: LoadOptions = {},
): Promise<LoadReport> {
  const sources = findSources(model, file.names);
  const parameters = namedParameters(model);
  for (const [name, source] of sources) {
    const shape = file.entry?.(source).shape;
    if (shape) checkFits(name, shape, parameters.get(name)!.shape);
  }
  const count = counter(sources.keys(), parameters, options);
  const packed = await packLayers(model, file, sources, { ...options, onPacked: count });
  const plain = new Map([...sources].filter(([name]) => !packed.has(name)));
  const values = await readAll(file, plain, options, count);
  const { loaded, missing } = loadParameters(model, (name) => values.get(name));
  initializeParameters(model, model.config.initializer_range, options.seed ?? 0, missing);
  const used = new Set(sources.values());
  return {
    loaded: [...packed, ...loaded],
    initialized: missing,
    unused: file.names.filter((name) => !used.has(name)),
  };
}

async function readAll(
  file: WeightFile,
  sources: ReadonlyMap<string, string>,
  options: LoadOptions,
  count: (name: string) => void,
): Promise<Map<string, Tensor>> {
  const values = new Map<string, Tensor>();
  for (const [name, source] of sources) {
    const value = toTensor(await file.read(source), options);
    await upload(value);
    values.set(name, value);
    count(name);
  }
  return values;
}

/** Tells the progress when a parameter is done. */
function counter(
  names: Iterable<string>,
  parameters: ReadonlyMap<string, Tensor>,
  { onProgress }: LoadOptions,
): (name: string) => void {
  const size = (name: string): number => parameters.get(name)?.size ?? 0;
  const total = [...names].reduce((sum, name) => sum + size(name), 0);
  let done = 0;
  return (name) => {
    done += size(name);
    onProgress?.(done, total);
  };
}

/** Name in the file of each parameter that it has. */
function findSources(model: Model, names: readonly string[]): Map<string, string> {
  const present = new Set(names);
  const sources = new Map<string, string>();
  const lost: string[] = [];
  for (const name of namedParameters(model).keys()) {
    const source = [name, ...model.aliases(name)].find((candidate) => present.has(candidate));
    if (source !== undefined) sources.set(name, source);
    else if (!model.headPrefixes.some((prefix) => name.startsWith(prefix))) lost.push(name);
  }
  if (lost.length > 0) throw missingError(lost, names);
  return sources;
}

function missingError(lost: readonly string[], names: readonly string[]): InputError {
  const show = (list: readonly string[]): string =>
    `'${list.slice(0, 3).join("', '")}'${list.length > 3 ? ` and ${list.length - 3} more` : ''}`;
  return new InputError(
    `the checkpoint lacks ${show(lost)}; it has ${names.length === 0 ? 'nothing' : show(names)}: ` +
      'do config.json and the weights belong together?',
  );
}

function toTensor({ dtype, shape, data }: WeightEntry, { keepStorage }: LoadOptions): Tensor {
  if (keepStorage || computeType(dtype) === dtype) return tensor(data, shape, dtype);
  const bits = data instanceof Uint16Array ? data : Uint16Array.from(data);
  return tensor(widenHalves(bits, dtype === 'f16' ? 'f16' : 'bf16'), shape);
}
