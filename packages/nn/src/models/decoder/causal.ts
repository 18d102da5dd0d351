/** @file A decoder that predicts the next token: training, and generation with a cache. */
import { scalar, type HostNumber, type Tensor } from '@camada/tensor';
import { IGNORED_LABEL, type Batch, type BatchLimits } from '../../batch.ts';
import type { Context } from '../../context.ts';
import { softCapped } from '../../layers/attention.ts';
import { Linear, type Layer } from '../../layers/linear.ts';
import { unembed } from '../../quantized/layers.ts';
import { crossEntropy } from '../../loss/cross-entropy.ts';
import { ofBatch } from '../../prompting.ts';
import { chosenRows, labelsOf } from '../head.ts';
import type { HeadOutput } from '../model.ts';
import type { CacheRows, KeyValueCache } from './cache.ts';
import { DecoderHead } from './head.ts';
import type { DecoderModel } from './model.ts';

/** A causal language model. */
export class CausalLM extends DecoderHead {
  /** Absent where it is tied to the embeddings. */
  lm_head?: Layer;

  /** Weights of the head start at zero: load or initialise them. */
  constructor(decoder: DecoderModel) {
    super(decoder);
    const { hidden_size, vocab_size, tie_word_embeddings } = decoder.config;
    if (!tie_word_embeddings) this.lm_head = new Linear(hidden_size, vocab_size, false);
  }

  /** Labels are token ids. */
  get limits(): BatchLimits {
    return this.decoder.limits;
  }

  /** Nothing: a causal language model is complete. */
  get headPrefixes(): readonly string[] {
    return [];
  }

  /** The name of the embeddings where they are also the output layer; undefined where it has weights of its own. */
  get tiedEmbedding(): string | undefined {
    return this.lm_head ? undefined : this.wordEmbeddings;
  }

  /**
   * Logits [B, T, V], after virtual embeddings also those of the virtual tokens, as in PEFT; [P, V] where the batch
   * names positions. Position t of a row is its column, so pad on the right. Throws InputError when the batch is longer
   * than the model.
   */
  call(batch: Batch, context: Context): HeadOutput {
    const { hidden } = this.decoder.call(batch, context); // [B, T, C]
    if (batch.positions) {
      const rows = chosenRows(ofBatch(hidden, batch), batch.positions);
      return { hidden, logits: this.#head(rows, context) };
    }
    const logits = this.#head(hidden.flatten(0, 1), context);
    return { hidden, logits: logits.reshape([...hidden.shape.slice(0, 2), logits.shape[1]!]) };
  }

  /**
   * Cross-entropy of each token given those before it. Labels are aligned with the input, as in Transformers:
   * usually the input itself. With positions, labels [P] are the next tokens themselves.
   */
  loss({ logits }: HeadOutput, batch: Batch): Tensor {
    const labels = labelsOf(batch);
    if (batch.positions) return crossEntropy(logits, labels);
    const virtual = logits.shape[1]! - labels.shape[1]!; // the last of them predicts the first token
    return crossEntropy(logits, nextTokens(labels.pad([0, virtual], [0, 0], IGNORED_LABEL)));
  }

  /** Empty slots for a batch of texts that is to be continued. */
  createCache(rows: CacheRows): KeyValueCache {
    return this.decoder.passes.createCache(rows);
  }

  /** Runs prompts [B, T], virtual ids included, padded on the left as the cache was told; keeps their keys and values. Logits [B, V]. */
  prefill(inputIds: Tensor, cache: KeyValueCache, context: Context): Tensor {
    const [, length] = inputIds.shape as [number, number];
    const pass = this.decoder.passes.prompt(length, cache, this.#prompted(context, inputIds));
    const hidden = this.decoder.run(inputIds, pass); // [B, T, C]
    return this.#head(hidden.slice(1, length - 1, length).squeeze(1), context);
  }

  /** Runs one token a row, [B, 1], in the column after those in the cache; logits [B, V]. */
  decode(inputIds: Tensor, column: HostNumber, cache: KeyValueCache, context: Context): Tensor {
    const pass = this.decoder.passes.step(column, cache, this.#prompted(context));
    return this.#head(this.decoder.run(inputIds, pass).squeeze(1), context);
  }

  /** P virtual tokens stand before each prompt, with the ids V … V + P − 1. */
  get virtualIds(): readonly number[] {
    const { vocab_size } = this.config;
    return Array.from({ length: this.prompting?.tokens ?? 0 }, (_, n) => vocab_size + n);
  }

  /** The context of a pass that generates: virtual tokens are in the prompt, and in the cache after it. */
  #prompted(context: Context, ids?: Tensor): Context {
    const values = this.prompting?.values(context);
    if (!values) return context;
    const own = ids ? values : { gated: values.gated ?? new Map() };
    const prompt = { ...own, ids: ids ?? scalar(0, 'i32'), vocabulary: this.config.vocab_size };
    return { ...context, prompt };
  }

  #head(rows: Tensor, context: Context): Tensor {
    const logits = this.lm_head
      ? this.lm_head.call(rows, context)
      : unembed(rows, this.decoder.tokens.table);
    const cap = this.config.final_logit_softcapping;
    return cap === null ? logits : softCapped(logits, cap);
  }
}

/** Labels [B, T] shifted to the left, so that position t is scored on token t + 1; the last on nothing. */
function nextTokens(labels: Tensor): Tensor {
  return labels.slice(1, 1, labels.shape[1]!).pad([0, 0], [0, 1], IGNORED_LABEL);
}
