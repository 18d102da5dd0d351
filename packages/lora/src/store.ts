/** @file Adapters to and from PEFT folders. */
import { isFloatTensor, toFloat32, type Folder, type TensorData } from '@camada/hub';
import type { Module } from '@camada/nn';
import { InputError, sameShape, showShape, tensor, type Tensor } from '@camada/tensor';
import { attach, ownParameter, type Adapter, type AdapterParts } from './adapter/adapter.ts';
import type { LayerPart } from './adapter/part.ts';
import { checkpointParameters, checkUntied, type SavedParameter } from './adapter/saved.ts';
import { baseAt } from './method/add.ts';
import type { LayerMethod, Stored } from './method/method.ts';
import { readAdapter, writeAdapter, type AdapterData } from './peft/adapter-file.ts';
import type { LayerConfig, PeftConfig } from './peft/common.ts';
import { isInside } from './peft/targets.ts';

/** A loaded adapter, and what its config holds that was ignored. */
export interface LoadedAdapter {
  readonly adapter: Adapter;
  /** Sentences for the user. */
  readonly warnings: readonly string[];
}

/** The adapter as it is stored: plain data, f32. */
export async function adapterData(adapter: Adapter): Promise<AdapterData> {
  const { method, saved, shared, part } = adapter;
  const { config, layers } = await storedLayers(adapter);
  const data = new Map<string, ReadonlyMap<string, TensorData>>();
  for (const [path, tensors] of layers) data.set(path, await allData(tensors));
  const own = new Map([...saved].map(([name, entry]) => [name, entry.own]));
  return {
    method,
    config,
    layers: data,
    shared: await allData(part?.tensors ?? shared),
    parameters: await allData(own),
  };
}

async function storedLayers({ method, config, layers }: Adapter): Promise<Stored<PeftConfig>> {
  // An adapter's config was made by its own method.
  const own = config as LayerConfig;
  if (method.kind === 'layers' && method.stored) return method.stored(own, layers);
  return { config, layers: new Map([...layers].map(([path, { tensors }]) => [path, tensors])) };
}

/** Writes `adapter_config.json` and `adapter_model.safetensors`, as PEFT reads them. Throws InputError. */
export async function saveAdapter(directory: string, adapter: Adapter): Promise<void> {
  await writeAdapter(directory, await adapterData(adapter));
}

/**
 * Loads a PEFT folder (or one of Camada) onto a model, switched on and other adapters off. Throws InputError when a
 * file is damaged, holds what is not offered, or a module or shape of the adapter is not the model's, or the name is
 * taken; the model is unchanged then.
 * @param name PEFT's `adapter_name`.
 */
export async function loadAdapter(
  model: Module,
  directory: string | Folder,
  name = 'default',
): Promise<LoadedAdapter> {
  const data = await readAdapter(directory);
  checkUntied(model, data.parameters.keys());
  checkComplete(model, data);
  const saved = new Map<string, SavedParameter>();
  for (const [key, entry] of data.parameters) saved.set(key, restoreSaved(model, key, entry));
  const adapter = attach(model, { ...restored(model, data), name, saved });
  return { adapter, warnings: data.warnings };
}

function restored(model: Module, data: AdapterData): Omit<AdapterParts, 'name' | 'saved'> {
  const { method, config } = data;
  const shared = tensors(data.shared);
  if (method.kind === 'layers') {
    const layers = restoreLayers(model, method, data, shared);
    return { method, config, layers, shared, part: undefined };
  }
  const part = method.restore(model, config, shared);
  return { method, config, layers: new Map(), shared: new Map(), part };
}

function restoreLayers(
  model: Module,
  method: LayerMethod,
  data: AdapterData,
  shared: ReadonlyMap<string, Tensor>,
): Map<string, LayerPart> {
  const config = data.config as LayerConfig; // parsed by this method
  const layers = new Map<string, LayerPart>();
  for (const [path, stored] of data.layers) {
    const base = baseAt(model, path);
    if (!method.wraps(base))
      throw new InputError(
        `the adapter's '${path}' is no layer that ${method.peftType} can sit on`,
      );
    const place = { path, base, config, shared };
    layers.set(path, method.restore(place, tensors(stored, `${path}.`)));
  }
  return layers;
}

/** Without a tensor that it names, the adapter would compute something else than was trained. */
function checkComplete(model: Module, { config, parameters }: AdapterData): void {
  const modules = config.modules_to_save ?? [];
  for (const name of checkpointParameters(model).keys()) {
    const module = modules.find((candidate) => isInside(name, candidate));
    if (module === undefined || parameters.has(name)) continue;
    throw new InputError(
      `the adapter's config has '${module}' in modules_to_save, but its tensors lack '${name}'; save the adapter again`,
    );
  }
}

function restoreSaved(model: Module, name: string, entry: TensorData): SavedParameter {
  const base = ownParameter(model, name);
  if (!sameShape(base.shape, entry.shape))
    throw new InputError(
      `the adapter's '${name}' is ${showShape(entry.shape)}, the model's ${showShape(base.shape)}: ` +
        'was it trained with other labels, or for another model?',
    );
  return { base, own: toTensor(entry, name) };
}

function tensors(entries: ReadonlyMap<string, TensorData>, place = ''): Map<string, Tensor> {
  return new Map([...entries].map(([key, entry]) => [key, toTensor(entry, place + key)]));
}

function toTensor(entry: TensorData, place: string): Tensor {
  if (!isFloatTensor(entry))
    throw new InputError(`the adapter's '${place}' holds ${entry.dtype}; floats are needed`);
  const values = toFloat32(entry);
  if (!values.every(Number.isFinite))
    throw new InputError(
      `the adapter's '${place}' holds NaN or infinity: its training diverged, or the file is damaged`,
    );
  return tensor(values, entry.shape);
}

async function allData(values: ReadonlyMap<string, Tensor>): Promise<Map<string, TensorData>> {
  const data = new Map<string, TensorData>();
  for (const [key, x] of values)
    data.set(key, { dtype: 'f32', shape: x.shape, data: Float32Array.from(await x.data()) });
  return data;
}
