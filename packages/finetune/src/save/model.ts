/** @file A network as a Hugging Face folder: weights, configuration and tokenizer. */
import {
  checkpointFiles,
  jsonBytes,
  modelToGguf,
  tokenizerFiles,
  type Chunks,
  type Folder,
  type TensorData,
} from '@camada/hub';
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
  'chat_template.jinja',
  'generation_config.json',
];

/** How weights are stored: safetensors in one of three types, or one GGUF file. */
export const WEIGHT_FORMATS = ['f32', 'f16', 'bf16', 'gguf-f32', 'gguf-f16', 'gguf-q8_0'] as const;

/** One of `WEIGHT_FORMATS`. */
export type WeightFormat = (typeof WEIGHT_FORMATS)[number];

/** Choices of how a model is saved. */
export interface SaveOptions {
  /** f32 when left out. */
  readonly format?: WeightFormat;
  /** Bytes above which safetensors are split into shards; 5 GB. */
  readonly maxShardBytes?: number;
}

/**
 * A model as files: weights, `config.json`, the tokenizer's files and `camada.json`; as GGUF one file with everything in
 * it, and `camada.json`. Weights are read while they are written, one at a time. Throws InputError when GGUF has no place
 * for the model.
 */
export async function modelFiles(
  { folder }: LoadedModel,
  network: Network,
  record: CamadaRecord,
  { format = 'f32', maxShardBytes }: SaveOptions = {},
): Promise<Files> {
  const weights = [...namedParameters(network.model)].map(([name, parameter]) => ({
    name,
    shape: parameter.shape,
    read: async (): Promise<TensorData> => ({
      dtype: 'f32',
      shape: parameter.shape,
      data: Float32Array.from(await parameter.data()),
    }),
  }));
  const config = configOf(folder.config.values, network, format);
  const notes = [RECORD_FILE, [jsonBytes(record)]] as const;
  if (format === 'f32' || format === 'f16' || format === 'bf16')
    return new Map<string, Chunks>([
      ...checkpointFiles(weights, format, maxShardBytes === undefined ? {} : { maxShardBytes }),
      ['config.json', [jsonBytes(config)]],
      ...(await companions(folder.folder)),
      notes,
    ]);
  const tokenizer = await tokenizerFiles(folder.folder);
  const type = GGUF_TYPES[format];
  return new Map<string, Chunks>([
    ['model.gguf', modelToGguf({ config, tokenizer, weights, type, name: folder.name })],
    notes,
  ]);
}

const GGUF_TYPES = { 'gguf-f32': 'F32', 'gguf-f16': 'F16', 'gguf-q8_0': 'Q8_0' } as const;

const TORCH_TYPES: Readonly<Partial<Record<WeightFormat, string>>> = {
  f16: 'float16',
  bf16: 'bfloat16',
};

/** The configuration it came with, under the name of the class that it is now. */
function configOf(
  original: Readonly<Record<string, unknown>>,
  { model, task, labels }: Network,
  format: WeightFormat,
): Readonly<Record<string, unknown>> {
  const config: Record<string, unknown> = { ...original };
  config['architectures'] = model.config.architectures;
  for (const key of ['torch_dtype', 'dtype'])
    if (key in config) config[key] = TORCH_TYPES[format] ?? 'float32';
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
