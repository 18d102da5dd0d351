/** @file Text from a language model, with or without adapter. */
import { InputError } from '@camada/tensor';
import type { Tokenizer } from '@camada/hub';
import { CausalLM, generateSteps, type GenerateOptions, type SampleOptions } from '@camada/nn';
import type { LoadedModel } from '../model/load.ts';
import { buildNetwork } from '../model/network.ts';
import { GrowingText } from './growing-text.ts';

/** How to continue a text. */
export interface ContinueOptions extends SampleOptions {
  /** Most tokens to add. */
  readonly maxNewTokens: number;
  /** Seed of the draws; 0 when left out. */
  readonly seed?: number;
  /** The text ends before the first of these. */
  readonly stop?: readonly string[];
  /** Prompts are turns of a conversation, in the words of the model's chat template; texts as they stand when left out. */
  readonly chat?: ChatSetting;
}

/** A conversation before its first turn. */
export interface ChatSetting {
  /** What the model is told about itself. */
  readonly system?: string;
}

/** Choices of `generateText`. */
export interface TextOptions extends ContinueOptions {
  /** The text to continue. */
  readonly prompt: string;
  /** Called with the new text so far, whenever there is more of it. */
  readonly onText?: (text: string) => void;
}

/** Choices of `generateTexts`. */
export interface TextsOptions extends ContinueOptions {
  /** The texts to continue, all at once. */
  readonly prompts: readonly string[];
}

/** A continuation. */
export interface GeneratedText {
  /** The new text, without the prompt. */
  readonly text: string;
  /** Ids of the new tokens. */
  readonly tokens: readonly number[];
}

/** Continues a prompt. Throws InputError when the model is no language model or the prompt does not fit. */
export async function generateText(
  loaded: LoadedModel,
  options: TextOptions,
): Promise<GeneratedText> {
  const { prompt, onText = (): void => undefined } = options;
  const text = growingText(loaded, prompt, options);
  for await (const _ of growth(loaded, [text], options)) onText(text.shown);
  if (text.text !== text.shown) onText(text.text);
  return { text: text.text, tokens: text.tokens };
}

/** As `generateText`, in pieces as they come. */
export async function* streamText(
  loaded: LoadedModel,
  options: Omit<TextOptions, 'onText'>,
): AsyncGenerator<string> {
  const text = growingText(loaded, options.prompt, options);
  let given = 0;
  for await (const _ of growth(loaded, [text], options)) {
    yield text.shown.slice(given);
    given = text.shown.length;
  }
  if (text.text.length > given) yield text.text.slice(given);
}

/** Continues several prompts together; the first as `generateText` would. Throws InputError as that does. */
export async function generateTexts(
  loaded: LoadedModel,
  options: TextsOptions,
): Promise<GeneratedText[]> {
  const texts = options.prompts.map((prompt) => growingText(loaded, prompt, options));
  for await (const _ of growth(loaded, texts, options));
  return texts.map(({ text, tokens }) => ({ text, tokens }));
}

function growingText(
  { tokenizer }: LoadedModel,
  prompt: string,
  { stop = [], chat }: ContinueOptions,
): GrowingText {
  if (stop.includes('')) throw new InputError('generate: a stop string is empty; leave it out');
  const ids = chat ? turnIds(tokenizer, prompt, chat) : tokenizer.encode(prompt).ids;
  return new GrowingText(tokenizer, ids, stop);
}

/** The user's turn and the beginning of the answer; the template writes special tokens itself. */
function turnIds(tokenizer: Tokenizer, content: string, { system }: ChatSetting): number[] {
  const opening = system === undefined ? [] : [{ role: 'system', content: system }];
  const text = tokenizer.chat([...opening, { role: 'user', content }]);
  return tokenizer.encode(text, undefined, { addSpecialTokens: false }).ids;
}

/** Lets texts grow; yields whenever one of them can show more. */
async function* growth(
  loaded: LoadedModel,
  texts: readonly GrowingText[],
  { stop: _stop, chat: _chat, ...choices }: ContinueOptions,
): AsyncGenerator<void> {
  const model = await languageModel(loaded);
  const options: GenerateOptions = {
    ...choices,
    ...endIds(loaded),
    stop: (tokens, row) => texts[row]!.grow(tokens),
  };
  const prompts = texts.map(({ prompt }) => prompt);
  let shown = 0;
  for await (const _step of generateSteps(model, prompts, options)) {
    const now = texts.reduce((total, text) => total + text.shown.length, 0);
    if (now > shown) yield;
    shown = now;
  }
}

async function languageModel(loaded: LoadedModel): Promise<CausalLM> {
  if (!loaded.tasks.includes('causal-lm'))
    throw new InputError(
      `${loaded.name} is no causal language model, so it cannot generate text; name one, such as a Llama.`,
    );
  const { model } = await buildNetwork(loaded, { task: 'causal-lm', keepStorage: true });
  if (model instanceof CausalLM) return model;
  throw new InputError(`${loaded.name}: generation is not offered for ${model.config.model_type}.`);
}

/** Ids that end a text: chat models name more of them in `generation_config.json` than in `config.json`. */
function endIds({ folder }: LoadedModel): Pick<GenerateOptions, 'eosTokenIds'> {
  const value = folder.generation?.get('eos_token_id');
  const ids = [value].flat().filter((id) => Number.isInteger(id)) as number[];
  return ids.length > 0 ? { eosTokenIds: ids } : {};
}
