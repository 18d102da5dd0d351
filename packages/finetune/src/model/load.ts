/** @file Opening a model folder: what it is and what it can do. Its weights are read when the task is known. */
import { InputError } from '@camada/tensor';
import {
  locateModel,
  openModelFolder,
  type FetchOptions,
  type Folder,
  type ModelFolder,
  type Tokenizer,
} from '@camada/hub';
import { QUANTIZATIONS, type LoadOptions, type Quantization } from '@camada/nn';
import { storedAdapter, type StoredAdapter } from './adapter.ts';
import { outputWeight } from './head.ts';
import { configLabels } from './labels.ts';
import { tasksOf, type FinetuneTask } from './task.ts';

/** How weights are held on the device. What a GGUF file packs stays packed unless they are to be dequantised. */
export interface WeightPrecision {
  /** Quantise the linear layers, but the output layer, when they are read. */
  readonly quantize?: Quantization;
  /** Make f32 numbers of packed weights: full fine-tuning needs them. */
  readonly dequantize?: boolean;
}

/** An opened model; `finetune`, `evaluate` and the others read its weights. */
export interface LoadedModel {
  /** What errors call it; adapters record it as their base. */
  readonly name: string;
  readonly folder: ModelFolder;
  /** What it can be fine-tuned for. */
  readonly tasks: readonly FinetuneTask[];
  readonly tokenizer: Tokenizer;
  /** Names of the classes that its own head tells apart; undefined where it has no classifier. */
  readonly labelNames: readonly string[] | undefined;
  /** The adapter that is put on it; undefined without one. */
  readonly adapter: StoredAdapter | undefined;
  /** How its weights are held. */
  readonly precision: WeightPrecision;
  /** Called while its weights are read, with the elements done and in all. */
  readonly onWeights: ((done: number, total: number) => void) | undefined;
}

/** Choices of `loadModel`. */
export interface LoadModelOptions extends WeightPrecision {
  /** An adapter folder, by PEFT or by Camada, or its name on a hub, to put on the model. */
  readonly adapter?: string | Folder;
  /** How a hub is reached, where the model or the adapter is not on this machine. */
  readonly fetch?: FetchOptions;
  /** Called while the weights are read, with the elements done and in all. */
  readonly onWeights?: (done: number, total: number) => void;
}

/**
 * Opens a model: the path of a Hugging Face folder or of a GGUF file (Node), a name on a hub (`ORG/NAME[@REVISION]`,
 * `ORG/NAME/FILE.gguf`), or a `Folder`. Throws InputError when a file is missing or damaged, or when the architecture is
 * not supported.
 */
export async function loadModel(
  directory: string | Folder,
  options: LoadModelOptions = {},
): Promise<LoadedModel> {
  const precision = weightPrecision(options);
  const folder = await openModelFolder(await locateModel(directory, options.fetch));
  const tasks = tasksOf(folder.config.values);
  const { tokenizer } = folder;
  if (!tokenizer)
    throw new InputError(
      `${folder.name} has no tokenizer.json; copy the one that the model was trained with into the folder.`,
    );
  return {
    name: folder.name,
    folder,
    tasks,
    tokenizer,
    labelNames: classNames(folder),
    adapter: await openAdapter(options),
    precision,
    onWeights: options.onWeights,
  };
}

/** How `loadWeights` is to read the weights of an opened model. */
export function weightOptions({ precision, onWeights }: LoadedModel): LoadOptions {
  return {
    packed: !precision.dequantize,
    quantize: precision.quantize,
    ...(onWeights && { onProgress: onWeights }),
  };
}

function weightPrecision({ quantize, dequantize }: WeightPrecision): WeightPrecision {
  if (quantize !== undefined && !QUANTIZATIONS.includes(quantize))
    throw new InputError(
      `quantize is "${String(quantize)}", but must be one of ${QUANTIZATIONS.join(', ')}.`,
    );
  if (quantize && dequantize)
    throw new InputError('quantize and dequantize contradict each other: leave one out.');
  return { ...(quantize && { quantize }), ...(dequantize && { dequantize }) };
}

async function openAdapter({
  adapter,
  fetch,
}: LoadModelOptions): Promise<StoredAdapter | undefined> {
  return adapter === undefined ? undefined : storedAdapter(await locateModel(adapter, fetch));
}

/** Whether the checkpoint's classifier is one of tokens, whose weights have the same names. */
function classifiesTokens({ architectures }: Readonly<Record<string, unknown>>): boolean {
  return Array.isArray(architectures) && String(architectures[0]).endsWith('TokenClassification');
}

/** The classes of a trained classifier; Transformers leaves LABEL_0 and LABEL_1 out of the configuration. */
function classNames({ tensors, config }: ModelFolder): readonly string[] | undefined {
  const output = outputWeight((name) => tensors.has(name));
  if (output === undefined || classifiesTokens(config.values)) return undefined;
  const count = tensors.entry(output).shape[0] ?? 0;
  const names = configLabels(config.get('id2label'));
  return names ?? Array.from({ length: count }, (_, i) => `LABEL_${i}`);
}
