/** @file A network as a Hugging Face folder: weights, configuration and tokenizer. */
import { encodeSafetensors, jsonBytes, type Folder, type TensorData } from '@camada/hub';
import { namedParameters } from '@camada/nn';
import { RECORD_FILE, type CamadaRecord } from '../model/adapter.ts';
import type { LoadedModel } from '../model/load.ts';
import type { Network } from '../model/network.ts';
import type { Files } from './folder.ts';

/** Files that go with a model unchanged, where it has them. */
const COMPANIONS: readonly string[] = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.txt',
  'vocab.json',
  'merges.txt',
  'tokenizer.model',
  'generation_config.json',
];

/** `model.safetensors` (f32), `config.json`, the tokenizer's files and `camada.json`. */
export async function modelFiles(
  { folder }: LoadedModel,
  network: Network,
  record: CamadaRecord,
): Promise<Files> {
  const tensors = new Map<string, TensorData>();
  for (const [name, parameter] of namedParameters(network.model)) {
    const data = Float32Array.from(await parameter.data());
    tensors.set(name, { dtype: 'f32', shape: parameter.shape, data });
  }
  return new Map([
    ['model.safetensors', encodeSafetensors(tensors)],
    ['config.json', [jsonBytes(configOf(folder.config.values, network))]],
    ...(await companions(folder.folder)),
    [RECORD_FILE, [jsonBytes(record)]],
  ]);
}

/** The configuration it came with, under the name of the class that it is now. */
function configOf(
  original: Readonly<Record<string, unknown>>,
  { model, task, labels }: Network,
): Readonly<Record<string, unknown>> {
  const config: Record<string, unknown> = { ...original };
  config['architectures'] = model.config.architectures;
  for (const key of ['torch_dtype', 'dtype']) if (key in config) config[key] = 'float32';
  if (task === 'causal-lm') return config;
  config['pad_token_id'] ??= model.limits.padTokenId;
  const names = labels?.names ?? ['LABEL_0'];
  config['id2label'] = Object.fromEntries(names.map((name, i) => [String(i), name]));
  config['label2id'] = Object.fromEntries(names.map((name, i) => [name, i]));
  config['problem_type'] = task === 'regression' ? 'regression' : 'single_label_classification';
  return config;
}

async function companions(folder: Folder): Promise<(readonly [string, readonly Uint8Array[]])[]> {
  const files: (readonly [string, readonly Uint8Array[]])[] = [];
  for (const name of COMPANIONS) {
    const source = await folder.open(name);
    if (source) files.push([name, [await source.read(0, source.size)]]);
  }
  return files;
}
