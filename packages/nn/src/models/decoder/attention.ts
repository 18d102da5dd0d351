/** @file The middle of self-attention, which all decoders share: turning, remembering, looking, mixing. */
import type { Tensor } from '@camada/tensor';
import { groupedAttention, mergeHeads, type ScoreOptions } from '../../layers/attention.ts';
import { Dropout } from '../../layers/dropout.ts';
import { rotate } from '../../layers/rotary.ts';
import type { DecoderConfig, LayerType } from './config.ts';
import type { DecoderPass } from './pass.ts';

/** Queries, keys and values of a pass, before positions turn them. */
export interface Heads {
  /** [B, H, T, D]. */
  readonly query: Tensor;
  /** [B, K, T, D]. */
  readonly key: Tensor;
  /** [B, K, T, D]. */
  readonly value: Tensor;
}

/** Self-attention of one block between its projections. */
export class AttentionCore {
  readonly #block: number;
  readonly #type: LayerType;
  readonly #dropout: Dropout;
  readonly #scores: ScoreOptions;

  /** @param dropout probability of an attention weight. */
  constructor(config: DecoderConfig, block: number, dropout: number, scores: ScoreOptions = {}) {
    this.#block = block;
    this.#type = config.layer_types[block]!;
    this.#dropout = new Dropout(dropout);
    this.#scores = scores;
  }

  /** What the queries find, as rows [B·T, H·D]. */
  mix(heads: Heads, pass: DecoderPass): Tensor {
    const { bias, rotation } = pass.views[this.#type];
    const turned = (x: Tensor): Tensor => (rotation ? rotate(x, rotation) : x);
    const fresh = { key: turned(heads.key), value: heads.value };
    const { key, value } = pass.remember?.(this.#block, fresh) ?? fresh; // [B, K, S, D]
    const query = turned(heads.query);
    const { context } = pass;
    return mergeHeads(
      groupedAttention(query, key, value, bias, this.#dropout, context, this.#scores),
    );
  }
}
