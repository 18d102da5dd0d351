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
import { storedAdapter, type StoredAdapter } from './adapter.ts';
import { outputWeight } from './head.ts';
import { configLabels } from './labels.ts';
import { tasksOf, type FinetuneTask } from './task.ts';

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
  /** Called while its weights are read, with the elements done and in all. */
  readonly onWeights: ((done: number, total: number) => void) | undefined;
}

/** Choices of `loadModel`. */
export interface LoadModelOptions {
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
    onWeights: options.onWeights,
  };
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
