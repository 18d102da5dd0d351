/** @file The middle of self-attention, which all decoders share: turning, remembering, looking, mixing. */
import { scalar, type Tensor } from '@camada/tensor';
import {
  groupedAttention,
  mergeHeads,
  splitHeads,
  type ScoreOptions,
} from '../../layers/attention.ts';
import { Dropout } from '../../layers/dropout.ts';
import { rotate } from '../../layers/rotary.ts';
import { withPast } from '../../prompting.ts';
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

const NONE = new Dropout(0);

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
    const own = { key: turned(heads.key), value: heads.value };
    const fresh = withPast(own, this.#block, pass.context);
    const { key, value } = pass.remember?.(this.#block, fresh) ?? fresh; // [B, K, S, D]
    const query = turned(heads.query);
    const { context } = pass;
    return mergeHeads(
      groupedAttention(query, key, value, bias, this.#dropout, context, this.#scores),
    );
  }

  /**
   * What queries [B, H, T, D] find in the gated prompt of this block, rows [B·T, H·D] (Zhang et al. 2023,
   * https://arxiv.org/abs/2303.16199, section 3.2, as in PEFT: a softmax of its own, then the gate); undefined without one.
   * @param project the prompt's rows [A, C] to keys and values [A, K·D].
   */
  gated(
    query: Tensor,
    pass: DecoderPass,
    project: (prompt: Tensor) => { readonly key: Tensor; readonly value: Tensor },
  ): Tensor | undefined {
    const learnt = pass.context.prompt?.gated?.get(this.#block);
    if (!learnt) return undefined;
    const { rotation } = pass.views[this.#type];
    const turned = rotation ? rotate(query, rotation) : query;
    const width = query.shape[3]!;
    const shape = { batch: 1, length: learnt.prompt.shape[0]! };
    const { key, value } = project(learnt.prompt);
    const heads = (rows: Tensor): Tensor => splitHeads(rows, rows.shape[1]! / width, shape); // [1, K, A, D]
    const none = scalar(0).reshape([1, 1, 1, 1]);
    const found = groupedAttention(turned, heads(key), heads(value), none, NONE, pass.context, {
      scale: width ** -0.5,
    });
    return mergeHeads(found.mul(learnt.gate.reshape([1, learnt.gate.size, 1, 1])));
  }
}
