/** @file An adapter folder before it is put on a model: for which task it is and which classes it knows. */
import { InputError } from '@camada/tensor';
import { isRecord, openFolder, readJsonRecord, type Folder, type JsonRecord } from '@camada/hub';
import { openAdapter, type AdapterData } from '@camada/lora';
import { outputWeight } from './head.ts';
import { TASKS, type FinetuneTask } from './task.ts';

/** File beside a PEFT adapter or a model in which Camada keeps what their formats have no place for. */
export const RECORD_FILE = 'camada.json';

/** Contents of `camada.json`. */
export interface CamadaRecord {
  readonly task: FinetuneTask;
  /** Class names in the order of the outputs; null where there are no classes. */
  readonly labels: readonly string[] | null;
  /** Most tokens of a text in training; longer texts are cut. */
  readonly maxLength: number;
}

/** An adapter on disk. */
export interface StoredAdapter {
  readonly folder: Folder;
  readonly data: AdapterData;
  readonly task: FinetuneTask;
  /** Class names; undefined where the adapter (of PEFT) does not carry them. */
  readonly labels: readonly string[] | undefined;
  /** Outputs of its classifier; undefined without one. */
  readonly outputs: number | undefined;
  /** Length that texts were cut to in training; undefined where it is not known. */
  readonly maxLength: number | undefined;
}

/** Reads what an adapter folder says about itself. Throws InputError when it is missing or damaged. */
export async function storedAdapter(directory: string | Folder): Promise<StoredAdapter> {
  const folder = await openFolder(directory);
  const data = await openAdapter(folder);
  const record = await readRecord(folder);
  const output = outputWeight((name) => data.parameters.has(name));
  const outputs = output === undefined ? undefined : data.parameters.get(output)?.shape[0];
  return {
    folder,
    data,
    task: record?.task ?? taskOf(data, outputs, folder.name),
    labels: record?.labels ?? undefined,
    outputs,
    maxLength: record?.maxLength,
  };
}

/** Reads `camada.json`; undefined where a folder has none. Throws InputError when it is damaged. */
export async function readRecord(folder: Folder): Promise<CamadaRecord | undefined> {
  const source = await folder.open(RECORD_FILE);
  if (!source) return undefined;
  const record = await readJsonRecord(source);
  const { labels, maxLength } = checked(record, source.name);
  return { task: taskIn(record, source.name), labels, maxLength };
}

function checked(record: JsonRecord, file: string): Pick<CamadaRecord, 'labels' | 'maxLength'> {
  const labels = record['labels'] ?? null;
  const maxLength = record['maxLength'];
  const named = Array.isArray(labels) && labels.every((name) => typeof name === 'string');
  const whole = typeof maxLength === 'number' && Number.isInteger(maxLength) && maxLength > 0;
  if (isRecord(record) && (labels === null || named) && whole) return { labels, maxLength };
  throw new InputError(
    `${file}: "labels" must be a list of names or null, and "maxLength" a whole number from 1; ` +
      'save the adapter again.',
  );
}

function taskIn(record: JsonRecord, file: string): FinetuneTask {
  const task = TASKS.find((known) => known === record['task']);
  if (task) return task;
  throw new InputError(
    `${file}: "task" is ${JSON.stringify(record['task'])}, but must be one of ${TASKS.join(', ')}.`,
  );
}

function taskOf({ config }: AdapterData, outputs: number | undefined, name: string): FinetuneTask {
  if (config.task_type === 'CAUSAL_LM') return 'causal-lm';
  if (config.task_type === 'SEQ_CLS' || outputs !== undefined)
    return outputs === 1 ? 'regression' : 'classification';
  throw new InputError(
    `${name}: adapter_config.json has the task_type ${JSON.stringify(config.task_type)}; ` +
      'only SEQ_CLS and CAUSAL_LM are supported.',
  );
}
