/** @file A model as a GGUF file: configuration and tokenizer as metadata, weights in llama.cpp's layout. */
import { InputError } from '@camada/tensor';
import { isRecord, type JsonRecord } from '../bytes/text.ts';
import type { ModelWeight } from '../safetensors/checkpoint.ts';
import { convertFloats } from '../safetensors/convert.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizer.ts';
import { changeOf, GGUF_ARCHITECTURES, ggufName, type GgufArchitecture } from './architectures.ts';
import { BLOCK_FORMATS } from './blocks.ts';
import { reorderRotary, transposed, type Heads } from './changes.ts';
import { vocabularyMetadata } from './export-vocabulary.ts';
import { llama3Factors } from './rope.ts';
import { encodeGguf, type WrittenTensor, type WrittenType, type WrittenValue } from './write.ts';

/** What is written. */
export interface GgufModel {
  /** `config.json`. */
  readonly config: JsonRecord;
  /** The tokenizer; without one only the weights are written. */
  readonly tokenizer?: TokenizerFiles | undefined;
  readonly weights: readonly ModelWeight[];
  /** How matrices are stored; vectors are always F32, and rows that blocks do not divide F16. */
  readonly type: WrittenType;
  /** `general.name`. */
  readonly name?: string;
}

/** `general.file_type`. */
const FILE_TYPES: Readonly<Record<WrittenType, number>> = { F32: 0, F16: 1, Q8_0: 7 };

/**
 * The bytes of a GGUF file in order, one weight in memory at a time. Throws `InputError` when GGUF has no place for the
 * architecture, a weight or the tokenizer.
 */
export function modelToGguf(model: GgufModel): AsyncGenerator<Uint8Array> {
  const { name, architecture } = findArchitecture(model.config);
  const metadata = new Map<string, WrittenValue>([
    ['general.architecture', ['text', name]],
    ['general.type', ['text', 'model']],
    ...(model.name === undefined ? [] : [['general.name', ['text', model.name]] as const]),
    ['general.file_type', ['u32', FILE_TYPES[model.type]]],
    ['general.quantization_version', ['u32', 2]],
    ...configEntries(model.config, name, architecture),
    ...(model.tokenizer ? vocabularyMetadata(model.tokenizer, vocabularySize(model)) : []),
  ]);
  const heads = headsOf(model.config);
  const tensors = model.weights.flatMap((weight) =>
    isTiedHead(weight, model.config)
      ? []
      : [writtenTensor(weight, architecture, heads, model.type)],
  );
  return encodeGguf(metadata, [...tensors, ...scalingTensors(model.config)]);
}

function findArchitecture(config: JsonRecord): { name: string; architecture: GgufArchitecture } {
  const plainMistral = config['model_type'] === 'mistral' && !config['sliding_window'];
  const type = plainMistral ? 'llama' : config['model_type'];
  const found = Object.entries(GGUF_ARCHITECTURES).find(([, { modelType }]) => modelType === type);
  if (found) return { name: found[0], architecture: found[1] };
  const known = Object.values(GGUF_ARCHITECTURES).map(({ modelType }) => modelType);
  throw new InputError(
    `config.json: model_type ${JSON.stringify(config['model_type'])} cannot be written to GGUF; ${known.join(', ')} can.`,
  );
}

function headsOf(config: JsonRecord): Heads {
  const query = Number(config['num_attention_heads'] ?? config['n_head'] ?? 1);
  return { query, key: Number(config['num_key_value_heads'] ?? query) };
}

function vocabularySize({ config, weights }: GgufModel): number {
  const rows = weights.find(({ name }) => /(embed_tokens|wte)\.weight$/.test(name))?.shape[0];
  return rows ?? Number(config['vocab_size']);
}

/** Fractions are f32, counts u32. */
const FRACTIONS: ReadonlySet<string> = new Set([
  'attention.layer_norm_rms_epsilon',
  'attention.layer_norm_epsilon',
  'rope.freq_base',
  'attn_logit_softcapping',
  'final_logit_softcapping',
]);

function configEntries(
  config: JsonRecord,
  name: string,
  { numbers }: GgufArchitecture,
): (readonly [string, WrittenValue])[] {
  const entries: (readonly [string, WrittenValue])[] = [];
  for (const [key, stored] of Object.entries(numbers)) {
    const value = config[key] ?? fallback(config, key);
    if (typeof value === 'number')
      entries.push([`${name}.${stored}`, [FRACTIONS.has(stored) ? 'f32' : 'u32', value]]);
  }
  const width = config['head_dim'] ?? fallback(config, 'head_dim');
  if (typeof width === 'number' && 'rope_theta' in numbers) {
    if ('head_dim' in numbers) entries.push([`${name}.attention.value_length`, ['u32', width]]);
    const share = Number(config['partial_rotary_factor'] ?? 1);
    entries.push([`${name}.rope.dimension_count`, ['u32', width * share]]);
  }
  return [...entries, ...scalingEntries(config, name), ...idEntries(config)];
}

/** Special tokens by their ids; the tokenizer, where there is one, has the last word. */
function idEntries(config: JsonRecord): (readonly [string, WrittenValue])[] {
  return (['bos', 'eos', 'pad'] as const).flatMap((name) => {
    const value = config[`${name}_token_id`];
    const id: unknown = Array.isArray(value) ? value[0] : value;
    const key = `tokenizer.ggml.${name === 'pad' ? 'padding' : name}_token_id`;
    return typeof id === 'number' && id >= 0 ? [[key, ['u32', id]] as const] : [];
  });
}

/** What Hugging Face leaves out where it follows from the rest. */
function fallback(config: JsonRecord, key: string): number | undefined {
  if (key === 'num_key_value_heads') return Number(config['num_attention_heads']);
  if (key === 'head_dim')
    return Number(config['hidden_size']) / Number(config['num_attention_heads']) || undefined;
  if (key === 'n_inner') return 4 * Number(config['n_embd']);
  return undefined;
}

/** The rotary scaling by its type; undefined where there is none. */
function scalingOf(config: JsonRecord): JsonRecord | undefined {
  const scaling = config['rope_scaling'];
  if (!isRecord(scaling)) return undefined;
  const type = scaling['rope_type'] ?? scaling['type'] ?? 'default';
  if (type === 'default') return undefined;
  if (type === 'linear' || type === 'llama3' || type === 'yarn') return { ...scaling, type };
  throw new InputError(
    `config.json: rope_scaling of type ${JSON.stringify(type)} cannot be written to GGUF; linear, yarn and llama3 can.`,
  );
}

function scalingEntries(config: JsonRecord, name: string): (readonly [string, WrittenValue])[] {
  const scaling = scalingOf(config);
  if (!scaling || scaling['type'] === 'llama3') return [];
  const original = scaling['original_max_position_embeddings'];
  const key = `${name}.rope.scaling`;
  return [
    [`${key}.type`, ['text', String(scaling['type'])]],
    [`${key}.factor`, ['f32', Number(scaling['factor'])]],
    ...(typeof original === 'number'
      ? [[`${key}.original_context_length`, ['u32', original]] as const]
      : []),
  ];
}

/** Llama 3's scaling is a tensor of factors. */
function scalingTensors(config: JsonRecord): WrittenTensor[] {
  const scaling = scalingOf(config);
  if (scaling?.['type'] !== 'llama3') return [];
  const width = Number(config['head_dim'] ?? fallback(config, 'head_dim'));
  const number = (key: string): number => Number(scaling[key]);
  const data = llama3Factors(
    {
      factor: number('factor'),
      low_freq_factor: number('low_freq_factor'),
      high_freq_factor: number('high_freq_factor'),
      original_max_position_embeddings: number('original_max_position_embeddings'),
    },
    Number(config['rope_theta'] ?? 10000),
    width,
  );
  const shape = [width / 2];
  return [
    { name: 'rope_freqs.weight', type: 'F32', shape, read: () => ({ dtype: 'f32', shape, data }) },
  ];
}

/** A head that shares the embeddings is not stored twice. */
function isTiedHead({ name }: ModelWeight, config: JsonRecord): boolean {
  return name === 'lm_head.weight' && config['tie_word_embeddings'] === true;
}

function writtenTensor(
  weight: ModelWeight,
  architecture: GgufArchitecture,
  heads: Heads,
  type: WrittenType,
): WrittenTensor {
  const { name, shape } = weight;
  const stored = ggufName(architecture, name);
  if (stored === undefined)
    throw new InputError(
      `GGUF has no place for "${name}" in ${architecture.modelType}; save as safetensors instead.`,
    );
  const change = changeOf(architecture, stored);
  const stands = change === 'transposed' ? [...shape].reverse() : shape;
  return {
    name: stored,
    type: storedType(stands, type),
    shape: stands,
    read: async () => {
      const tensor = convertFloats(await weight.read(), 'f32');
      const data = changed(Float32Array.from(tensor.data), shape, change, heads);
      return { dtype: 'f32', shape: stands, data };
    },
  };
}

function storedType(shape: readonly number[], type: WrittenType): WrittenType {
  if (shape.length < 2) return 'F32';
  return (shape.at(-1) ?? 0) % BLOCK_FORMATS[type].blockSize === 0 ? type : 'F16';
}

function changed(
  data: Float32Array,
  shape: readonly number[],
  change: ReturnType<typeof changeOf>,
  heads: Heads,
): Float32Array {
  const rows = shape[0] ?? 1;
  switch (change) {
    case 'rotary-query':
      return reorderRotary(data, rows, heads.query, true);
    case 'rotary-key':
      return reorderRotary(data, rows, heads.key, true);
    case 'plus-one':
      return data.map((value) => value + 1);
    case 'transposed':
      return transposed(data, rows);
    case undefined:
      return data;
  }
}
