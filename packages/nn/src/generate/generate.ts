/**
 * @file Text generation with a key-value cache of fixed size. Prompts are padded on the left to one of few lengths, and
 * so is the cache, so few programs serve all texts: one for the prompts, one for every token after them.
 */
import { capture, tensor, type Tensor, type TypedArray } from '@camada/tensor';
import { createContext } from '../context.ts';
import type { KeyValueCache } from '../models/decoder/cache.ts';
import type { CausalLM } from '../models/decoder/causal.ts';
import { mostPositions } from '../models/decoder/config.ts';
import { checkGeneration, type GenerateOptions } from './options.ts';
import { Row } from './row.ts';

/** New ids of one step, one a row; undefined where the row has ended. */
export type GeneratedStep = readonly (number | undefined)[];

/** A batch of prompts and what follows them. */
interface Texts {
  /** Virtual ids included. */
  readonly prompts: readonly (readonly number[])[];
  readonly rows: readonly Row[];
  /** Columns of the prompts, padding included. */
  readonly length: number;
}

/** Least length that prompts are padded to; from `STEP` on, lengths are multiples of it. */
const SMALLEST = 16;
const STEP = 256;

/**
 * New token ids one by one, without the prompt and without the end token. Stops at an end token, where `stop` says
 * so, after `maxNewTokens`, or where the model's positions end. The same seed gives the same ids. Throws InputError as
 * `checkGeneration` does.
 */
export async function* generateTokens(
  model: CausalLM,
  prompt: readonly number[],
  options: GenerateOptions,
): AsyncGenerator<number> {
  for await (const [id] of generateSteps(model, [prompt], options)) if (id !== undefined) yield id;
}

/** All tokens of `generateTokens`. */
export async function generate(
  model: CausalLM,
  prompt: readonly number[],
  options: GenerateOptions,
): Promise<number[]> {
  const [ids = []] = await generateBatch(model, [prompt], options);
  return ids;
}

/** What follows each of several prompts, computed together; row 0 draws what it would draw alone. */
export async function generateBatch(
  model: CausalLM,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Promise<number[][]> {
  const texts: number[][] = prompts.map(() => []);
  for await (const step of generateSteps(model, prompts, options))
    for (const [row, id] of step.entries()) if (id !== undefined) texts[row]!.push(id);
  return texts;
}

/** As `generateTokens` for several prompts: one id a row at each step, until all have ended. */
export async function* generateSteps(
  model: CausalLM,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): AsyncGenerator<GeneratedStep> {
  checkGeneration(model, prompts, options);
  const virtual = model.virtualIds;
  const limit = mostPositions(model.config) - virtual.length;
  const ends = new Set(options.eosTokenIds ?? model.config.eos_token_id);
  const room = prompts.map(({ length }) => Math.min(options.maxNewTokens, limit - length));
  const rows = prompts.map(
    (prompt, index) => new Row({ prompt, index, room: room[index]!, ends }, options),
  );
  const whole = prompts.map((prompt) => [...virtual, ...prompt]);
  const length = padded(Math.max(...whole.map((prompt) => prompt.length)));
  const cache = model.createCache({
    starts: whole.map((prompt) => length - prompt.length),
    columns: padded(length + Math.max(...room)),
    longest: Math.max(...whole.map((prompt, row) => prompt.length + room[row]!)),
  });
  try {
    yield* steps(model, { prompts: whole, rows, length }, cache);
  } finally {
    cache.dispose();
  }
}

async function* steps(
  model: CausalLM,
  { prompts, rows, length }: Texts,
  cache: KeyValueCache,
): AsyncGenerator<GeneratedStep> {
  const context = createContext();
  if (rows.every(({ done }) => done)) return;
  // The graph of a token is built for the first two of them only.
  const decode = capture((ids: Tensor, numbers: { readonly column: number }) =>
    model.decode(ids, () => numbers.column, cache, context),
  );
  let ids = promptIds(prompts, length, model.limits.padTokenId);
  let result = model.prefill(ids, cache, context); // [B, V]
  for (let column = length; ; column++) {
    const logits = await taken(result);
    ids.dispose();
    const size = logits.length / rows.length;
    const step = rows.map((row, i) => row.next(logits.subarray(i * size, (i + 1) * size)));
    if (step.some((id) => id !== undefined)) yield step;
    if (rows.every(({ done }) => done)) return;
    ids = tensor(
      Int32Array.from(rows, ({ last }) => last),
      [rows.length, 1],
    );
    result = await decode(ids, { column });
  }
}

/** The elements of a tensor that is not needed afterwards: its memory does not wait for the collector. */
async function taken(x: Tensor): Promise<TypedArray> {
  const data = await x.data();
  x.dispose();
  return data;
}

/** Prompts [B, T], padded on the left. */
function promptIds(prompts: Texts['prompts'], length: number, filler: number): Tensor {
  const data = new Int32Array(prompts.length * length).fill(filler);
  prompts.forEach((prompt, row) => data.set(prompt, (row + 1) * length - prompt.length));
  return tensor(data, [prompts.length, length]);
}

/** The length that `count` tokens are padded to. */
function padded(count: number): number {
  if (count > STEP) return Math.ceil(count / STEP) * STEP;
  return 2 ** Math.ceil(Math.log2(Math.max(count, SMALLEST)));
}
