/**
 * @file PREFIX_TUNING: learnt keys and values of P virtual tokens in every block (Li and Liang 2021,
 * https://arxiv.org/abs/2101.00190), directly or through a network in training (`prefix_projection`). Files hold keys and
 * values: [P, 2·L·K·D], for each block first its keys.
 */
import type { Config } from '@camada/hub';
import type { Model, PastPair } from '@camada/nn';
import { InputError, type Tensor } from '@camada/tensor';
import type { ModelMethod } from '../method/method.ts';
import {
  checkCount,
  checkFitsModel,
  PROMPT_KEYS,
  promptConfig,
  promptRecord,
  readPrompt,
  type PromptConfig,
  type PromptOptions,
} from './config.ts';
import { direct, freshEmbedding, network, type Learnt } from './learnt.ts';
import { PROMPT_EMBEDDINGS, PromptPart, transformer } from './part.ts';
import { storedPrompt } from './stored.ts';

/** Settings of prefix tuning. */
export interface PrefixTuningConfig extends PromptConfig {
  /** Width of the network. */
  readonly encoder_hidden_size: number;
  /** Whether a network makes keys and values in training. */
  readonly prefix_projection: boolean;
}

/** What a user says. */
export type PrefixTuningOptions = PromptOptions &
  Partial<Pick<PrefixTuningConfig, 'encoder_hidden_size' | 'prefix_projection'>>;

/** Architectures whose attention takes keys and values from outside; the same as PEFT's, and Phi-3. */
const WITH_PAST: readonly string[] = [
  'bert',
  'roberta',
  'xlm-roberta',
  'gpt2',
  'llama',
  'mistral',
  'qwen2',
  'qwen3',
  'gemma',
  'gemma2',
  'gemma3_text',
  'phi3',
];

/** Heads of keys, and their width together. */
function keySizes({ config }: Model): { readonly heads: number; readonly width: number } {
  const sizes = config as { readonly num_key_value_heads?: number; readonly head_dim?: number };
  const heads = sizes.num_key_value_heads ?? config.num_attention_heads;
  const head = sizes.head_dim ?? config.hidden_size / config.num_attention_heads;
  return { heads, width: heads * head };
}

/** Complete settings for a model; the network is as wide as keys are where nothing is said. Throws InputError. */
export function prefixTuningConfig(model: Model, options: PrefixTuningOptions): PrefixTuningConfig {
  const { heads, width } = keySizes(model);
  const hidden = options.encoder_hidden_size ?? width;
  checkCount(hidden, 'prefix tuning', 'encoder_hidden_size');
  return {
    ...promptConfig(model, options),
    token_dim: width,
    num_attention_heads: heads,
    encoder_hidden_size: hidden,
    prefix_projection: options.prefix_projection ?? false,
  };
}

function parse(source: Config): PrefixTuningConfig {
  const shared = readPrompt(source);
  return {
    ...shared,
    encoder_hidden_size: source.integer('encoder_hidden_size', shared.token_dim),
    prefix_projection: source.boolean('prefix_projection', false),
  };
}

/** Prefix tuning. */
export const PREFIX_TUNING: ModelMethod<PrefixTuningConfig> = {
  kind: 'model',
  peftType: 'PREFIX_TUNING',
  prefix: 'base_model.',
  keys: [...PROMPT_KEYS, 'encoder_hidden_size', 'prefix_projection'],
  parse,
  record: promptRecord,
  owns: (key) => key === PROMPT_EMBEDDINGS,
  fresh(module, config, seed) {
    const model = carrier(transformer(module), config);
    return prefixPart(model, config, freshPrefix(config, seed));
  },
  restore(module, config, tensors) {
    const model = carrier(transformer(module), config);
    const { num_virtual_tokens: tokens, token_dim: width, num_layers: blocks } = config;
    return prefixPart(model, config, direct(storedPrompt(tensors, [tokens, 2 * blocks * width])));
  },
};

function carrier(model: Model, config: PrefixTuningConfig): Model {
  if (!WITH_PAST.includes(model.config.model_type))
    throw new InputError(
      `prefix tuning is not offered for ${model.config.model_type}, whose attention takes no keys from outside ` +
        `(nor in PEFT); use prompt tuning, or one of ${WITH_PAST.join(', ')}`,
    );
  checkFitsModel(model, config, keySizes(model).width);
  return model;
}

function freshPrefix(config: PrefixTuningConfig, seed: number): Learnt {
  const { num_virtual_tokens: tokens, token_dim: width, num_layers, encoder_hidden_size } = config;
  const all = 2 * num_layers * width;
  if (!config.prefix_projection) return direct(freshEmbedding(tokens, all, seed));
  const layers = [
    { name: 'transform.0', from: width, to: encoder_hidden_size },
    { name: 'transform.2', from: encoder_hidden_size, to: all },
  ];
  return network(freshEmbedding(tokens, width, seed), layers, (x) => x.tanh(), seed);
}

function prefixPart(model: Model, config: PrefixTuningConfig, learnt: Learnt): PromptPart {
  const { heads, width } = keySizes(model);
  const { num_virtual_tokens: tokens, num_layers: blocks } = config;
  const past = (all: Tensor): PastPair[] => {
    const split = all.reshape([tokens, 2 * blocks, heads, width / heads]);
    const part = (i: number): Tensor => split.slice(1, i, i + 1).squeeze(1); // [P, K, D]
    return Array.from({ length: blocks }, (_, i) => ({ key: part(2 * i), value: part(2 * i + 1) }));
  };
  return new PromptPart(tokens, learnt, (all) => ({ past: past(all) }));
}
