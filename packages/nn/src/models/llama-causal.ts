/** @file Llama with a causal language-model head. */
import { InputError, type Tensor } from '@camada/tensor';
import { IGNORED_LABEL, type Batch, type BatchLimits } from '../batch.ts';
import type { Context } from '../context.ts';
import { Linear, linear, type Layer } from '../layers/linear.ts';
import { causalBias } from '../layers/mask.ts';
import { RotaryTables, type Rotation } from '../layers/rotary.ts';
import { crossEntropy } from '../loss/cross-entropy.ts';
import { chosenRows, labelsOf, prefixed } from './head.ts';
import { KeyValueCache, slotBias, slotOf } from './key-value-cache.ts';
import { LlamaModel, type LlamaPass } from './llama.ts';
import type { LlamaConfig } from './llama-config.ts';
import type { HeadModel, HeadOutput, LayerInfo } from './model.ts';

/** Llama that predicts the next token. */
export class LlamaForCausalLM implements HeadModel {
  readonly config: LlamaConfig;
  readonly model: LlamaModel;
  /** Absent where it is tied to the embeddings. */
  lm_head?: Layer;
  readonly #tables: RotaryTables;

  /** Weights start at zero: load or initialise them. */
  constructor(config: LlamaConfig) {
    this.config = config;
    this.model = new LlamaModel(config);
    if (!config.tie_word_embeddings)
      this.lm_head = new Linear(config.hidden_size, config.vocab_size, false);
    this.#tables = new RotaryTables(config.head_dim, config.rope_theta);
  }

  /** Blocks with their full paths. */
  get layers(): readonly LayerInfo[] {
    const blocks = this.model.layers.map((_, index) => ({ index, name: `layers.${index}` }));
    return prefixed('model', blocks);
  }

  /** Labels are token ids. */
  get limits(): BatchLimits {
    const { config } = this;
    return {
      vocabSize: config.vocab_size,
      maxLength: config.max_position_embeddings,
      tokenTypes: 0,
      padTokenId: config.pad_token_id ?? 0,
      labels: { kind: 'token', count: config.vocab_size },
    };
  }

  /** Nothing: a causal language model is complete. */
  get headPrefixes(): readonly string[] {
    return [];
  }

  /** Checkpoints of the bare decoder lack the prefix `model.`. */
  aliases(name: string): readonly string[] {
    return name.startsWith('model.') ? [name.slice('model.'.length)] : [];
  }

  /**
   * Logits [B, T, V]; [P, V] where the batch names positions. Position t of a row is its index, so pad on the
   * right. Throws InputError when the batch is longer than `max_position_embeddings`.
   */
  call(batch: Batch, context: Context): HeadOutput {
    const hidden = this.model.call(batch, this.#pass(batch, context)); // [B, T, C]
    const logits = this.#head(chosenRows(hidden, batch.positions), context);
    if (batch.positions) return { hidden, logits };
    return { hidden, logits: logits.reshape([...batch.inputIds.shape, logits.shape[1]!]) };
  }

  /**
   * Cross-entropy of each token given those before it. Labels are aligned with the input, as in Transformers:
   * usually the input itself. With positions, labels [P] are the next tokens themselves.
   */
  loss({ logits }: HeadOutput, batch: Batch): Tensor {
    const labels = labelsOf(batch);
    return crossEntropy(logits, batch.positions ? labels : nextTokens(labels));
  }

  /** Empty slots for one sequence of at most `capacity` tokens. */
  createCache(capacity: number): KeyValueCache {
    const { num_hidden_layers, num_key_value_heads, head_dim } = this.config;
    return new KeyValueCache(num_hidden_layers, num_key_value_heads, head_dim, capacity);
  }

  /** Runs a prompt [1, T], keeps its keys and values, and gives the logits [P, V] at the batch's positions. */
  prefill(batch: Batch, store: KeyValueCache, context: Context): Tensor {
    const hidden = this.model.call(batch, { ...this.#pass(batch, context), cache: { store } });
    return this.#head(chosenRows(hidden, batch.positions), context);
  }

  /** Runs one token [1, 1] at a position after those in the cache; logits [1, V]. */
  decode(inputIds: Tensor, position: number, store: KeyValueCache, context: Context): Tensor {
    const slot = slotOf(position);
    const { cos, sin } = this.#rotation(store.capacity);
    const row = slot.reshape([1]);
    const hidden = this.model.call(
      { inputIds },
      {
        batch: 1,
        length: 1,
        rotation: { cos: cos.gather(row), sin: sin.gather(row) },
        bias: slotBias(store.capacity, slot),
        context,
        cache: { store, slot },
      },
    );
    return this.#head(chosenRows(hidden, undefined), context);
  }

  #pass({ inputIds, attentionMask }: Batch, context: Context): LlamaPass {
    const [batch, length] = inputIds.shape as [number, number];
    return {
      batch,
      length,
      rotation: this.#rotation(length),
      bias: causalBias(attentionMask),
      context,
    };
  }

  #rotation(length: number): Rotation {
    const limit = this.config.max_position_embeddings;
    if (length > limit)
      throw new InputError(`${length} tokens do not fit a model of ${limit} positions`);
    return this.#tables.at(length);
  }

  #head(rows: Tensor, context: Context): Tensor {
    if (this.lm_head) return this.lm_head.call(rows, context);
    return linear(rows, this.model.embed_tokens.weight);
  }
}

/** Labels [B, T] shifted to the left, so that position t is scored on token t + 1; the last on nothing. */
function nextTokens(labels: Tensor): Tensor {
  return labels.slice(1, 1, labels.shape[1]!).pad([0, 0], [0, 1], IGNORED_LABEL);
}
