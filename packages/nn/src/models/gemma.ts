/**
 * @file Gemma (https://arxiv.org/abs/2403.08295), Gemma 2 (https://arxiv.org/abs/2408.00118) and the text model of Gemma 3
 * (https://arxiv.org/abs/2503.19786): Llama with scaled embeddings and norms whose weight is added to 1; from 2 on
 * norms after each half of a block, alternating windows and capped scores; in 3 norms of query and key heads.
 */
import type { Tensor } from '@camada/tensor';
import { rootMeanSquareNorm } from '../layers/norm.ts';
import { zeroParameter } from '../layers/parameter.ts';
import type { Architecture } from './architecture.ts';
import { ConfigReader } from './config.ts';
import { decoderArchitecture } from './decoder/architecture.ts';
import { checkDecoder, layerTypes, optionalPositive } from './decoder/config.ts';
import type { DecoderLayer, Norm } from './decoder/model.ts';
import type { DecoderPass } from './decoder/pass.ts';
import { ropeByType } from './decoder/rope.ts';
import { LlamaAttention, LlamaDecoderLayer, LlamaMLP, LlamaModel, type NormOf } from './llama.ts';
import { readLlamaConfig, type LlamaConfig, type LlamaDefaults } from './llama-config.ts';

const DEFAULTS: LlamaDefaults = {
  max_position_embeddings: 8192,
  head_dim: 256,
  tie_word_embeddings: true,
  activation: { key: 'hidden_activation', value: 'gelu_pytorch_tanh' },
};

/** Root mean square normalisation with scale 1 + w. */
export class GemmaRMSNorm implements Norm {
  /** [C]. */
  readonly weight: Tensor;
  /** Added to the mean square. */
  readonly eps: number;

  /** Scale 1: the weight is zero. */
  constructor(width: number, eps: number) {
    this.weight = zeroParameter([width]);
    this.eps = eps;
  }

  /** [..., C] to [..., C]. */
  call(x: Tensor): Tensor {
    return rootMeanSquareNorm(x, this.weight.add(1), this.eps);
  }
}

/** A block of Gemma 2 and 3: attention and feed-forward network each between two norms. */
export class Gemma2DecoderLayer implements DecoderLayer {
  readonly self_attn: LlamaAttention;
  readonly mlp: LlamaMLP;
  readonly input_layernorm: Norm;
  readonly post_attention_layernorm: Norm;
  readonly pre_feedforward_layernorm: Norm;
  readonly post_feedforward_layernorm: Norm;
  readonly index: number;
  readonly name: string;

  /** @param index which block it is. @param headNorm norm of queries and keys; none when left out. */
  constructor(config: LlamaConfig, index: number, headNorm?: NormOf) {
    const norm = gemmaNorm(config);
    this.index = index;
    this.name = `layers.${index}`;
    this.self_attn = new LlamaAttention(config, index, headNorm);
    this.mlp = new LlamaMLP(config);
    this.input_layernorm = norm(config.hidden_size);
    this.post_attention_layernorm = norm(config.hidden_size);
    this.pre_feedforward_layernorm = norm(config.hidden_size);
    this.post_feedforward_layernorm = norm(config.hidden_size);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: DecoderPass): Tensor {
    const found = this.self_attn.call(this.input_layernorm.call(rows), pass);
    const attended = rows.add(this.post_attention_layernorm.call(found));
    const made = this.mlp.call(this.pre_feedforward_layernorm.call(attended), pass.context);
    return attended.add(this.post_feedforward_layernorm.call(made));
  }
}

/** Reads a Gemma configuration. Throws InputError that names a bad field. */
export function parseGemmaConfig(config: unknown): LlamaConfig {
  const activation = { key: 'hidden_act', value: 'gelu_pytorch_tanh' };
  return readLlamaConfig(config, 'gemma', { ...DEFAULTS, activation });
}

/** Reads a Gemma 2 configuration. Throws InputError that names a bad field. */
export function parseGemma2Config(config: unknown): LlamaConfig {
  const read = new ConfigReader(config);
  const base = readLlamaConfig(config, 'gemma2', DEFAULTS);
  return alternating(read, base, 2, { attention: 50, final: 30 });
}

/** Reads the configuration of Gemma 3's text model. Throws InputError that names a bad field. */
export function parseGemma3Config(config: unknown): LlamaConfig {
  const read = new ConfigReader(config);
  read.only('use_bidirectional_attention', false);
  const base = readLlamaConfig(config, 'gemma3_text', {
    ...DEFAULTS,
    max_position_embeddings: 131072,
    rope_theta: 1e6,
  });
  const pattern = read.size('sliding_window_pattern', read.size('_sliding_window_pattern', 6));
  // Transformers reads attn_logit_softcapping of Gemma 3 but does not use it.
  const result = alternating(read, base, pattern, {});
  return { ...result, attn_logit_softcapping: null, rope: gemma3Rope(read, base) };
}

function gemma3Rope(read: ConfigReader, base: LlamaConfig): LlamaConfig['rope'] {
  const sizes = { width: base.head_dim, positions: base.max_position_embeddings };
  const local = read.positive('rope_local_base_freq', 10000);
  return {
    full_attention:
      ropeByType(read, 'full_attention', { ...sizes, theta: 1e6 }) ?? base.rope!.full_attention,
    sliding_attention: ropeByType(read, 'sliding_attention', sizes) ?? {
      width: base.head_dim,
      theta: local,
      scaling: { rope_type: 'default' },
    },
  };
}

/** Every n-th block sees all, the others a window. */
function alternating(
  read: ConfigReader,
  base: LlamaConfig,
  pattern: number,
  caps: { readonly attention?: number; readonly final?: number },
): LlamaConfig {
  const result: LlamaConfig = {
    ...base,
    layer_types: layerTypes(read, base.num_hidden_layers, (block) =>
      (block + 1) % pattern === 0 ? 'full_attention' : 'sliding_attention',
    ),
    sliding_window: read.size('sliding_window', 4096),
    query_pre_attn_scalar: read.positive('query_pre_attn_scalar', 256),
    attn_logit_softcapping: optionalPositive(read, 'attn_logit_softcapping', caps.attention),
    final_logit_softcapping: optionalPositive(read, 'final_logit_softcapping', caps.final),
  };
  checkDecoder(result);
  return result;
}

function gemmaNorm({ rms_norm_eps }: LlamaConfig): NormOf {
  return (width) => new GemmaRMSNorm(width, rms_norm_eps);
}

function gemmaModel(config: LlamaConfig, layer: (block: number) => DecoderLayer): LlamaModel {
  return new LlamaModel(config, {
    layer,
    norm: gemmaNorm(config),
    scale: config.hidden_size ** 0.5,
  });
}

/** Gemma. */
export const GEMMA: Architecture = decoderArchitecture({
  family: 'Gemma',
  parse: parseGemmaConfig,
  build: (config: LlamaConfig) =>
    gemmaModel(
      config,
      (block) =>
        new LlamaDecoderLayer(config, block, {
          attention: new LlamaAttention(config, block),
          mlp: new LlamaMLP(config),
          norm: gemmaNorm(config),
        }),
    ),
});

/** Gemma 2. */
export const GEMMA2: Architecture = decoderArchitecture({
  family: 'Gemma2',
  parse: parseGemma2Config,
  build: (config: LlamaConfig) =>
    gemmaModel(config, (block) => new Gemma2DecoderLayer(config, block)),
});

/** The text model of Gemma 3. */
export const GEMMA3: Architecture = decoderArchitecture({
  family: 'Gemma3Text',
  causal: 'Gemma3ForCausalLM',
  parse: parseGemma3Config,
  build: (config: LlamaConfig) =>
    gemmaModel(config, (block) => new Gemma2DecoderLayer(config, block, gemmaNorm(config))),
});
