/** @file AdaLoRA's settings, PEFT's `AdaLoraConfig`. */
import type { Config } from '@camada/hub';
import { InputError } from '@camada/tensor';
import {
  checkLayerConfig,
  LAYER_DEFAULTS,
  readLayerFields,
  wrongField,
  type LayerConfig,
} from '../peft/common.ts';
import { checkDropout } from './config.ts';

/** AdaLoRA's settings. */
export interface AdaLoraConfig extends LayerConfig {
  /** Rank of every layer as training begins. */
  readonly init_r: number;
  /** Mean rank of a layer in the end. */
  readonly target_r: number;
  /** Numerator of the scale alpha / init_r. */
  readonly lora_alpha: number;
  /** Probability that an input of the adapter is dropped in training. */
  readonly lora_dropout: number;
  /** Steps before ranks begin to fall. */
  readonly tinit: number;
  /** Steps, the last ones, in which ranks stay as they are. */
  readonly tfinal: number;
  /** Steps between two allocations. */
  readonly deltaT: number;
  /** Smoothing of the importance. */
  readonly beta1: number;
  /** Smoothing of its uncertainty. */
  readonly beta2: number;
  /** Factor on the penalty that keeps A and B orthogonal. */
  readonly orth_reg_weight: number;
  /** Steps of the whole training. */
  readonly total_step: number;
  /** Which triplets of each layer are on, by `<path>.lora_E`; null before the first allocation. */
  readonly rank_pattern: Readonly<Record<string, readonly boolean[]>> | null;
}

/** Settings that a user gives; the others are PEFT's defaults. */
export type AdaLoraOptions = Partial<AdaLoraConfig> &
  Pick<AdaLoraConfig, 'target_modules' | 'total_step'>;

/** Keys of `adapter_config.json` that are AdaLoRA's own. */
export const ADALORA_KEYS: readonly string[] = [
  'init_r',
  'target_r',
  'lora_alpha',
  'lora_dropout',
  'tinit',
  'tfinal',
  'deltaT',
  'beta1',
  'beta2',
  'orth_reg_weight',
  'total_step',
  'rank_pattern',
  'init_lora_weights',
];

/** A complete config. Throws InputError naming the field that is not allowed. */
export function adaLoraConfig(options: AdaLoraOptions, place = 'AdaLoRA'): AdaLoraConfig {
  const config: AdaLoraConfig = {
    ...LAYER_DEFAULTS,
    init_r: 12,
    target_r: 8,
    lora_alpha: 8,
    lora_dropout: 0,
    tinit: 0,
    tfinal: 0,
    deltaT: 1,
    beta1: 0.85,
    beta2: 0.85,
    orth_reg_weight: 0.5,
    rank_pattern: null,
    ...options,
  };
  checkNumbers(config, place);
  checkLayerConfig(config, place);
  return config;
}

function checkNumbers(config: AdaLoraConfig, place: string): void {
  for (const field of ['init_r', 'target_r', 'deltaT', 'total_step'] as const)
    if (!Number.isSafeInteger(config[field]) || config[field] < 1)
      throw wrongField(place, field, config[field], 'a whole number from 1');
  for (const field of ['tinit', 'tfinal'] as const)
    if (!Number.isSafeInteger(config[field]) || config[field] < 0)
      throw wrongField(place, field, config[field], 'a whole number from 0');
  for (const field of ['beta1', 'beta2'] as const)
    if (!(config[field] > 0 && config[field] < 1))
      throw wrongField(place, field, config[field], 'a number between 0 and 1');
  for (const field of ['lora_alpha', 'orth_reg_weight'] as const)
    if (!(Number.isFinite(config[field]) && config[field] > 0))
      throw wrongField(place, field, config[field], 'a number above 0');
  checkDropout(config.lora_dropout, place, 'lora_dropout');
  const { target_r, init_r, tinit, tfinal, total_step } = config;
  if (target_r > init_r)
    throw wrongField(place, 'target_r', target_r, `at most init_r, which is ${init_r}`);
  if (tinit >= total_step - tfinal)
    throw new InputError(
      `${place}: tinit ${tinit} and tfinal ${tfinal} leave none of the ${total_step} steps to lower ranks in; ` +
        'make them smaller, or train longer.',
    );
}

/** Reads the settings of an `adapter_config.json`. Throws InputError on a wrong field. */
export function parseAdaLora(source: Config): AdaLoraConfig {
  const number = (key: string, fallback: number): number => source.number(key, fallback);
  const options: AdaLoraConfig = {
    ...readLayerFields(source),
    init_r: number('init_r', 12),
    target_r: number('target_r', 8),
    lora_alpha: number('lora_alpha', 8),
    lora_dropout: number('lora_dropout', 0),
    tinit: number('tinit', 0),
    tfinal: number('tfinal', 0),
    deltaT: number('deltaT', 1),
    beta1: number('beta1', 0.85),
    beta2: number('beta2', 0.85),
    orth_reg_weight: number('orth_reg_weight', 0.5),
    total_step: source.integer('total_step'),
    rank_pattern: readRanks(source),
  };
  return adaLoraConfig(options, source.file);
}

function readRanks(source: Config): AdaLoraConfig['rank_pattern'] {
  const section = source.section('rank_pattern');
  if (!section) return null;
  const isMask = (value: unknown): value is boolean[] =>
    Array.isArray(value) && value.every((on) => typeof on === 'boolean');
  return Object.fromEntries(
    Object.entries(section.values).map(([name, value]) => {
      if (isMask(value)) return [name, value];
      throw wrongField(section.file, name, value, 'a list of true and false');
    }),
  );
}
