/** @file What the configurations of all decoders share, with the keys of Hugging Face. */
import { InputError } from '@camada/tensor';
import type { RopeParameters } from '../../layers/rope-scaling.ts';
import type { ConfigReader } from '../config.ts';
import { labelNames, type LabelConfig } from '../labels.ts';

/** Where the queries of a block look: at all tokens before them, or at the last of these only. */
export type LayerType = 'full_attention' | 'sliding_attention';

/** All values of `LayerType`. */
export const LAYER_TYPES: readonly LayerType[] = ['full_attention', 'sliding_attention'];

/** Fields that heads, passes and generation use. */
export interface DecoderConfig extends LabelConfig {
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  /** One a block. */
  readonly layer_types: readonly LayerType[];
  /** Tokens that a query of a sliding block sees, its own included; null where there is no such block. */
  readonly sliding_window: number | null;
  /** The rotary embedding of each type of block; null where positions are embedded. */
  readonly rope: Readonly<Record<LayerType, RopeParameters>> | null;
  /** Cap c of the logits, c·tanh(x/c); null where there is none. */
  readonly final_logit_softcapping: number | null;
  readonly tie_word_embeddings: boolean;
  readonly pad_token_id: number | null;
  readonly bos_token_id: number | null;
  /** Ids that end a text. */
  readonly eos_token_id: readonly number[];
}

/** Token ids and labels, which all decoders write alike. */
export type CommonFields = Pick<
  DecoderConfig,
  | 'architectures'
  | 'initializer_range'
  | 'id2label'
  | 'problem_type'
  | 'pad_token_id'
  | 'bos_token_id'
  | 'eos_token_id'
>;

/** Reads the fields that all decoders write alike. Throws InputError that names a bad one. */
export function commonFields(read: ConfigReader): CommonFields {
  return {
    architectures: read.texts('architectures'),
    initializer_range: read.positive('initializer_range', 0.02),
    id2label: labelNames(read),
    problem_type: null,
    pad_token_id: optionalId(read, 'pad_token_id'),
    bos_token_id: optionalId(read, 'bos_token_id'),
    eos_token_id: endIds(read),
  };
}

/** Positions that a model has: some rotary embeddings reach further than the texts it was trained on. */
export function mostPositions({ max_position_embeddings: trained, rope }: DecoderConfig): number {
  const scaling = rope?.full_attention.scaling;
  if (scaling?.rope_type === 'dynamic') return Math.floor(trained * Math.max(1, scaling.factor));
  if (scaling?.rope_type !== 'yarn') return trained;
  return Math.max(trained, Math.floor(scaling.factor * scaling.original_max_position_embeddings));
}

/** A number above 0, or null where the file says null; `fallback` where it says nothing. */
export function optionalPositive(
  read: ConfigReader,
  key: string,
  fallback: number | null = null,
): number | null {
  if (!read.has(key)) return fallback;
  return read.get(key) === undefined ? null : read.positive(key);
}

/** A whole number from 1, or null where the file says null; `fallback` where it says nothing. */
export function optionalSize(
  read: ConfigReader,
  key: string,
  fallback: number | null = null,
): number | null {
  if (!read.has(key)) return fallback;
  return read.get(key) === undefined ? null : read.size(key);
}

/** `layer_types`, or what a family takes where it is absent. Throws InputError on another length or type. */
export function layerTypes(
  read: ConfigReader,
  count: number,
  usual: (block: number) => LayerType,
): LayerType[] {
  const given = read.get('layer_types');
  if (given === undefined) return Array.from({ length: count }, (_, block) => usual(block));
  const known = (type: unknown): type is LayerType => LAYER_TYPES.some((name) => name === type);
  if (Array.isArray(given) && given.length === count && given.every(known)) return given;
  throw read.bad('layer_types', given, `a list of ${count}, each of ${LAYER_TYPES.join(', ')}`);
}

/** Throws InputError when head counts do not divide or a token id is not in the vocabulary. */
export function checkDecoder(config: DecoderConfig): void {
  const { num_attention_heads: heads, num_key_value_heads: groups, vocab_size: size } = config;
  if (heads % groups !== 0)
    throw new InputError(
      `config.json: num_attention_heads ${heads} is not a multiple of num_key_value_heads ${groups}`,
    );
  if (config.layer_types.includes('sliding_attention') && config.sliding_window === null)
    throw new InputError("config.json: 'sliding_window' is missing, and layer_types asks for it");
  for (const id of [config.pad_token_id, config.bos_token_id, ...config.eos_token_id])
    if (id !== null && id >= size)
      throw new InputError(`config.json: token id ${id} is not below vocab_size ${size}`);
}

function optionalId(read: ConfigReader, key: string): number | null {
  const value = read.get(key);
  if (value === undefined || value === -1) return null;
  return read.index(key);
}

function endIds(read: ConfigReader): readonly number[] {
  const value = read.get('eos_token_id');
  if (Array.isArray(value) && value.every((id) => Number.isInteger(id) && id >= 0)) return value;
  const id = optionalId(read, 'eos_token_id');
  return id === null ? [] : [id];
}
