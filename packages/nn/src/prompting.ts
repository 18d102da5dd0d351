/**
 * @file Virtual tokens: an adapter's P tokens stand before each row of a batch, as in PEFT, with ids that follow the
 * vocabulary's. Their embeddings, or their keys and values, are learnt; masks, positions and the cache of a generation
 * see tokens like any other.
 */
import { arange, concat, scalar, where, type Tensor } from '@camada/tensor';
import type { Batch } from './batch.ts';
import type { Context } from './context.ts';
import type { PromptPass, PromptValues } from './prompt-pass.ts';

/** What an adapter adds to the passes of a transformer; it is put into the model's field `prompting`. */
export interface Prompting {
  /** P; 0 for gated prompts, which are no tokens. */
  readonly tokens: number;
  /** Called once a pass. */
  values(context: Context): PromptValues;
}

/** A batch and the context of its pass. */
export interface PromptedBatch {
  readonly batch: Batch;
  readonly context: Context;
}

/** A batch with P virtual tokens before each row, and a context that says what they are; both as they were without. */
export function prompted(
  batch: Batch,
  context: Context,
  prompting: Prompting | undefined,
  vocabulary: number,
): PromptedBatch {
  if (!prompting) return { batch, context };
  const longer = prompting.tokens > 0 ? withVirtual(batch, prompting.tokens, vocabulary) : batch;
  const prompt = { ...prompting.values(context), ids: longer.inputIds, vocabulary };
  return { batch: longer, context: { ...context, prompt } };
}

function withVirtual(batch: Batch, tokens: number, vocabulary: number): Batch {
  const rows = batch.inputIds.shape[0]!;
  const before = (x: Tensor, y: Tensor): Tensor => concat([x.expand([rows, tokens]), y], 1);
  const same = (value: number): Tensor => scalar(value, 'i32').reshape([1, 1]);
  return {
    ...batch,
    inputIds: before(arange(tokens).add(scalar(vocabulary, 'i32')), batch.inputIds), // [B, P + T]
    attentionMask: before(same(1), batch.attentionMask),
    ...(batch.tokenTypeIds && { tokenTypeIds: before(same(0), batch.tokenTypeIds) }),
  };
}

/** A look-up of rows by id, [...n] to [...n, C]. */
export interface TokenTable {
  call(ids: Tensor, context: Context): Tensor;
}

/** Embeddings of i32 ids [B, T], virtual ones included: [B, T, C]. */
export function embedTokens(table: TokenTable, ids: Tensor, context: Context): Tensor {
  const { prompt } = context;
  const virtual = prompt?.embeddings ?? prompt?.past;
  if (!prompt || !virtual) return table.call(ids, context);
  const words = table.call(ids.minimum(scalar(prompt.vocabulary - 1, 'i32')), context); // [B, T, C]
  if (!prompt.embeddings) return words; // what stands for virtual tokens is not looked at
  const learnt = prompt.embeddings.gather(virtualIndex(prompt, prompt.embeddings.shape[0]!));
  return where(isVirtual(prompt).unsqueeze(-1), learnt, words);
}

/** Keys and values of a block, [B, K, T, D]. */
interface HeadPair {
  readonly key: Tensor;
  readonly value: Tensor;
}

/** Keys and values [B, K, T, D] of a block with those of the virtual tokens as learnt, where they are. */
export function withPast(pair: HeadPair, block: number, { prompt }: Context): HeadPair {
  const past = prompt?.past?.[block];
  if (!prompt || !past) return pair;
  const index = virtualIndex(prompt, past.key.shape[0]!); // [B, T]
  const virtual = isVirtual(prompt).unsqueeze(1).unsqueeze(-1); // [B, 1, T, 1]
  const placed = (learnt: Tensor, own: Tensor): Tensor =>
    where(virtual, learnt.gather(index).permute([0, 2, 1, 3]), own); // [B, K, T, D]
  return { key: placed(past.key, pair.key), value: placed(past.value, pair.value) };
}

/** Hidden states without the columns that only carried learnt keys and values: [B, P + T, C] to [B, T, C]. */
export function withoutPast(hidden: Tensor, { prompt }: Context): Tensor {
  const past = prompt?.past?.[0];
  return past ? hidden.slice(1, past.key.shape[0]!, hidden.shape[1]!) : hidden;
}

/** The last T columns: what belongs to the tokens of a batch. [B, P + T, C] to [B, T, C]. */
export function ofBatch(hidden: Tensor, { inputIds }: Batch): Tensor {
  const length = hidden.shape[1]!;
  const own = inputIds.shape[1]!;
  return length === own ? hidden : hidden.slice(1, length - own, length);
}

/** The mask of hidden states [B, P + T, C], 1 for virtual tokens: i32 [B, P + T]. */
export function maskOf(hidden: Tensor, { attentionMask }: Batch): Tensor {
  const more = hidden.shape[1]! - attentionMask.shape[1]!;
  return more === 0 ? attentionMask : attentionMask.pad([0, more], [0, 0], 1);
}

function isVirtual({ ids, vocabulary }: PromptPass): Tensor {
  return ids.ge(scalar(vocabulary, 'i32')); // [B, T]
}

function virtualIndex({ ids, vocabulary }: PromptPass, tokens: number): Tensor {
  const index = ids.sub(scalar(vocabulary, 'i32')).maximum(scalar(0, 'i32'));
  return index.minimum(scalar(tokens - 1, 'i32')); // [B, T]
}
