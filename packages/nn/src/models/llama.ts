/**
 * @file The Llama decoder (Touvron et al. 2023, https://arxiv.org/abs/2302.13971) with grouped-query attention.
 * Families that differ in a part hand that part in. Inside the blocks hidden states are rows [N, C] with N = B·T, as
 * in `bert.ts`.
 */
import type { Tensor } from '@camada/tensor';
import type { Context } from '../context.ts';
import { activation, type Activation } from '../layers/activation.ts';
import { splitHeads } from '../layers/attention.ts';
import { Embedding } from '../layers/embedding.ts';
import { Linear, type Layer } from '../layers/linear.ts';
import { RMSNorm } from '../layers/norm.ts';
import type { Module } from '../module.ts';
import { embedTokens } from '../prompting.ts';
import type { Architecture } from './architecture.ts';
import { decoderArchitecture } from './decoder/architecture.ts';
import { AttentionCore } from './decoder/attention.ts';
import { DecoderModel, type DecoderLayer, type Norm } from './decoder/model.ts';
import type { DecoderPass } from './decoder/pass.ts';
import { parseLlamaConfig, type LlamaConfig } from './llama-config.ts';

/** A norm over rows of a width. */
export type NormOf = (width: number) => Norm;

/** Llama's own norm. */
export function rmsNorm({ rms_norm_eps }: LlamaConfig): NormOf {
  return (width) => new RMSNorm(width, rms_norm_eps);
}

/** The middle of a Llama-like attention. */
export function attentionCore(config: LlamaConfig, block: number): AttentionCore {
  const { query_pre_attn_scalar: scalar, attn_logit_softcapping: cap } = config;
  return new AttentionCore(config, block, config.attention_dropout, {
    scale: scalar ** -0.5,
    ...(cap !== null && { softcap: cap }),
  });
}

/** Grouped-query self-attention with rotary positions. */
export class LlamaAttention {
  q_proj: Layer;
  k_proj: Layer;
  v_proj: Layer;
  o_proj: Layer;
  /** Norm of each query head before it turns (Qwen 3, Gemma 3). */
  readonly q_norm?: Norm;
  /** The same for keys. */
  readonly k_norm?: Norm;
  readonly #heads: number;
  readonly #groups: number;
  readonly #core: AttentionCore;

  /** @param block index of its block. @param norm of queries and keys; none when left out. */
  constructor(config: LlamaConfig, block: number, norm?: NormOf) {
    const { hidden_size: width, head_dim: head, attention_bias: bias } = config;
    this.#heads = config.num_attention_heads;
    this.#groups = config.num_key_value_heads;
    this.q_proj = new Linear(width, this.#heads * head, bias.input);
    this.k_proj = new Linear(width, this.#groups * head, bias.input);
    this.v_proj = new Linear(width, this.#groups * head, bias.input);
    this.o_proj = new Linear(this.#heads * head, width, bias.output);
    if (norm) {
      this.q_norm = norm(head);
      this.k_norm = norm(head);
    }
    this.#core = attentionCore(config, block);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: DecoderPass): Tensor {
    const { context } = pass;
    const query = splitHeads(this.q_proj.call(rows, context), this.#heads, pass); // [B, H, T, D]
    const key = splitHeads(this.k_proj.call(rows, context), this.#groups, pass); // [B, K, T, D]
    const value = splitHeads(this.v_proj.call(rows, context), this.#groups, pass);
    const heads = {
      query: this.q_norm?.call(query) ?? query,
      key: this.k_norm?.call(key) ?? key,
      value,
    };
    const mixed = this.#core.mix(heads, pass);
    const learnt = this.#core.gated(heads.query, pass, (prompt) => ({
      key: this.k_proj.call(prompt, context),
      value: this.v_proj.call(prompt, context),
    }));
    return this.o_proj.call(learnt ? mixed.add(learnt) : mixed, context);
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

/** Attention of one block: rows [N, C] to rows [N, C]. */
export interface Attention extends Module {
  call(rows: Tensor, pass: DecoderPass): Tensor;
}

/** What a block is made of. */
export interface BlockParts {
  readonly attention: Attention;
  readonly mlp: Layer;
  readonly norm: NormOf;
}

/** One block: normalised attention and normalised feed-forward network, each added to the stream. */
export class LlamaDecoderLayer implements DecoderLayer {
  readonly self_attn: Attention;
  readonly mlp: Layer;
  readonly input_layernorm: Norm;
  readonly post_attention_layernorm: Norm;
  readonly index: number;
  readonly name: string;

  /** @param index which block it is. */
  constructor(config: LlamaConfig, index: number, { attention, mlp, norm }: BlockParts) {
    this.index = index;
    this.name = `layers.${index}`;
    this.self_attn = attention;
    this.mlp = mlp;
    this.input_layernorm = norm(config.hidden_size);
    this.post_attention_layernorm = norm(config.hidden_size);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: DecoderPass): Tensor {
    const attended = rows.add(this.self_attn.call(this.input_layernorm.call(rows), pass));
    return attended.add(this.mlp.call(this.post_attention_layernorm.call(attended), pass.context));
  }
}

/** What a Llama-like decoder is made of. */
export interface ModelParts {
  readonly layer: (block: number) => DecoderLayer;
  readonly norm: NormOf;
  /** Factor on the embeddings; 1 when left out. */
  readonly scale?: number;
}

/** The decoder without a head. */
export class LlamaModel extends DecoderModel<LlamaConfig> {
  readonly prefix = 'model';
  readonly embed_tokens: Embedding;
  readonly layers: readonly DecoderLayer[];
  readonly norm: Norm;
  readonly #scale: number | undefined;

  /** Weights start at zero. */
  constructor(config: LlamaConfig, { layer, norm, scale }: ModelParts) {
    super(config);
    this.embed_tokens = new Embedding(config.vocab_size, config.hidden_size);
    this.layers = Array.from({ length: config.num_hidden_layers }, (_, block) => layer(block));
    this.norm = norm(config.hidden_size);
    this.#scale = scale;
  }

  get tokens(): { readonly name: string; readonly table: Embedding } {
    return { name: 'embed_tokens', table: this.embed_tokens };
  }

  protected get lastNorm(): Norm {
    return this.norm;
  }

  protected embed(inputIds: Tensor, { context }: DecoderPass): Tensor {
    const rows = embedTokens(this.embed_tokens, inputIds, context).flatten(0, 1); // [N, C]
    return this.#scale === undefined ? rows : rows.mul(this.#scale);
  }
}

/** A decoder of Llama's blocks. @param headNorm norm of queries and keys; none when left out. */
export function llamaModel(config: LlamaConfig, headNorm?: NormOf): LlamaModel {
  const norm = rmsNorm(config);
  const layer = (block: number): DecoderLayer =>
    new LlamaDecoderLayer(config, block, {
      attention: new LlamaAttention(config, block, headNorm),
      mlp: new LlamaMLP(config),
      norm,
    });
  return new LlamaModel(config, { layer, norm });
}

/** Llama, and what is stored as one: SmolLM, TinyLlama, … */
export const LLAMA: Architecture = decoderArchitecture({
  family: 'Llama',
  parse: parseLlamaConfig,
  build: (config: LlamaConfig) => llamaModel(config),
});
