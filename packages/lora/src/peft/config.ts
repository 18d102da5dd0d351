/**
 * @file What a LoRA adapter is: PEFT's `LoraConfig`, with PEFT's own field names, so that the record and
 * `adapter_config.json` are the same thing (https://github.com/huggingface/peft, `tuners/lora/config.py`).
 */
import { InputError } from '@camada/tensor';
import { checkPattern } from './pattern.ts';

/** A LoRA adapter's settings. */
export interface LoraConfig {
  /** The kind of model, such as `SEQ_CLS` or `CAUSAL_LM`; null where it does not matter. */
  readonly task_type: string | null;
  /** The model it was trained on. */
  readonly base_model_name_or_path: string | null;
  /** Rank R. */
  readonly r: number;
  /** Numerator of the scale: alpha / R, or alpha / √R with `use_rslora`. */
  readonly lora_alpha: number;
  /** Probability that an input of the adapter is dropped in training. */
  readonly lora_dropout: number;
  /** Modules to adapt: names matched at the end of the path, or one pattern for the whole path. */
  readonly target_modules: readonly string[] | string;
  /** Modules left out, written as `target_modules` are. */
  readonly exclude_modules: readonly string[] | string | null;
  /** Layers to adapt; null for all. Goes with a list of names only. */
  readonly layers_to_transform: readonly number[] | null;
  /** Names of the lists that hold the layers, such as `layers`; null for any. */
  readonly layers_pattern: readonly string[] | null;
  /** Ranks of single modules, by a pattern for the end of the path. */
  readonly rank_pattern: Readonly<Record<string, number>>;
  /** Alphas of single modules, by a pattern for the end of the path. */
  readonly alpha_pattern: Readonly<Record<string, number>>;
  /** Modules that are trained in full and stored with the adapter, such as `classifier`. */
  readonly modules_to_save: readonly string[] | null;
  /** Which biases of the model are trained: none, all, or those of the adapted modules. */
  readonly bias: 'none' | 'all' | 'lora_only';
  /** Scale alpha / √R instead of alpha / R (arXiv 2312.03732). */
  readonly use_rslora: boolean;
  /** Whether adapted weights are stored as [in, out] (GPT-2's Conv1D). */
  readonly fan_in_fan_out: boolean;
  /** How A and B begin: true and `gaussian` leave the model as it is at first; see PEFT. */
  readonly init_lora_weights: boolean | string;
}

/** PEFT's defaults. */
export const LORA_DEFAULTS: Omit<LoraConfig, 'target_modules'> = {
  task_type: null,
  base_model_name_or_path: null,
  r: 8,
  lora_alpha: 8,
  lora_dropout: 0,
  exclude_modules: null,
  layers_to_transform: null,
  layers_pattern: null,
  rank_pattern: {},
  alpha_pattern: {},
  modules_to_save: null,
  bias: 'none',
  use_rslora: false,
  fan_in_fan_out: false,
  init_lora_weights: true,
};

/** Settings that a user gives; the others are PEFT's defaults. */
export type LoraOptions = Partial<LoraConfig> & Pick<LoraConfig, 'target_modules'>;

/** A complete config. Throws `InputError` naming the field that is not allowed; `place` is file or call. */
export function loraConfig(options: LoraOptions, place = 'LoRA'): LoraConfig {
  const config: LoraConfig = { ...LORA_DEFAULTS, ...options };
  checkNumbers(config, place);
  checkTargets(config, place);
  for (const pattern of [
    ...Object.keys(config.rank_pattern),
    ...Object.keys(config.alpha_pattern),
  ]) {
    checkPattern(pattern, `${place}: rank_pattern or alpha_pattern`);
  }
  for (const pattern of config.layers_pattern ?? [])
    checkPattern(pattern, `${place}: layers_pattern`);
  return config;
}

function checkNumbers(config: LoraConfig, place: string): void {
  const { r, lora_alpha, lora_dropout } = config;
  const ranks = [['r', r], ...Object.entries(config.rank_pattern)] as const;
  for (const [name, rank] of ranks) {
    if (!Number.isSafeInteger(rank) || rank < 1)
      throw wrong(place, name, rank, 'a whole number from 1');
  }
  const alphas = [['lora_alpha', lora_alpha], ...Object.entries(config.alpha_pattern)] as const;
  for (const [name, alpha] of alphas) {
    if (!Number.isFinite(alpha) || alpha <= 0) throw wrong(place, name, alpha, 'a number above 0');
  }
  if (!(lora_dropout >= 0 && lora_dropout < 1)) {
    throw wrong(place, 'lora_dropout', lora_dropout, 'a probability from 0 to below 1');
  }
}

function checkTargets(config: LoraConfig, place: string): void {
  const { target_modules, exclude_modules, layers_to_transform, layers_pattern } = config;
  if (target_modules.length === 0) {
    throw wrong(place, 'target_modules', target_modules, 'at least one module name, or a pattern');
  }
  for (const names of [target_modules, exclude_modules]) {
    if (typeof names === 'string')
      checkPattern(names, `${place}: target_modules or exclude_modules`);
  }
  if (layers_to_transform && typeof target_modules === 'string') {
    throw new InputError(
      `${place}: layers_to_transform goes with a list of target_modules, not with a pattern; ` +
        'put the layers into the pattern, or give a list of names.',
    );
  }
  if (layers_pattern && !layers_to_transform) {
    throw new InputError(
      `${place}: layers_pattern needs layers_to_transform; give the layers or drop layers_pattern.`,
    );
  }
}

function wrong(place: string, field: string, value: unknown, allowed: string): InputError {
  return new InputError(
    `${place}: ${field} is ${JSON.stringify(value) ?? String(value)}, but must be ${allowed}; change it.`,
  );
}
