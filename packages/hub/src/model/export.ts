/** @file A model as files in a format of choice: safetensors in one of three types, or one GGUF file. */
import type { Folder } from '../bytes/folder.ts';
import type { JsonRecord } from '../bytes/text.ts';
import { jsonBytes, type Chunks } from '../bytes/write.ts';
import { modelToGguf } from '../gguf/export.ts';
import { checkpointFiles, type ModelWeight } from '../safetensors/checkpoint.ts';
import type { TensorReader } from '../safetensors/read.ts';
import { tokenizerFiles } from '../tokenizer/load.ts';

/** How weights are stored. */
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

/** What is saved. */
export interface ExportedModel {
  /** `config.json`. */
  readonly config: JsonRecord;
  readonly weights: readonly ModelWeight[];
  /** Where the tokenizer's files are. */
  readonly folder: Folder;
}

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
  'spm.model',
  'chat_template.jinja',
  'generation_config.json',
];

const GGUF_TYPES = { 'gguf-f32': 'F32', 'gguf-f16': 'F16', 'gguf-q8_0': 'Q8_0' } as const;

const TORCH_TYPES = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' } as const;

/**
 * The files of a model by name: weights, `config.json` and the tokenizer's; as GGUF one file with everything in it. Weights
 * are read while they are written, one at a time. Throws `InputError` when GGUF has no place for the model.
 */
export async function exportModel(
  { config, weights, folder }: ExportedModel,
  { format = 'f32', maxShardBytes }: SaveOptions = {},
): Promise<Map<string, Chunks>> {
  if (format !== 'f32' && format !== 'f16' && format !== 'bf16') {
    const tokenizer = await tokenizerFiles(folder);
    const type = GGUF_TYPES[format];
    return new Map([['model.gguf', modelToGguf({ config, tokenizer, weights, type })]]);
  }
  const typed: Record<string, unknown> = { ...config };
  for (const key of ['torch_dtype', 'dtype']) if (key in config) typed[key] = TORCH_TYPES[format];
  return new Map<string, Chunks>([
    ...checkpointFiles(weights, format, maxShardBytes === undefined ? {} : { maxShardBytes }),
    ['config.json', [jsonBytes(typed)]],
    ...(await companions(folder)),
  ]);
}

async function companions(folder: Folder): Promise<(readonly [string, Chunks])[]> {
  const files: (readonly [string, Chunks])[] = [];
  for (const name of COMPANIONS) {
    const source = await folder.open(name);
    if (source) files.push([name, [await source.read(0, source.size)]]);
  }
  return files;
}

/** The weights of a checkpoint as they are; buffers of integers (`position_ids`) are none. */
export function storedWeights(tensors: TensorReader): readonly ModelWeight[] {
  const names = tensors.names.filter((name) => !/^(I|U|BOOL)/.test(tensors.entry(name).dtype));
  return names.map((name) => ({
    name,
    shape: tensors.entry(name).shape,
    read: () => tensors.read(name),
  }));
}
