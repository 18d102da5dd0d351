/** @file An adapter folder of PEFT: `adapter_config.json` and `adapter_model.safetensors`, as plain records. */
import {
  encodeSafetensors,
  jsonBytes,
  openFolder,
  openRequired,
  openSafetensors,
  readJsonRecord,
  writeFiles,
  type Folder,
  type TensorData,
} from '@camada/hub';
import { InputError } from '@camada/tensor';
import { adapterConfigRecord, parseAdapterConfig } from './config-file.ts';
import type { LoraConfig } from './config.ts';
import { loraKey, parameterKey, parseKey, type LoraPart } from './keys.ts';
import { moduleScale } from './targets.ts';

/** The two matrices of one module. */
export interface LoraPair {
  /** [R, in]; for an embedding [R, V]. */
  readonly A: TensorData;
  /** [out, R]; for an embedding [C, R]. */
  readonly B: TensorData;
  /** Whether the module is an embedding. */
  readonly embedding: boolean;
}

/** An adapter as it is stored. */
export interface AdapterData {
  readonly config: LoraConfig;
  /** Matrices by the path of the module in the model. */
  readonly lora: ReadonlyMap<string, LoraPair>;
  /** Parameters stored in full (`modules_to_save`, biases), by their name in the model. */
  readonly parameters: ReadonlyMap<string, TensorData>;
}

const CONFIG = 'adapter_config.json';
const TENSORS = 'adapter_model.safetensors';

/**
 * Reads an adapter folder, and what was ignored in its config. Throws `InputError` when a file is missing
 * or damaged, when a matrix lacks its partner, and when shapes contradict each other or the config.
 */
export async function readAdapter(
  directory: string | Folder,
): Promise<AdapterData & { readonly warnings: readonly string[] }> {
  const folder = await openFolder(directory);
  const configSource = await openRequired(folder, CONFIG);
  const parsed = parseAdapterConfig(await readJsonRecord(configSource), configSource.name);
  const reader = await openSafetensors(await openRequired(folder, TENSORS));
  const parts = new Map<string, Map<LoraPart, TensorData>>();
  const parameters = new Map<string, TensorData>();
  for (const name of reader.names) {
    const key = parseKey(name, reader.source);
    const tensor = await reader.read(name);
    if (key.kind === 'parameter') parameters.set(key.name, tensor);
    else parts.set(key.path, (parts.get(key.path) ?? new Map()).set(key.part, tensor));
  }
  const lora = new Map<string, LoraPair>();
  for (const [path, found] of parts) {
    lora.set(path, pairOf(found, path, parsed.config, reader.source));
  }
  return { ...parsed, lora, parameters };
}

function pairOf(
  parts: ReadonlyMap<LoraPart, TensorData>,
  path: string,
  config: LoraConfig,
  file: string,
): LoraPair {
  const embedding = parts.has('lora_embedding_A') || parts.has('lora_embedding_B');
  const A = parts.get(embedding ? 'lora_embedding_A' : 'lora_A');
  const B = parts.get(embedding ? 'lora_embedding_B' : 'lora_B');
  if (!A || !B || parts.size !== 2) {
    throw new InputError(
      `${file}: the module "${path}" has ${[...parts.keys()].join(', ')}, but needs one A and one B; ` +
        'save the adapter again.',
    );
  }
  checkShapes(A, B, path, config, file);
  return { A, B, embedding };
}

function checkShapes(
  A: TensorData,
  B: TensorData,
  path: string,
  config: LoraConfig,
  file: string,
): void {
  const { r } = moduleScale(path, config);
  if (A.shape.length === 2 && B.shape.length === 2 && A.shape[0] === r && B.shape[1] === r) return;
  throw new InputError(
    `${file}: the module "${path}" has A [${A.shape.join(', ')}] and B [${B.shape.join(', ')}], but rank ${r} ` +
      `asks for [${r}, in] and [out, ${r}]; the config and the tensors do not belong together.`,
  );
}

/**
 * Writes an adapter folder (Node) that PEFT loads; both files or none. Throws `InputError` when shapes
 * contradict the config or a file cannot be written.
 */
export async function writeAdapter(directory: string, adapter: AdapterData): Promise<void> {
  const files = [...adapterFiles(adapter)].map(([name, chunks]) => ({
    path: `${directory}/${name}`,
    chunks,
  }));
  await writeFiles(files);
}

/** The files of an adapter folder by name, for a browser to download. Throws as `writeAdapter` does. */
export function adapterFiles(adapter: AdapterData): Map<string, readonly Uint8Array[]> {
  const entries = new Map<string, TensorData>();
  for (const [path, { A, B, embedding }] of adapter.lora) {
    checkShapes(A, B, path, adapter.config, TENSORS);
    entries.set(loraKey(path, embedding ? 'lora_embedding_A' : 'lora_A'), A);
    entries.set(loraKey(path, embedding ? 'lora_embedding_B' : 'lora_B'), B);
  }
  for (const [name, tensor] of adapter.parameters) entries.set(parameterKey(name), tensor);
  return new Map<string, readonly Uint8Array[]>([
    [TENSORS, encodeSafetensors(entries)],
    [CONFIG, [jsonBytes(adapterConfigRecord(adapter.config))]],
  ]);
}
