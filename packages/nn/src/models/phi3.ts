/**
 * @file Phi-3 (https://arxiv.org/abs/2404.14219): Llama with its projections fused, one for queries, keys and values and
 * one for both halves of the feed-forward network.
 */
import type { Tensor } from '@camada/tensor';
import type { Context } from '../context.ts';
import { activation, type Activation } from '../layers/activation.ts';
import { splitHeads } from '../layers/attention.ts';
import { Dropout } from '../layers/dropout.ts';
import { Linear, type Layer } from '../layers/linear.ts';
import type { Architecture } from './architecture.ts';
import { ConfigReader } from './config.ts';
import { decoderArchitecture } from './decoder/architecture.ts';
import type { AttentionCore } from './decoder/attention.ts';
import { optionalSize } from './decoder/config.ts';
import type { DecoderPass } from './decoder/pass.ts';
import { LlamaDecoderLayer, LlamaModel, attentionCore, rmsNorm } from './llama.ts';
import { readLlamaConfig, type LlamaConfig } from './llama-config.ts';

/** Phi-3 has dropout on both halves of a block. */
export interface Phi3Config extends LlamaConfig {
  readonly resid_pdrop: number;
}

/** Reads a Phi-3 configuration. Throws InputError that names a bad field. */
export function parsePhi3Config(config: unknown): Phi3Config {
  const read = new ConfigReader(config);
  const base = readLlamaConfig(renamedScaling(config), 'phi3', {
    max_position_embeddings: 4096,
    rms_norm_eps: 1e-5,
  });
  const window = optionalSize(read, 'sliding_window');
  const type = window === null ? 'full_attention' : 'sliding_attention';
  return {
    ...base,
    attention_bias: { input: false, output: false },
    mlp_bias: false,
    sliding_window: window,
    layer_types: base.layer_types.map(() => type),
    resid_pdrop: read.probability('resid_pdrop', 0),
  };
}

/** Early files of Phi-3 call LongRoPE `yarn`. */
function renamedScaling(config: unknown): unknown {
  const scaling = new ConfigReader(config).record('rope_scaling');
  if (scaling?.['type'] !== 'yarn') return config;
  return { ...(config as object), rope_scaling: { ...scaling, type: 'longrope' } };
}

/** Self-attention with one projection for queries, keys and values. */
export class Phi3Attention {
  qkv_proj: Layer;
  o_proj: Layer;
  readonly #heads: number;
  readonly #groups: number;
  readonly #head: number;
  readonly #core: AttentionCore;
  readonly #dropout: Dropout;

  /** @param block index of its block. */
  constructor(config: Phi3Config, block: number) {
    const { hidden_size: width, head_dim: head } = config;
    this.#heads = config.num_attention_heads;
    this.#groups = config.num_key_value_heads;
    this.#head = head;
    this.qkv_proj = new Linear(width, (this.#heads + 2 * this.#groups) * head, false);
    this.o_proj = new Linear(this.#heads * head, width, false);
    this.#core = attentionCore(config, block);
    this.#dropout = new Dropout(config.resid_pdrop);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: DecoderPass): Tensor {
    const fused = this.qkv_proj.call(rows, pass.context); // [N, (H + 2K)·D]
    const cut = (from: number, heads: number): Tensor => {
      const part = fused.slice(1, from * this.#head, (from + heads) * this.#head);
      return splitHeads(part, heads, pass);
    };
    const heads = {
      query: cut(0, this.#heads),
      key: cut(this.#heads, this.#groups),
      value: cut(this.#heads + this.#groups, this.#groups),
    };
    const mixed = this.o_proj.call(this.#core.mix(heads, pass), pass.context);
    return this.#dropout.call(mixed, pass.context);
  }
}

/** The gated feed-forward network with one projection for both halves. */
export class Phi3MLP {
  gate_up_proj: Layer;
  down_proj: Layer;
  readonly #width: number;
  readonly #activation: Activation;
  readonly #dropout: Dropout;

  /** Throws InputError when the activation is unknown. */
  constructor(config: Phi3Config) {
    this.#width = config.intermediate_size;
    this.gate_up_proj = new Linear(config.hidden_size, 2 * this.#width, false);
    this.down_proj = new Linear(this.#width, config.hidden_size, false);
    this.#activation = activation(config.hidden_act);
    this.#dropout = new Dropout(config.resid_pdrop);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, context: Context): Tensor {
    const fused = this.gate_up_proj.call(rows, context); // [N, 2·I]
    const gate = this.#activation(fused.slice(1, 0, this.#width));
    const up = fused.slice(1, this.#width, 2 * this.#width);
    return this.#dropout.call(this.down_proj.call(up.mul(gate), context), context);
  }
}

/** Phi-3. */
export const PHI3: Architecture = decoderArchitecture({
  family: 'Phi3',
  parse: parsePhi3Config,
  build: (config: Phi3Config) => {
    const norm = rmsNorm(config);
    const layer = (block: number): LlamaDecoderLayer =>
      new LlamaDecoderLayer(config, block, {
        attention: new Phi3Attention(config, block),
        mlp: new Phi3MLP(config),
        norm,
      });
    return new LlamaModel(config, { layer, norm });
  },
});
