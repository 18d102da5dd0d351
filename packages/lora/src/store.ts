/** @file Adapters to and from PEFT folders. */
import { toFloat32, type Folder, type TensorData } from '@camada/hub';
import { getModule, getParameter, type Module } from '@camada/nn';
import { InputError, sameShape, showShape, tensor, type Tensor } from '@camada/tensor';
import { attach, linearAt, type LoraAdapter, type SavedParameter } from './adapter.ts';
import { LoraLinear } from './lora-linear.ts';
import { readAdapter, writeAdapter, type AdapterData, type LoraPair } from './peft/adapter-file.ts';
import { moduleScale } from './peft/targets.ts';

/** A loaded adapter, and what its config holds that was ignored. */
export interface LoadedAdapter {
  readonly adapter: LoraAdapter;
  /** Sentences for the user. */
  readonly warnings: readonly string[];
}

/** The adapter's tensors as plain data, f32. */
export async function adapterData(adapter: LoraAdapter): Promise<AdapterData> {
  const lora = new Map<string, LoraPair>();
  for (const [path, layer] of adapter.layers)
    lora.set(path, {
      A: await toData(layer.lora_A.weight),
      B: await toData(layer.lora_B.weight),
      embedding: false,
    });
  const parameters = new Map<string, TensorData>();
  for (const [name, { own }] of adapter.saved) parameters.set(name, await toData(own));
  return { config: adapter.config, lora, parameters };
}

/** Writes `adapter_config.json` and `adapter_model.safetensors`, as PEFT reads them. Throws InputError. */
export async function saveAdapter(directory: string, adapter: LoraAdapter): Promise<void> {
  await writeAdapter(directory, await adapterData(adapter));
}

/**
 * Loads a PEFT folder (or one of Camada) onto a model. Throws InputError when a file is damaged, the method
 * is not LoRA, or a module or shape of the adapter is not the model's; the model is unchanged then.
 */
export async function loadAdapter(
  model: Module,
  directory: string | Folder,
): Promise<LoadedAdapter> {
  const data = await readAdapter(directory);
  const layers = new Map<string, LoraLinear>();
  for (const [path, pair] of data.lora) layers.set(path, restore(model, path, pair, data));
  const saved = new Map<string, SavedParameter>();
  for (const [name, entry] of data.parameters) saved.set(name, restoreSaved(model, name, entry));
  const adapter = attach(model, { config: data.config, layers, saved });
  return { adapter, warnings: data.warnings };
}

function restore(model: Module, path: string, pair: LoraPair, { config }: AdapterData): LoraLinear {
  if (pair.embedding)
    throw new InputError(`the adapter has LoRA on the embedding '${path}', which is not offered`);
  const { r, scale } = moduleScale(path, config);
  const base = linearAt(model, path);
  const options = { r, scale, dropout: config.lora_dropout };
  return new LoraLinear(base, toTensor(pair.A), toTensor(pair.B), options);
}

function restoreSaved(model: Module, name: string, entry: TensorData): SavedParameter {
  const owner = name.split('.').slice(0, -1).join('.');
  getModule(model, owner);
  const base = getParameter(model, name);
  if (!sameShape(base.shape, entry.shape))
    throw new InputError(
      `the adapter's '${name}' is ${showShape(entry.shape)}, the model's ${showShape(base.shape)}: ` +
        'was it trained with other labels, or for another model?',
    );
  return { base, own: toTensor(entry) };
}

function toTensor(entry: TensorData): Tensor {
  return tensor(toFloat32(entry), entry.shape);
}

async function toData(x: Tensor): Promise<TensorData> {
  return { dtype: 'f32', shape: x.shape, data: Float32Array.from(await x.data()) };
}
