/**
 * @file GPT-2 (Radford et al. 2019): learned positions, LayerNorm before each half of a block, weights stored
 * [in, out]. Inside the blocks hidden states are rows [N, C] with N = B·T.
 */
import type { Tensor } from '@camada/tensor';
import type { Context } from '../context.ts';
import { activation, type Activation } from '../layers/activation.ts';
import { splitHeads } from '../layers/attention.ts';
import { Conv1D } from '../layers/conv1d.ts';
import { Dropout } from '../layers/dropout.ts';
import { Embedding } from '../layers/embedding.ts';
import type { Layer } from '../layers/linear.ts';
import { LayerNorm } from '../layers/norm.ts';
import { embedTokens } from '../prompting.ts';
import type { Architecture } from './architecture.ts';
import { decoderArchitecture } from './decoder/architecture.ts';
import { AttentionCore } from './decoder/attention.ts';
import { DecoderModel, type DecoderLayer, type Norm } from './decoder/model.ts';
import type { DecoderPass } from './decoder/pass.ts';
import { parseGPT2Config, type GPT2Config } from './gpt2-config.ts';

/** Multi-head self-attention with one projection for queries, keys and values. */
export class GPT2Attention {
  c_attn: Layer;
  c_proj: Layer;
  readonly #heads: number;
  readonly #core: AttentionCore;
  readonly #dropout: Dropout;

  /** @param block index of its block. */
  constructor(config: GPT2Config, block: number) {
    const { hidden_size: width, head_dim } = config;
    this.#heads = config.num_attention_heads;
    this.c_attn = new Conv1D(width, 3 * width);
    this.c_proj = new Conv1D(width, width);
    const scale = config.scale_attn_weights ? head_dim ** -0.5 : 1;
    const depth = config.scale_attn_by_inverse_layer_idx ? block + 1 : 1;
    this.#core = new AttentionCore(config, block, config.attn_pdrop, { scale: scale / depth });
    this.#dropout = new Dropout(config.resid_pdrop);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: DecoderPass): Tensor {
    const width = rows.shape[1]!;
    const fused = this.c_attn.call(rows, pass.context); // [N, 3·C]
    const part = (i: number): Tensor =>
      splitHeads(fused.slice(1, i * width, (i + 1) * width), this.#heads, pass); // [B, H, T, D]
    const query = part(0);
    const mixed = this.#core.mix({ query, key: part(1), value: part(2) }, pass);
    const attended = this.#dropout.call(this.c_proj.call(mixed, pass.context), pass.context);
    const learnt = this.#core.gated(query, pass, (prompt) => {
      const projected = this.c_attn.call(prompt, pass.context); // [A, 3·C]
      return {
        key: projected.slice(1, width, 2 * width),
        value: projected.slice(1, 2 * width, 3 * width),
      };
    });
    return learnt ? attended.add(learnt) : attended; // past the output projection, as in PEFT
  }
}

/** The feed-forward network. */
export class GPT2MLP {
  c_fc: Layer;
  c_proj: Layer;
  readonly #activation: Activation;
  readonly #dropout: Dropout;

  /** Throws InputError when the activation is unknown. */
  constructor(config: GPT2Config) {
    this.c_fc = new Conv1D(config.hidden_size, config.intermediate_size);
    this.c_proj = new Conv1D(config.intermediate_size, config.hidden_size);
    this.#activation = activation(config.activation_function);
    this.#dropout = new Dropout(config.resid_pdrop);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, context: Context): Tensor {
    const wide = this.#activation(this.c_fc.call(rows, context));
    return this.#dropout.call(this.c_proj.call(wide, context), context);
  }
}

/** One block: normalised attention and normalised feed-forward network, each added to the stream. */
export class GPT2Block implements DecoderLayer {
  readonly ln_1: LayerNorm;
  readonly attn: GPT2Attention;
  readonly ln_2: LayerNorm;
  readonly mlp: GPT2MLP;
  readonly index: number;
  readonly name: string;

  /** @param index which block it is. */
  constructor(config: GPT2Config, index: number) {
    this.index = index;
    this.name = `h.${index}`;
    this.ln_1 = new LayerNorm(config.hidden_size, config.layer_norm_epsilon);
    this.attn = new GPT2Attention(config, index);
    this.ln_2 = new LayerNorm(config.hidden_size, config.layer_norm_epsilon);
    this.mlp = new GPT2MLP(config);
  }

  /** Rows [N, C] to rows [N, C]. */
  call(rows: Tensor, pass: DecoderPass): Tensor {
    const attended = rows.add(this.attn.call(this.ln_1.call(rows), pass));
    return attended.add(this.mlp.call(this.ln_2.call(attended), pass.context));
  }
}

/** The decoder without a head. */
export class GPT2Model extends DecoderModel<GPT2Config> {
  readonly prefix = 'transformer';
  readonly wte: Embedding;
  readonly wpe: Embedding;
  readonly h: readonly GPT2Block[];
  readonly ln_f: LayerNorm;
  readonly #dropout: Dropout;

  /** Weights start at zero. */
  constructor(config: GPT2Config) {
    super(config);
    this.wte = new Embedding(config.vocab_size, config.hidden_size);
    this.wpe = new Embedding(config.max_position_embeddings, config.hidden_size);
    this.h = Array.from({ length: config.num_hidden_layers }, (_, i) => new GPT2Block(config, i));
    this.ln_f = new LayerNorm(config.hidden_size, config.layer_norm_epsilon);
    this.#dropout = new Dropout(config.embd_pdrop);
  }

  get layers(): readonly GPT2Block[] {
    return this.h;
  }

  get tokens(): { readonly name: string; readonly table: Embedding } {
    return { name: 'wte', table: this.wte };
  }

  protected get lastNorm(): Norm {
    return this.ln_f;
  }

  protected embed(inputIds: Tensor, { positions, length, context }: DecoderPass): Tensor {
    const places = positions
      ? this.wpe.call(positions) // [B, T, C]
      : this.wpe.weight.slice(0, 0, length); // [T, C]
    const embedded = embedTokens(this.wte, inputIds, context).add(places); // [B, T, C]
    return this.#dropout.call(embedded, context).flatten(0, 1);
  }
}

/** GPT-2. */
export const GPT2: Architecture = decoderArchitecture({
  family: 'GPT2',
  causal: 'GPT2LMHeadModel',
  parse: parseGPT2Config,
  build: (config: GPT2Config) => new GPT2Model(config),
});
