/**
 * @file The Llama decoder (Touvron et al. 2023, https://arxiv.org/abs/2302.13971) with grouped-query attention.
 * Inside the blocks hidden states are rows [N, C] with N = B·T, as in `bert.ts`.
 */
import type { Tensor } from '@camada/tensor';
import type { Batch } from '../batch.ts';
import { FINAL_HIDDEN, hiddenName, type Context } from '../context.ts';
import { activation, type Activation } from '../layers/activation.ts';
import { groupedAttention, mergeHeads, splitHeads } from '../layers/attention.ts';
import { Dropout } from '../layers/dropout.ts';
import { Embedding } from '../layers/embedding.ts';
import { Linear, type Layer } from '../layers/linear.ts';
import { RMSNorm } from '../layers/norm.ts';
import { rotate, type Rotation } from '../layers/rotary.ts';
import type { KeyValueCache } from './key-value-cache.ts';
import type { LlamaConfig } from './llama-config.ts';

/** What all blocks of one pass share. */
export interface LlamaPass {
  readonly batch: number;
  readonly length: number;
  /** Angles of the T positions. */
  readonly rotation: Rotation;
  /** Additive mask [B, 1, T, S]. */
  readonly bias: Tensor;
  readonly context: Context;
  /** Generation: where keys and values are kept, and the slot of a single new token (absent: a whole prompt). */
  readonly cache?: { readonly store: KeyValueCache; readonly slot?: Tensor };
}

/** Grouped-query self-attention with rotary positions. */
export class LlamaAttention {
  q_proj: Layer;
  k_proj: Layer;
  v_proj: Layer;
  o_proj: Layer;
  readonly dropout: Dropout;
  readonly block: number;
  readonly heads: number;
  readonly groups: number;

  /** @param block index of its block, for the cache. */
  constructor(config: LlamaConfig, block: number) {
    const { hidden_size: width, head_dim: head, attention_bias: bias } = config;
    this.block = block;
    this.heads = config.num_attention_heads;
    this.groups = config.num_key_value_heads;
    this.q_proj = new Linear(width, this.heads * head, bias);
    this.k_proj = new Linear(width, this.groups * head, bias);
    this.v_proj = new Linear(width, this.groups * head, bias);
    this.o_proj = new Linear(this.heads * head, width, bias);
    this.dropout = new Dropout(config.attention_dropout);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: LlamaPass): Tensor {
    const { rotation, bias, context } = pass;
    const query = rotate(splitHeads(this.q_proj.call(rows, context), this.heads, pass), rotation);
    const { key, value } = this.#keysAndValues(rows, pass); // [B, K, S, D]
    const mixed = groupedAttention(query, key, value, bias, this.dropout, context); // [B, H, T, D]
    return this.o_proj.call(mergeHeads(mixed), context);
  }

  #keysAndValues(rows: Tensor, pass: LlamaPass): { key: Tensor; value: Tensor } {
    const { rotation, context, cache } = pass;
    const key = rotate(splitHeads(this.k_proj.call(rows, context), this.groups, pass), rotation);
    const value = splitHeads(this.v_proj.call(rows, context), this.groups, pass);
    if (cache?.slot) return cache.store.append(this.block, key, value, cache.slot);
    cache?.store.fill(this.block, key, value);
    return { key, value };
  }
}

/** The gated feed-forward network, SwiGLU (Shazeer 2020, https://arxiv.org/abs/2002.05202). */
export class LlamaMLP {
  gate_proj: Layer;
  up_proj: Layer;
  down_proj: Layer;
  readonly #activation: Activation;

  /** Throws InputError when the activation is unknown. */
  constructor(config: LlamaConfig) {
    const { hidden_size: width, intermediate_size: wide, mlp_bias: bias } = config;
    this.gate_proj = new Linear(width, wide, bias);
    this.up_proj = new Linear(width, wide, bias);
    this.down_proj = new Linear(wide, width, bias);
    this.#activation = activation(config.hidden_act);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, context: Context): Tensor {
    const gate = this.#activation(this.gate_proj.call(rows, context));
    return this.down_proj.call(gate.mul(this.up_proj.call(rows, context)), context);
  }
}

/** One block: normalised attention and normalised feed-forward network, each added to the stream. */
export class LlamaDecoderLayer {
  readonly self_attn: LlamaAttention;
  readonly mlp: LlamaMLP;
  readonly input_layernorm: RMSNorm;
  readonly post_attention_layernorm: RMSNorm;

  /** @param block its index. */
  constructor(config: LlamaConfig, block: number) {
    this.self_attn = new LlamaAttention(config, block);
    this.mlp = new LlamaMLP(config);
    this.input_layernorm = new RMSNorm(config.hidden_size, config.rms_norm_eps);
    this.post_attention_layernorm = new RMSNorm(config.hidden_size, config.rms_norm_eps);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: LlamaPass): Tensor {
    const attended = rows.add(this.self_attn.call(this.input_layernorm.call(rows), pass));
    return attended.add(this.mlp.call(this.post_attention_layernorm.call(attended), pass.context));
  }
}

/** The decoder without a head. */
export class LlamaModel {
  readonly embed_tokens: Embedding;
  readonly layers: LlamaDecoderLayer[];
  readonly norm: RMSNorm;

  /** Weights start at zero. */
  constructor(config: LlamaConfig) {
    this.embed_tokens = new Embedding(config.vocab_size, config.hidden_size);
    this.layers = Array.from(
      { length: config.num_hidden_layers },
      (_, block) => new LlamaDecoderLayer(config, block),
    );
    this.norm = new RMSNorm(config.hidden_size, config.rms_norm_eps);
  }

  /** Last hidden state [B, T, C] after the final norm; captures R0 … RL before it, and it. */
  call(batch: Pick<Batch, 'inputIds'>, pass: LlamaPass): Tensor {
    const embedded = this.embed_tokens.call(batch.inputIds); // [B, T, C]
    const capture = (name: string, rows: Tensor): void =>
      pass.context.capture?.(name, rows.reshape(embedded.shape));
    let rows = embedded.flatten(0, 1); // [N, C]
    capture(hiddenName(0), rows);
    for (const [index, layer] of this.layers.entries()) {
      rows = layer.call(rows, pass);
      capture(hiddenName(index + 1), rows);
    }
    const normalized = this.norm.call(rows);
    capture(FINAL_HIDDEN, normalized);
    return normalized.reshape(embedded.shape);
  }
}
