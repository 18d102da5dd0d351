/** @file From an opened folder to a network with weights, for one task and one set of classes. */
import { InputError } from '@camada/tensor';
import { emptyModel, loadWeights, type HeadModel, type WeightFile } from '@camada/nn';
import { loadAdapter, type Adapter } from '@camada/lora';
import { isOutput, outputWeight } from './head.ts';
import { LabelMap } from './labels.ts';
import { weightOptions, type LoadedModel } from './load.ts';
import { checkTask, type FinetuneTask } from './task.ts';

/** A network ready to run. */
export interface Network {
  readonly model: HeadModel;
  readonly task: FinetuneTask;
  /** Classes; undefined unless the task is classification. */
  readonly labels: LabelMap | undefined;
  /** Parameters that the checkpoint lacks and that started from the seed. */
  readonly fresh: readonly string[];
  /** The adapter that was loaded with the model. */
  readonly adapter: Adapter | undefined;
}

/** What a network is built for. */
export interface NetworkOptions {
  readonly task: FinetuneTask;
  /** Classes of the task. */
  readonly labels?: LabelMap | undefined;
  /** Seed of parameters that the checkpoint lacks. */
  readonly seed?: number;
  /** Weights that are only read may stay f16 or bf16, at half the memory; otherwise all become f32. */
  readonly keepStorage?: boolean;
}

/**
 * Reads the weights and builds the network; each call makes one of its own. A classifier for other classes
 * than the task's is not loaded but starts fresh. Throws InputError when the model has no head for the task or the
 * checkpoint does not fit.
 */
export async function buildNetwork(loaded: LoadedModel, options: NetworkOptions): Promise<Network> {
  const { task, labels } = options;
  checkTask(task, loaded.tasks, loaded.name);
  const names = labels && { labelNames: labels.names };
  const model = emptyModel(paddedConfig(loaded, task), task, names ?? {});
  const file = keepsHead(loaded, model, labels)
    ? loaded.folder.tensors
    : withoutClassifier(loaded.folder.tensors);
  const { initialized } = await loadWeights(model, file, {
    seed: options.seed ?? 0,
    keepStorage: options.keepStorage ?? false,
    ...weightOptions(loaded),
  });
  const adapter = loaded.adapter && (await loadAdapter(model, loaded.adapter.folder)).adapter;
  return {
    model,
    task,
    labels,
    fresh: initialized.filter((name) => !adapter?.trainable.has(name)),
    adapter,
  };
}

/** A network of the same shapes without weights, for planning: it takes no memory until it runs. */
export function shellOf(loaded: LoadedModel, { task, labels, fresh }: Network): Network {
  const names = labels && { labelNames: labels.names };
  const model = emptyModel(paddedConfig(loaded, task), task, names ?? {});
  return { model, task, labels, fresh, adapter: undefined };
}

/**
 * Decoders find the last token of a text by the padding token, and many configurations have none: the tokenizer's is
 * taken, or else the token that ends a text, as is customary.
 */
function paddedConfig(
  { folder, tokenizer }: LoadedModel,
  task: FinetuneTask,
): Readonly<Record<string, unknown>> {
  const { values } = folder.config;
  const pad = tokenizer.padId ?? tokenizer.eosId;
  const has = (values['pad_token_id'] ?? -1) !== -1;
  return has || pad === undefined || task === 'causal-lm'
    ? values
    : { ...values, pad_token_id: pad };
}

/** Whether the checkpoint's classifier tells the task's classes apart. */
function keepsHead(
  { folder, labelNames }: LoadedModel,
  model: HeadModel,
  labels?: LabelMap,
): boolean {
  const output = outputWeight((name) => folder.tensors.has(name));
  if (output === undefined) return true;
  if (labels) return labelNames !== undefined && labels.names.join('\n') === labelNames.join('\n');
  return folder.tensors.entry(output).shape[0] === model.limits.labels.count;
}

function withoutClassifier(file: WeightFile): WeightFile {
  const names = file.names.filter((name) => !isOutput(name));
  return { ...file, names };
}

/**
 * The task and the classes that a model (with its adapter) was trained for. Throws InputError where it has no
 * trained head.
 */
export function trainedFor(loaded: LoadedModel): NetworkOptions {
  const { adapter, labelNames, tasks, name } = loaded;
  if (adapter) return { task: adapter.task, labels: adapterLabels(loaded) };
  if (labelNames && tasks.includes('classification'))
    return labelNames.length === 1
      ? { task: 'regression' }
      : { task: 'classification', labels: new LabelMap(labelNames, name) };
  if (tasks.includes('causal-lm')) return { task: 'causal-lm' };
  throw new InputError(
    `${name} has no trained head for ${tasks.join(' or ')}; give an adapter (--adapter DIR), or fine-tune it first.`,
  );
}

/** An adapter of PEFT has no names: the model's own are taken, else the numbers. */
function adapterLabels({ adapter, folder, labelNames }: LoadedModel): LabelMap | undefined {
  if (adapter?.task !== 'classification') return undefined;
  if (adapter.labels) return new LabelMap(adapter.labels, adapter.folder.name);
  const count = adapter.outputs ?? labelNames?.length ?? 2;
  const names = labelNames?.length === count ? labelNames : undefined;
  return new LabelMap(names ?? Array.from({ length: count }, (_, i) => String(i)), folder.name);
}
