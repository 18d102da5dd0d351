/** @file Adapters to and from PEFT folders. */
import { isFloatTensor, toFloat32, type Folder, type TensorData } from '@camada/hub';
import { getParameter, namedParameters, type Module } from '@camada/nn';
import { InputError, sameShape, showShape, tensor, type Tensor } from '@camada/tensor';
import { attach, type LoraAdapter, type SavedParameter } from './adapter.ts';
import { checkBias, checkUntied, linearAt } from './inject.ts';
import { fitsLinear, LoraLinear } from './lora-linear.ts';
import { readAdapter, writeAdapter, type AdapterData, type LoraPair } from './peft/adapter-file.ts';
import { isInside, moduleScale } from './peft/targets.ts';

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
 * Loads a PEFT folder (or one of Camada) onto a model, switched on. Throws InputError when a file is damaged, the
 * method is not LoRA or holds what is not offered, or a module or shape of the adapter is not the model's; the model
 * is unchanged then.
 */
export async function loadAdapter(
  model: Module,
  directory: string | Folder,
): Promise<LoadedAdapter> {
  const data = await readAdapter(directory);
  checkBias(data.config);
  checkUntied(model, data.parameters.keys());
  checkComplete(model, data);
  const layers = new Map<string, LoraLinear>();
  for (const [path, pair] of data.lora) layers.set(path, restore(model, path, pair, data));
  const saved = new Map<string, SavedParameter>();
  for (const [name, entry] of data.parameters) saved.set(name, restoreSaved(model, name, entry));
  const adapter = attach(model, { config: data.config, layers, saved });
  return { adapter, warnings: data.warnings };
}

/** Without a tensor that it names, the adapter would compute something else than was trained. */
function checkComplete(model: Module, { config, lora, parameters }: AdapterData): void {
  if (lora.size === 0)
    throw new InputError('the adapter holds no LoRA matrices: was it saved before it was made?');
  const modules = config.modules_to_save ?? [];
  for (const name of namedParameters(model).keys()) {
    const module = modules.find((candidate) => isInside(name, candidate));
    if (module === undefined || parameters.has(name)) continue;
    throw new InputError(
      `the adapter's config has '${module}' in modules_to_save, but its tensors lack '${name}'; save the adapter again`,
    );
  }
}

function restore(model: Module, path: string, pair: LoraPair, { config }: AdapterData): LoraLinear {
  const { A, B, embedding } = pair;
  if (embedding)
    throw new InputError(`the adapter has LoRA on the embedding '${path}', which is not offered`);
  const { r, scale } = moduleScale(path, config);
  const base = linearAt(model, path);
  if (!fitsLinear(base, A.shape, B.shape, r))
    throw new InputError(
      `the adapter's '${path}' has A ${showShape(A.shape)} and B ${showShape(B.shape)}, but the model's weight is ` +
        `${showShape(base.weight.shape)}: was it trained for another model?`,
    );
  const options = { r, scale, dropout: config.lora_dropout };
  return new LoraLinear(base, toTensor(A, path), toTensor(B, path), options);
}

function restoreSaved(model: Module, name: string, entry: TensorData): SavedParameter {
  const base = getParameter(model, name);
  if (!sameShape(base.shape, entry.shape))
    throw new InputError(
      `the adapter's '${name}' is ${showShape(entry.shape)}, the model's ${showShape(base.shape)}: ` +
        'was it trained with other labels, or for another model?',
    );
  return { base, own: toTensor(entry, name) };
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

async function toData(x: Tensor): Promise<TensorData> {
  return { dtype: 'f32', shape: x.shape, data: Float32Array.from(await x.data()) };
}
