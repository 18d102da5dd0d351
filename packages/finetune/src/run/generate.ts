/** @file Text from a language model, with or without adapter. */
import { InputError } from '@camada/tensor';
import { CausalLM, generateTokens, type GenerateOptions } from '@camada/nn';
import type { LoadedModel } from '../model/load.ts';
import { buildNetwork } from '../model/network.ts';

/** Choices of `generateText`. */
export interface TextOptions extends Omit<GenerateOptions, 'eosTokenIds'> {
  /** The text to continue. */
  readonly prompt: string;
  /** Called with the new text so far, after each token. */
  readonly onText?: (text: string) => void;
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
  if (!loaded.tasks.includes('causal-lm'))
    throw new InputError(
      `${loaded.name} is no causal language model, so it cannot generate text; name one, such as a Llama.`,
    );
  const { model } = await buildNetwork(loaded, { task: 'causal-lm' });
  if (!(model instanceof CausalLM))
    throw new InputError(
      `${loaded.name}: generation is not offered for ${model.config.model_type}.`,
    );
  const prompt = loaded.tokenizer.encode(options.prompt).ids;
  const tokens: number[] = [];
  const text = continuation(loaded, prompt);
  for await (const token of generateTokens(model, prompt, options)) {
    tokens.push(token);
    options.onText?.(text(tokens));
  }
  return { text: text(tokens), tokens };
}

/** Decodes with the prompt in front: decoders drop the space before a first word. */
function continuation(
  { tokenizer }: LoadedModel,
  prompt: readonly number[],
): (tokens: readonly number[]) => string {
  const decode = (ids: readonly number[]): string =>
    tokenizer.decode(ids, { skipSpecialTokens: true });
  const before = decode(prompt).length;
  return (tokens) => decode([...prompt, ...tokens]).slice(before);
}
