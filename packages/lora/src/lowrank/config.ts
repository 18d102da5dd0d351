/**
 * @file The settings of a LoRA adapter: PEFT's `LoraConfig`, with PEFT's own field names, so that the record and
 * `adapter_config.json` are the same thing (https://github.com/huggingface/peft, `tuners/lora/config.py`).
 */
import type { Config, JsonRecord } from '@camada/hub';
import { InputError } from '@camada/tensor';
import {
  checkLayerConfig,
  LAYER_DEFAULTS,
  readLayerFields,
  readNumbers,
  wrongField,
  type LayerConfig,
} from '../peft/common.ts';
import { checkPattern } from '../peft/pattern.ts';
import { patternValue } from '../peft/targets.ts';

/** A LoRA adapter's settings. */
export interface LoraConfig extends LayerConfig {
  /** Rank R. */
  readonly r: number;
  /** Numerator of the scale: alpha / R, or alpha / √R with `use_rslora`. */
  readonly lora_alpha: number;
  /** Probability that an input of the adapter is dropped in training. */
  readonly lora_dropout: number;
  /** Ranks of single modules, by a pattern for the end of the path. */
  readonly rank_pattern: Readonly<Record<string, number>>;
  /** Alphas of single modules, by a pattern for the end of the path. */
  readonly alpha_pattern: Readonly<Record<string, number>>;
  /** Scale alpha / √R instead of alpha / R (arXiv 2312.03732). */
  readonly use_rslora: boolean;
  /** Train the size of each row of the weight apart from its direction (arXiv 2402.09353). */
  readonly use_dora: boolean;
  /** How A and B begin: true, `gaussian`, `pissa`, `pissa_niter_16`, `olora`, or false for numbers that are not zero. */
  readonly init_lora_weights: boolean | string;
}

/** PEFT's defaults. */
export const LORA_DEFAULTS: Omit<LoraConfig, 'target_modules'> = {
  ...LAYER_DEFAULTS,
  r: 8,
  lora_alpha: 8,
  lora_dropout: 0,
  rank_pattern: {},
  alpha_pattern: {},
  use_rslora: false,
  use_dora: false,
  init_lora_weights: true,
};

/** Settings that a user gives; the others are PEFT's defaults. */
export type LoraOptions = Partial<LoraConfig> & Pick<LoraConfig, 'target_modules'>;

/** A complete config. Throws `InputError` naming the field that is not allowed; `place` is file or call. */
export function loraConfig(options: LoraOptions, place = 'LoRA'): LoraConfig {
  const config: LoraConfig = { ...LORA_DEFAULTS, ...options };
  checkNumbers(config, place);
  checkLayerConfig(config, place);
  for (const pattern of [
    ...Object.keys(config.rank_pattern),
    ...Object.keys(config.alpha_pattern),
  ]) {
    checkPattern(pattern, `${place}: rank_pattern or alpha_pattern`);
  }
  return config;
}

function checkNumbers(config: LoraConfig, place: string): void {
  const { r, lora_alpha, lora_dropout } = config;
  const ranks = [['r', r], ...Object.entries(config.rank_pattern)] as const;
  for (const [name, rank] of ranks) {
    if (!Number.isSafeInteger(rank) || rank < 1)
      throw wrongField(place, name, rank, 'a whole number from 1');
  }
  const alphas = [['lora_alpha', lora_alpha], ...Object.entries(config.alpha_pattern)] as const;
  for (const [name, alpha] of alphas) {
    if (!Number.isFinite(alpha) || alpha <= 0)
      throw wrongField(place, name, alpha, 'a number above 0');
  }
  checkDropout(lora_dropout, place, 'lora_dropout');
}

/** Throws InputError unless it is a probability below 1. */
export function checkDropout(p: number, place: string, field: string): void {
  if (!(p >= 0 && p < 1)) throw wrongField(place, field, p, 'a probability from 0 to below 1');
}

/** Keys of `adapter_config.json` that are `LoraConfig`'s own. */
export const LORA_KEYS: readonly string[] = [
  'r',
  'lora_alpha',
  'lora_dropout',
  'rank_pattern',
  'alpha_pattern',
  'use_rslora',
  'use_dora',
  'init_lora_weights',
];

/** Reads the settings of an `adapter_config.json`. Throws InputError on a wrong field or a beginning that changes the base. */
export function parseLora(source: Config): LoraConfig {
  checkInit(source);
  const init = source.get('init_lora_weights');
  const config: LoraConfig = {
    ...readLayerFields(source),
    r: source.integer('r', 8),
    lora_alpha: source.number('lora_alpha', 8),
    lora_dropout: source.number('lora_dropout', 0),
    rank_pattern: readNumbers(source, 'rank_pattern'),
    alpha_pattern: readNumbers(source, 'alpha_pattern'),
    use_rslora: source.boolean('use_rslora', false),
    use_dora: source.boolean('use_dora', false),
    init_lora_weights: typeof init === 'string' ? init : source.boolean('init_lora_weights', true),
  };
  return loraConfig(config, source.file);
}

/** Beginnings that leave the model's own weights alone; with others the adapter fits changed weights. */
const KEPT_BASE: readonly string[] = ['gaussian', 'orthogonal', 'eva'];

function checkInit(source: Config): void {
  const init = source.get('init_lora_weights');
  if (typeof init !== 'string' || KEPT_BASE.includes(init)) return;
  throw new InputError(
    `${source.file}: init_lora_weights "${init}" changes the model's own weights, so the adapter does not fit ` +
      'the model as published; save it from PEFT as plain LoRA (path_initial_model_for_weight_conversion).',
  );
}

/** The record to write; keys that PEFT 0.6 lacks only where they say something. */
export function loraRecord(config: LoraConfig): JsonRecord {
  const { use_rslora, use_dora, exclude_modules, ...known } = config;
  return {
    ...known,
    ...(use_rslora ? { use_rslora } : {}),
    ...(use_dora ? { use_dora } : {}),
    ...(exclude_modules?.length ? { exclude_modules } : {}),
  };
}

/** Rank, alpha and scale of one module; the first pattern that fits the end of its path decides. */
export function moduleScale(
  path: string,
  config: Pick<LoraConfig, 'r' | 'lora_alpha' | 'rank_pattern' | 'alpha_pattern' | 'use_rslora'>,
): { readonly r: number; readonly alpha: number; readonly scale: number } {
  const r = patternValue(config.rank_pattern, path) ?? config.r;
  const alpha = patternValue(config.alpha_pattern, path) ?? config.lora_alpha;
  return { r, alpha, scale: alpha / (config.use_rslora ? Math.sqrt(r) : r) };
}
