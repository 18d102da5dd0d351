/** @file A network as the files of a model: weights, configuration and tokenizer. */
import { exportModel, jsonBytes, type SaveOptions, type TensorData } from '@camada/hub';
import { weightValues } from '@camada/nn';
import { RECORD_FILE, type CamadaRecord } from '../model/adapter.ts';
import type { LoadedModel } from '../model/load.ts';
import type { Network } from '../model/network.ts';
import type { Files } from './folder.ts';

/**
 * The files of a network's model, in a format of choice (`exportModel`), and `camada.json`. Throws InputError when the format
 * has no place for the model.
 */
export async function modelFiles(
  { folder }: LoadedModel,
  network: Network,
  record: CamadaRecord,
  options: SaveOptions = {},
): Promise<Files> {
  const weights = weightValues(network.model).map(({ name, shape, value }) => ({
    name,
    shape,
    read: async (): Promise<TensorData> => ({
      dtype: 'f32',
      shape,
      data: Float32Array.from(await value().data()),
    }),
  }));
  const config = configOf(folder.config.values, network);
  const files = await exportModel({ config, weights, folder: folder.folder }, options);
  return files.set(RECORD_FILE, [jsonBytes(record)]);
}

/** The configuration it came with, under the name of the class that it is now. */
function configOf(
  original: Readonly<Record<string, unknown>>,
  { model, task, labels }: Network,
): Readonly<Record<string, unknown>> {
  const config: Record<string, unknown> = { ...original };
  config['architectures'] = model.config.architectures;
  if (task === 'causal-lm') return config;
  config['pad_token_id'] ??= model.limits.padTokenId;
  const names = labels?.names ?? ['LABEL_0'];
  config['id2label'] = Object.fromEntries(names.map((name, i) => [String(i), name]));
  config['label2id'] = Object.fromEntries(names.map((name, i) => [name, i]));
  config['problem_type'] = task === 'regression' ? 'regression' : 'single_label_classification';
  return config;
}
