/** @file Settings that methods with virtual tokens share: PEFT's `PromptLearningConfig`. */
import type { Config, JsonRecord } from '@camada/hub';
import type { Model } from '@camada/nn';
import { InputError } from '@camada/tensor';
import { PEFT_KEYS, readPeftFields, wrongField, type PeftConfig } from '../peft/common.ts';

/** Settings of an adapter with virtual tokens. */
export interface PromptConfig extends PeftConfig {
  /** P, virtual tokens before each text. */
  readonly num_virtual_tokens: number;
  /** Width of what is learnt for a token: C, or for keys and values K·D. */
  readonly token_dim: number;
  /** 1: only decoder-only and encoder-only models are offered. */
  readonly num_transformer_submodules: 1;
  /** Heads H; with prefix tuning those of keys, K. */
  readonly num_attention_heads: number;
  /** Blocks of the model. */
  readonly num_layers: number;
}

/** What a user says about every adapter with virtual tokens. */
export type PromptOptions = Partial<PeftConfig> & Pick<PromptConfig, 'num_virtual_tokens'>;

/** Keys of `PromptConfig`. */
export const PROMPT_KEYS: readonly string[] = [
  ...PEFT_KEYS,
  'num_virtual_tokens',
  'token_dim',
  'num_transformer_submodules',
  'num_attention_heads',
  'num_layers',
];

/** Completes settings from a model. Throws InputError on a number of tokens that is not possible. */
export function promptConfig(model: Model, options: PromptOptions): PromptConfig {
  const { hidden_size, num_attention_heads, num_hidden_layers } = model.config;
  return checkPrompt(
    {
      task_type: options.task_type ?? null,
      base_model_name_or_path: options.base_model_name_or_path ?? null,
      modules_to_save: options.modules_to_save ?? null,
      num_virtual_tokens: options.num_virtual_tokens,
      token_dim: hidden_size,
      num_transformer_submodules: 1,
      num_attention_heads,
      num_layers: num_hidden_layers,
    },
    'prompt',
  );
}

/** Reads the shared settings of a file. Throws InputError on wrong fields. */
export function readPrompt(source: Config): PromptConfig {
  const modules = source.integer('num_transformer_submodules', 1);
  if (modules !== 1)
    throw wrongField(source.file, 'num_transformer_submodules', modules, '1 (no encoder-decoder)');
  const config: PromptConfig = {
    ...readPeftFields(source),
    num_virtual_tokens: source.integer('num_virtual_tokens'),
    token_dim: source.integer('token_dim'),
    num_transformer_submodules: 1,
    num_attention_heads: source.integer('num_attention_heads'),
    num_layers: source.integer('num_layers'),
  };
  return checkPrompt(config, source.file);
}

function checkPrompt(config: PromptConfig, place: string): PromptConfig {
  const sizes = ['num_virtual_tokens', 'token_dim', 'num_attention_heads', 'num_layers'] as const;
  for (const field of sizes) checkCount(config[field], place, field);
  return config;
}

/** Throws InputError unless it is a whole number from 1. */
export function checkCount(value: number, place: string, field: string): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw wrongField(place, field, value, 'a whole number from 1');
}

/** The record to write: the settings as they are. */
export function promptRecord(config: PromptConfig): JsonRecord {
  return { ...config };
}

/** Throws InputError unless the model can carry virtual tokens of this config. */
export function checkFitsModel(model: Model, config: PromptConfig, width: number): void {
  const { num_hidden_layers, max_position_embeddings: positions } = model.config;
  if (config.token_dim !== width || config.num_layers !== num_hidden_layers)
    throw new InputError(
      `the adapter was made for ${config.num_layers} blocks and a width of ${config.token_dim}, but the model has ` +
        `${num_hidden_layers} and ${width}: was it trained for another model?`,
    );
  if (config.num_virtual_tokens >= positions)
    throw new InputError(
      `${config.num_virtual_tokens} virtual tokens leave no room for text in ${positions} positions; use fewer`,
    );
}
