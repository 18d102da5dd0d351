/**
 * @file Text generation with a key-value cache of fixed size. A prompt is padded to a power of two and the cache
 * to another, so few programs serve all lengths: one for the prompt, one for every token after it.
 */
import { InputError, tensor, type Tensor, type TypedArray } from '@camada/tensor';
import { createBatch } from './batch.ts';
import { createContext, seedKey, type Context } from './context.ts';
import type { KeyValueCache } from './models/key-value-cache.ts';
import type { LlamaForCausalLM } from './models/llama-causal.ts';
import { Random } from './rng.ts';
import { sampleToken } from './sample.ts';

/** How to continue a prompt. */
export interface GenerateOptions {
  /** Most tokens to add. */
  readonly maxNewTokens: number;
  /** 0 (the default) is greedy; above, tokens are drawn. */
  readonly temperature?: number;
  /** Only the k likeliest tokens are in the draw. */
  readonly topK?: number;
  /** Seed of the draws; 0 when left out. */
  readonly seed?: number;
  /** Ids that end the text; the configuration's `eos_token_id` when left out. */
  readonly eosTokenIds?: readonly number[];
}

/** Least length that a prompt is padded to. */
const SMALLEST_BUCKET = 16;

/**
 * New token ids one by one, without the prompt and without the end token. Stops at an end token, after
 * `maxNewTokens`, or where the model's positions end. The same seed gives the same ids. Throws InputError on an
 * empty prompt, unknown ids or a prompt that leaves no position free.
 */
export async function* generateTokens(
  model: LlamaForCausalLM,
  prompt: readonly number[],
  options: GenerateOptions,
): AsyncGenerator<number> {
  const end = checkedEnd(model, prompt, options);
  if (end === prompt.length) return;
  const store = model.createCache(bucket(end, model.config.max_position_embeddings));
  try {
    yield* continuation(model, prompt, end, store, options);
  } finally {
    store.dispose();
  }
}

/** All tokens of `generateTokens`. */
export async function generate(
  model: LlamaForCausalLM,
  prompt: readonly number[],
  options: GenerateOptions,
): Promise<number[]> {
  const ids: number[] = [];
  for await (const id of generateTokens(model, prompt, options)) ids.push(id);
  return ids;
}

async function* continuation(
  model: LlamaForCausalLM,
  prompt: readonly number[],
  end: number,
  store: KeyValueCache,
  options: GenerateOptions,
): AsyncGenerator<number> {
  const context = createContext();
  const random = new Random(seedKey(options.seed ?? 0));
  const ends = new Set(options.eosTokenIds ?? model.config.eos_token_id);
  const choice = { ...options, temperature: options.temperature ?? 0 };
  let logits = await taken(prefill(model, prompt, store, context));
  for (let position = prompt.length; ; position++) {
    const id = sampleToken(logits, choice, random);
    if (ends.has(id)) return;
    yield id;
    if (position + 1 >= end) return;
    const input = tensor(Int32Array.of(id), [1, 1]);
    logits = await taken(model.decode(input, position, store, context));
    input.dispose();
  }
}

/** The elements of a tensor that is not needed afterwards: its memory does not wait for the collector. */
async function taken(x: Tensor): Promise<TypedArray> {
  const data = await x.data();
  x.dispose();
  return data;
}

/** Logits [1, V] after the last token of the prompt. */
function prefill(
  model: LlamaForCausalLM,
  prompt: readonly number[],
  store: KeyValueCache,
  context: Context,
): Tensor {
  const length = bucket(prompt.length, store.capacity);
  const rows = { inputIds: [prompt], positions: [prompt.length - 1] };
  return model.prefill(createBatch(rows, model.limits, length), store, context);
}

/** Number of tokens, prompt included, at which generation stops at the latest. */
function checkedEnd(
  model: LlamaForCausalLM,
  prompt: readonly number[],
  { maxNewTokens, temperature = 0 }: GenerateOptions,
): number {
  const limit = model.config.max_position_embeddings;
  if (prompt.length === 0) throw new InputError('generate: the prompt has no tokens');
  if (!(Number.isInteger(maxNewTokens) && maxNewTokens >= 0))
    throw new InputError(
      `generate: maxNewTokens ${maxNewTokens} is not a whole number of at least 0`,
    );
  if (!(Number.isFinite(temperature) && temperature >= 0))
    throw new InputError(`generate: temperature ${temperature} is not a number of at least 0`);
  if (prompt.length >= limit)
    throw new InputError(
      `generate: a prompt of ${prompt.length} tokens leaves no room in ${limit} positions`,
    );
  return Math.min(prompt.length + maxNewTokens, limit);
}

/** The power of two that holds `length`, at most `limit`. */
function bucket(length: number, limit: number): number {
  const power = 2 ** Math.ceil(Math.log2(Math.max(length, SMALLEST_BUCKET)));
  return Math.min(power, limit);
}
