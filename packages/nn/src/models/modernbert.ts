/**
 * @file ModernBERT (Warner et al. 2024, https://arxiv.org/abs/2412.13663): norms before the halves of a block, rotary
 * positions, gated GELU, and attention that is global in every third layer and local in the others.
 */
import { InputError, type Tensor } from '@camada/tensor';
import type { Batch, BatchLimits } from '../batch.ts';
import { FINAL_HIDDEN, type Context } from '../context.ts';
import { activation, type Activation } from '../layers/activation.ts';
import { attention, mergeHeads, splitHeads } from '../layers/attention.ts';
import { Dropout } from '../layers/dropout.ts';
import { Embedding } from '../layers/embedding.ts';
import { Linear, type Layer } from '../layers/linear.ts';
import { paddingBias, windowBias } from '../layers/mask.ts';
import { LayerNorm } from '../layers/norm.ts';
import { RotaryTables, rotate, type Rotation } from '../layers/rotary.ts';
import { embedTokens, prompted, type Prompting } from '../prompting.ts';
import { checkEncoderSizes } from './bert-config.ts';
import { ConfigReader } from './config.ts';
import { movedName, throughBlocks, type Encoder, type EncoderPass } from './encoder.ts';
import { labelCount, labelNames, type LabelConfig } from './labels.ts';
import type { LayerInfo, Output } from './model.ts';

/** Fields of a ModernBERT `config.json` that the model uses. */
export interface ModernBertConfig extends LabelConfig {
  readonly hidden_activation: string;
  readonly norm_eps: number;
  readonly norm_bias: boolean;
  readonly attention_bias: boolean;
  readonly mlp_bias: boolean;
  readonly decoder_bias: boolean;
  readonly classifier_bias: boolean;
  readonly attention_dropout: number;
  readonly embedding_dropout: number;
  readonly mlp_dropout: number;
  readonly classifier_dropout: number;
  readonly classifier_activation: string;
  readonly classifier_pooling: 'cls' | 'mean';
  /** Layers whose index is a multiple of it look at all tokens. */
  readonly global_attn_every_n_layers: number;
  /** Width of the window of the other layers; half of it to each side. */
  readonly local_attention: number;
  readonly global_rope_theta: number;
  readonly local_rope_theta: number;
  readonly pad_token_id: number;
}

/** Reads and checks a ModernBERT configuration. Throws InputError that names a bad field. */
export function parseModernBertConfig(config: unknown): ModernBertConfig {
  const read = new ConfigReader(config);
  read.only('model_type', 'modernbert');
  const result: ModernBertConfig = {
    model_type: 'modernbert',
    architectures: read.texts('architectures'),
    vocab_size: read.size('vocab_size'),
    hidden_size: read.size('hidden_size'),
    num_hidden_layers: read.size('num_hidden_layers'),
    num_attention_heads: read.size('num_attention_heads'),
    intermediate_size: read.size('intermediate_size'),
    max_position_embeddings: read.size('max_position_embeddings', 8192),
    initializer_range: read.positive('initializer_range', 0.02),
    hidden_activation: read.text('hidden_activation', 'gelu'),
    norm_eps: read.positive('norm_eps', 1e-5),
    pad_token_id: read.index('pad_token_id', 50283),
    id2label: labelNames(read),
    problem_type: null,
    ...biases(read),
    ...attentionFields(read),
    ...headFields(read),
  };
  checkEncoderSizes(result);
  if ((result.hidden_size / result.num_attention_heads) % 2 === 0) return result;
  throw new InputError(
    'config.json: hidden_size / num_attention_heads is odd; the rotary embedding needs pairs',
  );
}

type Biases = 'norm_bias' | 'attention_bias' | 'mlp_bias' | 'decoder_bias' | 'classifier_bias';

function biases(read: ConfigReader): Pick<ModernBertConfig, Biases> {
  return {
    norm_bias: read.flag('norm_bias', false),
    attention_bias: read.flag('attention_bias', false),
    mlp_bias: read.flag('mlp_bias', false),
    decoder_bias: read.flag('decoder_bias', true),
    classifier_bias: read.flag('classifier_bias', false),
  };
}

type AttentionFields =
  | 'attention_dropout'
  | 'embedding_dropout'
  | 'mlp_dropout'
  | 'global_attn_every_n_layers'
  | 'local_attention'
  | 'global_rope_theta'
  | 'local_rope_theta';

function attentionFields(read: ConfigReader): Pick<ModernBertConfig, AttentionFields> {
  return {
    ...ropeThetas(read),
    attention_dropout: read.probability('attention_dropout', 0),
    embedding_dropout: read.probability('embedding_dropout', 0),
    mlp_dropout: read.probability('mlp_dropout', 0),
    global_attn_every_n_layers: read.size('global_attn_every_n_layers', 3),
    local_attention: read.size('local_attention', 128),
  };
}

/** The bases of both rotary embeddings: fields of their own, or inside `rope_parameters` (Transformers 5). */
function ropeThetas(
  read: ConfigReader,
): Pick<ModernBertConfig, 'global_rope_theta' | 'local_rope_theta'> {
  const nested = read.record('rope_parameters');
  if (nested) {
    const theta = (kind: string): number => new ConfigReader(nested[kind]).positive('rope_theta');
    return {
      global_rope_theta: theta('full_attention'),
      local_rope_theta: theta('sliding_attention'),
    };
  }
  const theta = read.positive('global_rope_theta', 160000);
  // A null means the same base everywhere, an absent field the default.
  const local = read.has('local_rope_theta') ? theta : 10000;
  return { global_rope_theta: theta, local_rope_theta: read.positive('local_rope_theta', local) };
}

type HeadFields = 'classifier_dropout' | 'classifier_activation' | 'classifier_pooling';

function headFields(read: ConfigReader): Pick<ModernBertConfig, HeadFields> {
  const pooling = read.text('classifier_pooling', 'cls');
  if (pooling !== 'cls' && pooling !== 'mean')
    throw read.bad('classifier_pooling', pooling, '"cls" or "mean"');
  return {
    classifier_dropout: read.probability('classifier_dropout', 0),
    classifier_activation: read.text('classifier_activation', 'gelu'),
    classifier_pooling: pooling,
  };
}

/** How a layer looks around. */
interface Sight {
  /** Additive mask, broadcast to [B, H, T, T]. */
  readonly bias: Tensor;
  /** Angles of the T positions. */
  readonly rotation: Rotation;
}

/** What all blocks of one pass share. */
export interface ModernBertPass extends EncoderPass {
  readonly global: Sight;
  readonly local: Sight;
}

/** Word embeddings, normalised; positions come with the rotary embedding. */
export class ModernBertEmbeddings {
  readonly tok_embeddings: Embedding;
  readonly norm: LayerNorm;
  readonly drop: Dropout;

  /** The table starts at zero. */
  constructor(config: ModernBertConfig) {
    this.tok_embeddings = new Embedding(config.vocab_size, config.hidden_size);
    this.norm = new LayerNorm(config.hidden_size, config.norm_eps, config.norm_bias);
    this.drop = new Dropout(config.embedding_dropout);
  }

  /** Rows [N, C]. */
  call({ inputIds }: Batch, context: Context): Tensor {
    const rows = embedTokens(this.tok_embeddings, inputIds, context).flatten(0, 1); // [N, C]
    return this.drop.call(this.norm.call(rows), context);
  }
}

/** Self-attention with rotary positions; queries, keys and values come from one layer. */
export class ModernBertAttention {
  Wqkv: Layer;
  Wo: Layer;
  readonly out_drop: Dropout;
  readonly heads: number;
  readonly #sight: 'global' | 'local';

  /** @param layer index of its block. */
  constructor(config: ModernBertConfig, layer: number) {
    const { hidden_size: width, attention_bias: bias } = config;
    this.Wqkv = new Linear(width, 3 * width, bias);
    this.Wo = new Linear(width, width, bias);
    this.out_drop = new Dropout(config.attention_dropout);
    this.heads = config.num_attention_heads;
    this.#sight = layer % config.global_attn_every_n_layers === 0 ? 'global' : 'local';
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: ModernBertPass): Tensor {
    const { context } = pass;
    const sight = pass[this.#sight];
    const width = rows.shape[1]!;
    const all = this.Wqkv.call(rows, context); // [N, 3C]
    const part = (i: number): Tensor =>
      splitHeads(all.slice(1, i * width, (i + 1) * width), this.heads, pass); // [B, H, T, D]
    const mixed = attention(
      rotate(part(0), sight.rotation),
      rotate(part(1), sight.rotation),
      part(2),
      sight.bias,
      this.out_drop,
      context,
    );
    return this.out_drop.call(this.Wo.call(mergeHeads(mixed), context), context);
  }
}

/** The gated feed-forward network, GeGLU (Shazeer 2020, https://arxiv.org/abs/2002.05202). */
export class ModernBertMLP {
  Wi: Layer;
  Wo: Layer;
  readonly drop: Dropout;
  readonly #activation: Activation;

  /** Throws InputError when the activation is unknown. */
  constructor(config: ModernBertConfig) {
    const { hidden_size: width, intermediate_size: wide, mlp_bias: bias } = config;
    this.Wi = new Linear(width, 2 * wide, bias);
    this.Wo = new Linear(wide, width, bias);
    this.drop = new Dropout(config.mlp_dropout);
    this.#activation = activation(config.hidden_activation);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, context: Context): Tensor {
    const both = this.Wi.call(rows, context); // [N, 2·intermediate_size]
    const wide = both.shape[1]! / 2;
    const gated = this.#activation(both.slice(1, 0, wide)).mul(both.slice(1, wide)); // [N, wide]
    return this.Wo.call(this.drop.call(gated, context), context);
  }
}

/** One block: normalised attention and normalised feed-forward network, each added to the stream. */
export class ModernBertEncoderLayer implements LayerInfo {
  readonly index: number;
  readonly name: string;
  /** Absent in the first block: the embeddings are normalised already. */
  readonly attn_norm?: LayerNorm;
  readonly attn: ModernBertAttention;
  readonly mlp_norm: LayerNorm;
  readonly mlp: ModernBertMLP;

  /** @param index number of the block. */
  constructor(config: ModernBertConfig, index: number) {
    this.index = index;
    this.name = `layers.${index}`;
    const norm = (): LayerNorm =>
      new LayerNorm(config.hidden_size, config.norm_eps, config.norm_bias);
    if (index > 0) this.attn_norm = norm();
    this.attn = new ModernBertAttention(config, index);
    this.mlp_norm = norm();
    this.mlp = new ModernBertMLP(config);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: ModernBertPass): Tensor {
    const attended = rows.add(this.attn.call(this.attn_norm?.call(rows) ?? rows, pass));
    return attended.add(this.mlp.call(this.mlp_norm.call(attended), pass.context));
  }
}

/** ModernBERT without a head. */
export class ModernBertModel implements Encoder {
  readonly prefix: string = 'model';
  readonly wordEmbeddings: string = 'embeddings.tok_embeddings.weight';
  prompting: Prompting | undefined;
  readonly config: ModernBertConfig;
  readonly embeddings: ModernBertEmbeddings;
  /** The blocks; they also are what other models describe theirs by. */
  readonly layers: ModernBertEncoderLayer[];
  readonly final_norm: LayerNorm;
  readonly #global: RotaryTables;
  readonly #local: RotaryTables;

  /** Weights start at zero: load or initialise them. */
  constructor(config: ModernBertConfig) {
    const { hidden_size: width, num_hidden_layers: length } = config;
    this.config = config;
    this.embeddings = new ModernBertEmbeddings(config);
    this.layers = Array.from({ length }, (_, index) => new ModernBertEncoderLayer(config, index));
    this.final_norm = new LayerNorm(width, config.norm_eps, config.norm_bias);
    const head = width / config.num_attention_heads;
    this.#global = new RotaryTables(head, config.global_rope_theta);
    this.#local = new RotaryTables(head, config.local_rope_theta);
  }

  /** Ids; it has no token types. */
  get limits(): BatchLimits {
    return {
      vocabSize: this.config.vocab_size,
      maxLength: this.config.max_position_embeddings - (this.prompting?.tokens ?? 0),
      tokenTypes: 0,
      padTokenId: this.config.pad_token_id,
      labels: { kind: 'class', count: labelCount(this.config) },
    };
  }

  /** Nothing: all of it is pretrained. */
  get headPrefixes(): readonly string[] {
    return [];
  }

  /** With or without the prefix `model.`. */
  aliases(name: string): readonly string[] {
    return [movedName(name, this.prefix)];
  }

  /** Last hidden state [B, T, C] after the final norm; captures R0 … RL before it, and it. */
  call(given: Batch, outer: Context): Output {
    const { batch, context } = prompted(given, outer, this.prompting, this.config.vocab_size);
    const [count, length] = batch.inputIds.shape as [number, number];
    const embedded = this.embeddings.call(batch, context); // [N, C]
    const rows = this.final_norm.call(
      throughBlocks(this.layers, embedded, this.#pass(batch, context)),
    );
    const hidden = rows.reshape([count, length, rows.shape[1]!]);
    context.capture?.(FINAL_HIDDEN, hidden);
    return { hidden };
  }

  #pass({ inputIds, attentionMask }: Batch, context: Context): ModernBertPass {
    const [batch, length] = inputIds.shape as [number, number];
    const bias = paddingBias(attentionMask);
    const reach = Math.floor(this.config.local_attention / 2);
    return {
      batch,
      length,
      bias,
      context,
      global: { bias, rotation: this.#global.at(length) },
      local: { bias: windowBias(attentionMask, reach), rotation: this.#local.at(length) },
    };
  }
}
