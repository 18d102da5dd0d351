/** @file What all decoders do alike below their head: embed, run the blocks, normalise. */
import type { Tensor } from '@camada/tensor';
import type { Batch, BatchLimits } from '../../batch.ts';
import { FINAL_HIDDEN, hiddenName, type Context } from '../../context.ts';
import type { Embedding } from '../../layers/embedding.ts';
import type { Module } from '../../module.ts';
import { prompted, withoutPast, type Prompting } from '../../prompting.ts';
import type { LayerInfo, Model, Output } from '../model.ts';
import { startOf } from '../prefix.ts';
import { mostPositions, type DecoderConfig } from './config.ts';
import { DecoderPasses, type DecoderPass } from './pass.ts';

/** A layer from rows [N, C] to rows [N, C], such as a norm. */
export interface Norm extends Module {
  call(x: Tensor): Tensor;
}

/** One block: rows [N, C] with N = B·T to rows [N, C]. */
export interface DecoderLayer extends Module, LayerInfo {
  call(rows: Tensor, pass: DecoderPass): Tensor;
}

/** A decoder without a head. */
export abstract class DecoderModel<C extends DecoderConfig = DecoderConfig> implements Model {
  readonly config: C;
  /** Makes its passes. */
  readonly passes: DecoderPasses;
  prompting: Prompting | undefined;

  constructor(config: C) {
    this.config = config;
    this.passes = new DecoderPasses(config);
  }

  /** Field that holds it in models with a head: `base_model_prefix`. */
  abstract readonly prefix: string;
  /** Its blocks. */
  abstract readonly layers: readonly DecoderLayer[];
  /** The token embeddings [V, C], which are also the output layer where weights are tied. */
  abstract get tokens(): { readonly name: string; readonly table: Embedding };
  /** i32 ids [B, T] to the input of the first block, rows [N, C]. */
  protected abstract embed(inputIds: Tensor, pass: DecoderPass): Tensor;
  /** The norm after the last block. */
  protected abstract get lastNorm(): Norm;

  /** From the decoder down. */
  get wordEmbeddings(): string {
    return `${this.tokens.name}.weight`;
  }

  /** Token ids only: a head says what its labels are. */
  get limits(): BatchLimits {
    const { config } = this;
    return {
      vocabSize: config.vocab_size,
      maxLength: mostPositions(config) - (this.prompting?.tokens ?? 0),
      tokenTypes: 0,
      padTokenId: config.pad_token_id ?? 0,
      labels: { kind: 'token', count: config.vocab_size },
    };
  }

  /** None: it has no head. */
  get headPrefixes(): readonly string[] {
    return [];
  }

  /** Checkpoints of models with a head have the prefix. */
  aliases(name: string): readonly string[] {
    return [`${this.prefix}.${name}`];
  }

  /**
   * Position t of a row is its column, so pad on the right. Throws InputError when the batch is longer than the
   * model.
   */
  call(given: Batch, outer: Context): Output {
    const { batch, context } = prompted(given, outer, this.prompting, this.config.vocab_size);
    const hidden = this.run(batch.inputIds, this.passes.whole(batch, context));
    return { hidden: withoutPast(hidden, context) };
  }

  /** Last hidden state [B, T, C] after the final norm; captures R0 … RL before it, and it. Begins at the pass's entry. */
  run(inputIds: Tensor, pass: DecoderPass): Tensor {
    const start = startOf(this.embed(inputIds, pass), pass.context);
    let { rows } = start; // [N, C]
    const shape = [pass.batch, pass.length, rows.shape[1]!];
    const capture = (name: string, state: Tensor): void =>
      pass.context.capture?.(name, state.reshape(shape));
    capture(hiddenName(start.first), rows);
    for (const [index, layer] of this.layers.entries()) {
      if (index < start.first) continue;
      rows = layer.call(rows, pass);
      capture(hiddenName(index + 1), rows);
    }
    const normalized = this.lastNorm.call(rows);
    capture(FINAL_HIDDEN, normalized);
    return normalized.reshape(shape);
  }
}
