/** @file An adapter folder of PEFT: `adapter_config.json` and `adapter_model.safetensors`, as plain records. */
import {
  encodeSafetensors,
  jsonBytes,
  openFolder,
  openPickle,
  openRequired,
  openSafetensors,
  readJsonRecord,
  writeFiles,
  type Folder,
  type TensorData,
  type TensorReader,
} from '@camada/hub';
import { InputError } from '@camada/tensor';
import type { Method } from '../method/method.ts';
import type { PeftConfig } from './common.ts';
import { adapterConfigRecord, parseAdapterConfig } from './config-file.ts';
import { layerKey, parameterKey, parseKey } from './keys.ts';

/** An adapter as it is stored. */
export interface AdapterData {
  readonly method: Method;
  readonly config: PeftConfig;
  /** Tensors of layers by path, then by end of key (`lora_A.weight`). */
  readonly layers: ReadonlyMap<string, ReadonlyMap<string, TensorData>>;
  /** Tensors of the whole adapter by key: VeRA's shared matrices, prompts. */
  readonly shared: ReadonlyMap<string, TensorData>;
  /** Parameters stored in full (`modules_to_save`, biases), by their name in the model. */
  readonly parameters: ReadonlyMap<string, TensorData>;
}

const CONFIG = 'adapter_config.json';
const TENSORS = 'adapter_model.safetensors';
/** What PEFT wrote before 0.5. */
const PICKLED = 'adapter_model.bin';

/**
 * Reads an adapter folder, and what was ignored in its config. Throws `InputError` when a file is missing
 * or damaged, or holds what the method does not know.
 */
export async function readAdapter(
  directory: string | Folder,
): Promise<AdapterData & { readonly warnings: readonly string[] }> {
  const folder = await openFolder(directory);
  const configSource = await openRequired(folder, CONFIG);
  const parsed = parseAdapterConfig(await readJsonRecord(configSource), configSource.name);
  const reader = await openTensors(folder);
  const layers = new Map<string, Map<string, TensorData>>();
  const shared = new Map<string, TensorData>();
  const parameters = new Map<string, TensorData>();
  for (const name of reader.names) {
    const key = parseKey(name, parsed.method, reader.source);
    if (key.kind === 'copy') continue;
    const tensor = await reader.read(name);
    if (key.kind === 'parameter') parameters.set(key.name, tensor);
    else if (key.kind === 'shared') shared.set(key.key, tensor);
    else layers.set(key.path, (layers.get(key.path) ?? new Map()).set(key.suffix, tensor));
  }
  const { method } = parsed;
  const own = method.kind === 'layers' ? layers.size : parameters.size; // BitFit is parameters alone
  if (own + shared.size === 0)
    throw new InputError(
      `${reader.source}: the adapter holds no tensors of ${method.peftType}: was it saved before it was made?`,
    );
  return { ...parsed, layers, shared, parameters };
}

async function openTensors(folder: Folder): Promise<TensorReader> {
  const names = await folder.list();
  if (names.includes(PICKLED) && !names.includes(TENSORS))
    return openPickle(await openRequired(folder, PICKLED));
  return openSafetensors(await openRequired(folder, TENSORS));
}

/** Writes an adapter folder (Node) that PEFT loads; both files or none. Throws `InputError` when a file cannot be written. */
export async function writeAdapter(directory: string, adapter: AdapterData): Promise<void> {
  const files = [...adapterFiles(adapter)].map(([name, chunks]) => ({
    path: `${directory}/${name}`,
    chunks,
  }));
  await writeFiles(files);
}

/** The files of an adapter folder by name, for a browser to download. */
export function adapterFiles(adapter: AdapterData): Map<string, readonly Uint8Array[]> {
  const entries = new Map<string, TensorData>();
  for (const [path, tensors] of adapter.layers)
    for (const [suffix, tensor] of tensors) entries.set(layerKey(path, suffix), tensor);
  for (const [key, tensor] of adapter.shared) entries.set(key, tensor);
  for (const [name, tensor] of adapter.parameters)
    entries.set(parameterKey(storedName(name, adapter), adapter.method), tensor);
  return new Map<string, readonly Uint8Array[]>([
    [TENSORS, encodeSafetensors(entries)],
    [CONFIG, [jsonBytes(adapterConfigRecord(adapter.method, adapter.config))]],
  ]);
}

/** PEFT stores the bias of a wrapped layer as that of its `base_layer`. */
function storedName(name: string, { layers }: AdapterData): string {
  const dot = name.lastIndexOf('.');
  const path = name.slice(0, dot);
  return layers.has(path) ? `${path}.base_layer${name.slice(dot)}` : name;
}
