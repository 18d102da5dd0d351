/**
 * @file PROMPT_TUNING: learnt embeddings before the text (Lester et al. 2021, https://arxiv.org/abs/2104.08691). They
 * begin as random numbers, as random words, or as the words of a text.
 */
import type { Config, JsonRecord } from '@camada/hub';
import { Random, parameterKey, type Model, type Module } from '@camada/nn';
import { InputError, tensor, type Tensor } from '@camada/tensor';
import { readSaved } from '../adapter/saved.ts';
import type { ModelMethod } from '../method/method.ts';
import { wrongField } from '../peft/common.ts';
import {
  checkFitsModel,
  PROMPT_KEYS,
  promptConfig,
  promptRecord,
  readPrompt,
  type PromptConfig,
  type PromptOptions,
} from './config.ts';
import { restoredEmbeddings, virtualEmbeddings } from './embeddings.ts';
import { direct, freshEmbedding } from './learnt.ts';
import { transformer, type PromptPart } from './part.ts';

/** How a prompt begins. */
export type PromptInit = 'RANDOM' | 'SAMPLE_VOCAB' | 'TEXT';

/** Settings of prompt tuning. */
export interface PromptTuningConfig extends PromptConfig {
  readonly prompt_tuning_init: PromptInit;
  readonly prompt_tuning_init_text: string | null;
  /** PEFT asks for it where there is a text. */
  readonly tokenizer_name_or_path: string | null;
}

/** What a user says. */
export type PromptTuningOptions = PromptOptions &
  Partial<
    Pick<
      PromptTuningConfig,
      'prompt_tuning_init' | 'prompt_tuning_init_text' | 'tokenizer_name_or_path'
    >
  >;

/** Complete settings for a model; words of the vocabulary begin where nothing is said. Throws InputError. */
export function promptTuningConfig(model: Model, options: PromptTuningOptions): PromptTuningConfig {
  return checked(
    {
      ...promptConfig(model, options),
      prompt_tuning_init: options.prompt_tuning_init ?? 'SAMPLE_VOCAB',
      prompt_tuning_init_text: options.prompt_tuning_init_text ?? null,
      tokenizer_name_or_path: options.tokenizer_name_or_path ?? null,
    },
    'prompt tuning',
  );
}

const INITS: readonly PromptInit[] = ['RANDOM', 'SAMPLE_VOCAB', 'TEXT'];

function parse(source: Config): PromptTuningConfig {
  const init = source.string('prompt_tuning_init', 'RANDOM');
  const known = INITS.find((name) => name === init);
  if (!known) throw wrongField(source.file, 'prompt_tuning_init', init, INITS.join(', '));
  const text = (key: string): string | null => (source.has(key) ? source.string(key) : null);
  const config = {
    ...readPrompt(source),
    prompt_tuning_init: known,
    prompt_tuning_init_text: text('prompt_tuning_init_text'),
    tokenizer_name_or_path: text('tokenizer_name_or_path'),
  };
  return checked(config, source.file);
}

function checked(config: PromptTuningConfig, place: string): PromptTuningConfig {
  if (config.prompt_tuning_init !== 'TEXT' || config.prompt_tuning_init_text) return config;
  throw wrongField(place, 'prompt_tuning_init_text', config.prompt_tuning_init_text, 'a text');
}

/** PEFT refuses TEXT without the name of a tokenizer. */
function record(config: PromptTuningConfig): JsonRecord {
  const named = config.tokenizer_name_or_path !== null;
  if (config.prompt_tuning_init !== 'TEXT' || named) return promptRecord(config);
  return { ...promptRecord(config), prompt_tuning_init: 'RANDOM', prompt_tuning_init_text: null };
}

/** Prompt tuning. */
export const PROMPT_TUNING: ModelMethod<PromptTuningConfig> = {
  kind: 'model',
  peftType: 'PROMPT_TUNING',
  prefix: 'base_model.',
  keys: [
    ...PROMPT_KEYS,
    'prompt_tuning_init',
    'prompt_tuning_init_text',
    'tokenizer_name_or_path',
    'tokenizer_kwargs',
  ],
  parse,
  record,
  ...restoredEmbeddings,
  fresh: (model, config, seed) => freshPrompt(model, config, seed, undefined),
};

/** Prompt tuning that begins with a text: the same method, told the ids of `prompt_tuning_init_text`. */
export function promptTuningFrom(textIds: readonly number[]): ModelMethod<PromptTuningConfig> {
  return {
    ...PROMPT_TUNING,
    fresh: (model, config, seed) => freshPrompt(model, config, seed, textIds),
  };
}

async function freshPrompt(
  module: Module,
  config: PromptTuningConfig,
  seed: number,
  textIds: readonly number[] | undefined,
): Promise<PromptPart> {
  const model = transformer(module);
  checkFitsModel(model, config, model.config.hidden_size);
  const { prompt_tuning_init: init, num_virtual_tokens: tokens, token_dim: width } = config;
  if (init === 'RANDOM')
    return virtualEmbeddings(model, tokens, direct(freshEmbedding(tokens, width, seed)));
  const ids = init === 'TEXT' ? repeated(textIds, tokens) : sampled(model, tokens, seed);
  return virtualEmbeddings(model, tokens, direct(await rowsOf(model, ids)));
}

/** As PEFT: cut, or repeated from its beginning. */
function repeated(ids: readonly number[] | undefined, count: number): number[] {
  if (!ids || ids.length === 0)
    throw new InputError(
      'prompt tuning from a text needs its token ids; tokenize prompt_tuning_init_text and use promptTuningFrom(ids)',
    );
  return Array.from({ length: count }, (_, i) => ids[i % ids.length]!);
}

function sampled({ config }: Model, count: number, seed: number): number[] {
  const random = new Random(parameterKey(seed, 'prompt_tuning_init'));
  return Array.from({ length: count }, () => Math.floor(random.uniform() * config.vocab_size));
}

async function rowsOf(model: Model, ids: readonly number[]): Promise<Tensor> {
  const outside = ids.find((id) => !(id >= 0 && id < model.config.vocab_size));
  if (outside !== undefined)
    throw new InputError(`prompt tuning: the vocabulary has no token ${outside}`);
  const table = readSaved(model, model.wordEmbeddings);
  const rows = table.cast('f32').gather(tensor(Int32Array.from(ids)));
  return tensor(await rows.data(), [ids.length, table.shape[1]!]);
}
