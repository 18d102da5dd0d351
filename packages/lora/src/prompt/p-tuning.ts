/**
 * @file P_TUNING: embeddings before the text, made by a network of three linear layers (Liu et al. 2021,
 * https://arxiv.org/abs/2103.10385, as in PEFT). Files hold what the network makes.
 */
import type { Config } from '@camada/hub';
import type { Model } from '@camada/nn';
import { InputError } from '@camada/tensor';
import type { ModelMethod } from '../method/method.ts';
import { wrongField } from '../peft/common.ts';
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
import { restoredEmbeddings, virtualEmbeddings } from './embeddings.ts';
import { freshEmbedding, network } from './learnt.ts';
import { transformer } from './part.ts';

/** Settings of P-tuning. */
export interface PTuningConfig extends PromptConfig {
  /** A new adapter has an MLP; files of both kinds are read. */
  readonly encoder_reparameterization_type: 'MLP' | 'LSTM';
  /** Width of the network. */
  readonly encoder_hidden_size: number;
  /** PEFT's; the MLP always has three layers and no dropout. */
  readonly encoder_num_layers: number;
  readonly encoder_dropout: number;
}

/** What a user says. */
export type PTuningOptions = PromptOptions & Partial<Pick<PTuningConfig, 'encoder_hidden_size'>>;

/** Complete settings for a model; the network is as wide as the model where nothing is said. Throws InputError. */
export function pTuningConfig(model: Model, options: PTuningOptions): PTuningConfig {
  const width = options.encoder_hidden_size ?? model.config.hidden_size;
  checkCount(width, 'P-tuning', 'encoder_hidden_size');
  return {
    ...promptConfig(model, options),
    encoder_reparameterization_type: 'MLP',
    encoder_hidden_size: width,
    encoder_num_layers: 2,
    encoder_dropout: 0,
  };
}

function parse(source: Config): PTuningConfig {
  const type = source.string('encoder_reparameterization_type', 'MLP');
  if (type !== 'MLP' && type !== 'LSTM')
    throw wrongField(source.file, 'encoder_reparameterization_type', type, 'MLP or LSTM');
  const shared = readPrompt(source);
  return {
    ...shared,
    encoder_reparameterization_type: type,
    encoder_hidden_size: source.integer('encoder_hidden_size', shared.token_dim),
    encoder_num_layers: source.integer('encoder_num_layers', 2),
    encoder_dropout: source.number('encoder_dropout', 0),
  };
}

/** P-tuning. */
export const P_TUNING: ModelMethod<PTuningConfig> = {
  kind: 'model',
  peftType: 'P_TUNING',
  prefix: 'base_model.',
  keys: [
    ...PROMPT_KEYS,
    'encoder_reparameterization_type',
    'encoder_hidden_size',
    'encoder_num_layers',
    'encoder_dropout',
  ],
  parse,
  record: promptRecord,
  ...restoredEmbeddings,
  fresh(module, config, seed) {
    if (config.encoder_reparameterization_type === 'LSTM')
      throw new InputError(
        'P-tuning: a new prompt encoder with an LSTM is not offered; use MLP, which PEFT recommends (trained ones can be loaded)',
      );
    const model = transformer(module);
    const { num_virtual_tokens: tokens, token_dim: width, encoder_hidden_size: hidden } = config;
    checkFitsModel(model, config, model.config.hidden_size);
    const layers = [
      { name: 'mlp_head.0', from: width, to: hidden },
      { name: 'mlp_head.2', from: hidden, to: hidden },
      { name: 'mlp_head.4', from: hidden, to: width },
    ];
    const embedding = freshEmbedding(tokens, width, seed);
    const learnt = network(embedding, layers, (x) => x.relu(), seed);
    return virtualEmbeddings(model, tokens, learnt);
  },
};
