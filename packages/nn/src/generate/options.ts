/** @file How to continue texts. */
import { InputError } from '@camada/tensor';
import type { CausalLM } from '../models/decoder/causal.ts';
import { checkSampling, type SampleOptions } from '../sample.ts';

/** How to continue a prompt. */
export interface GenerateOptions extends SampleOptions {
  /** Most tokens to add. */
  readonly maxNewTokens: number;
  /** Seed of the draws; 0 when left out. */
  readonly seed?: number;
  /** Ids that end a text; the configuration's `eos_token_id` when left out. */
  readonly eosTokenIds?: readonly number[];
  /** Asked after each new token; true ends the row, whose last token stays. */
  readonly stop?: (tokens: readonly number[], row: number) => boolean;
}

/**
 * Throws InputError when prompts are empty, have unknown ids or leave no position free, or when a setting is out of
 * its range.
 */
export function checkGeneration(
  model: CausalLM,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): void {
  checkSampling(options);
  const { maxNewTokens } = options;
  if (!(Number.isInteger(maxNewTokens) && maxNewTokens >= 0))
    throw new InputError(
      `generate: maxNewTokens ${maxNewTokens} is not a whole number of at least 0`,
    );
  if (prompts.length === 0) throw new InputError('generate: there are no prompts');
  for (const [row, prompt] of prompts.entries()) checkPrompt(model, prompt, row);
}

function checkPrompt({ config, limits }: CausalLM, prompt: readonly number[], row: number): void {
  const limit = limits.maxLength;
  const known = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < config.vocab_size;
  const unknown = prompt.find((id) => !known(id));
  if (prompt.length === 0) throw new InputError(`generate: prompt ${row} has no tokens`);
  if (unknown !== undefined)
    throw new InputError(
      `generate: prompt ${row}: token id ${unknown} is not in 0 to ${config.vocab_size - 1}; is the tokenizer the ` +
        "model's own?",
    );
  if (prompt.length >= limit)
    throw new InputError(
      `generate: a prompt of ${prompt.length} tokens leaves no room in ${limit} positions`,
    );
}
