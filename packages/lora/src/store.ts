/** @file Adapters to and from PEFT folders. */
import type { Folder, TensorData } from '@camada/hub';
import { getParameter, type Module } from '@camada/nn';
import { InputError, sameShape, showShape, type Tensor } from '@camada/tensor';
import { attach, ownParameter, type Adapter, type AdapterParts } from './adapter/adapter.ts';
import type { BaseLayer } from './adapter/base.ts';
import type { LayerPart } from './adapter/part.ts';
import { checkpointParameters, checkUntied, type SavedParameter } from './adapter/saved.ts';
import { baseAt } from './method/add.ts';
import type { LayerMethod, Stored } from './method/method.ts';
import { openAdapter } from './interchange/open.ts';
import { writeAdapter, type AdapterData } from './peft/adapter-file.ts';
import type { LayerConfig, PeftConfig } from './peft/common.ts';
import { isInside } from './peft/targets.ts';
import { allData, restoreSaved, toTensor } from './tensors.ts';

/** A loaded adapter, and what its config holds that was ignored. */
export interface LoadedAdapter {
  readonly adapter: Adapter;
  /** Sentences for the user. */
  readonly warnings: readonly string[];
}

/** The adapter as it is stored: plain data, f32. */
export async function adapterData(adapter: Adapter): Promise<AdapterData> {
  const { method, saved, shared, part } = adapter;
  const { config, layers, shared: kept } = await storedLayers(adapter);
  const data = new Map<string, ReadonlyMap<string, TensorData>>();
  for (const [path, tensors] of layers) data.set(path, await allData(tensors));
  const own = new Map([...saved].map(([name, entry]) => [name, entry.own]));
  return {
    method,
    config,
    layers: data,
    shared: await allData(part?.tensors ?? kept ?? shared),
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
 * Loads a folder of PEFT (or of Camada, or of mlx-lm) onto a model, switched on and other adapters off. Throws InputError when a
 * file is damaged, holds what is not offered, or a module or shape of the adapter is not the model's, or the name is
 * taken; the model is unchanged then.
 * @param name PEFT's `adapter_name`.
 */
export async function loadAdapter(
  model: Module,
  directory: string | Folder,
  name = 'default',
): Promise<LoadedAdapter> {
  const data = await openAdapter(directory);
  checkUntied(model, data.parameters.keys());
  checkComplete(model, data);
  const saved = new Map<string, SavedParameter>();
  for (const [key, entry] of data.parameters)
    if (isBaseCopy(key)) await checkBaseCopy(model, key, entry);
    else saved.set(key, restoreSaved(ownParameter(model, key), key, entry));
  const adapter = attach(model, { ...(await restored(model, data)), name, saved });
  return { adapter, warnings: data.warnings };
}

async function restored(
  model: Module,
  data: AdapterData,
): Promise<Omit<AdapterParts, 'name' | 'saved'>> {
  const { method, config } = data;
  const shared = tensors(data.shared);
  if (method.kind === 'layers') {
    const layers = await restoreLayers(model, method, data, shared);
    return { method, config, ...layers, part: undefined };
  }
  const part = method.restore(model, config, shared);
  return { method, config, layers: new Map(), shared: new Map(), part };
}

async function restoreLayers(
  model: Module,
  method: LayerMethod,
  data: AdapterData,
  stored: ReadonlyMap<string, Tensor>,
): Promise<Pick<AdapterParts, 'layers' | 'shared'>> {
  const config = data.config as LayerConfig; // parsed by this method
  const bases = new Map(
    [...data.layers.keys()].map((path) => [path, wrappable(model, method, path)]),
  );
  // What files leave out is drawn again.
  const shared = stored.size > 0 ? stored : (method.share?.(bases, config, 0) ?? stored);
  const layers = new Map<string, LayerPart>();
  for (const [path, base] of bases) {
    const own = tensors(data.layers.get(path)!, `${path}.`);
    layers.set(path, await method.restore({ path, base, config, shared }, own));
  }
  return { layers, shared };
}

function wrappable(model: Module, method: LayerMethod, path: string): BaseLayer {
  const base = baseAt(model, path);
  if (method.wraps(base)) return base;
  throw new InputError(`the adapter's '${path}' is no layer that ${method.peftType} can sit on`);
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

/** PEFT stores the table of an adapted embedding with the adapter. */
function isBaseCopy(name: string): boolean {
  return name.endsWith('.base_layer.weight');
}

/** Throws InputError unless the stored table is the model's: the adapter was trained on it. */
async function checkBaseCopy(model: Module, name: string, entry: TensorData): Promise<void> {
  const own = getParameter(baseAt(model, name.replace(/\.base_layer\.weight$/, '')), 'weight');
  const stored = toTensor(entry, name);
  const same = sameShape(own.shape, stored.shape);
  if (same && (await own.cast('f32').sub(stored).abs().max().item()) === 0) return;
  throw new InputError(
    `the adapter was trained on another table than the model's '${name.replace('.base_layer', '')}' ` +
      `(${showShape(stored.shape)}, the model's ${showShape(own.shape)}): was its vocabulary enlarged?`,
  );
}

function tensors(entries: ReadonlyMap<string, TensorData>, place = ''): Map<string, Tensor> {
  return new Map([...entries].map(([key, entry]) => [key, toTensor(entry, place + key)]));
}
