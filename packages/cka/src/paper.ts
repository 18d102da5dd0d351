/**
 * @file The protocol as published (Ogawa et al. 2026, arXiv 2602.05988, and its code): biased linear CKA; the first
 * token of encoders, the last real token of decoders; hidden states as Transformers returns them, the last one after
 * the final norm. Selection follows in `select.ts`.
 */
import type { Model } from '@camada/nn';
import type { CaptureOptions } from './capture.ts';
import type { Estimator } from './gram.ts';

/** `camada`: our defaults or the caller's choices. The others: the published protocol. */
export type Protocol = 'camada' | 'paper-encoder' | 'paper-decoder';

/** Model types whose tokens see both sides. */
const ENCODERS: readonly string[] = ['bert', 'distilbert', 'roberta', 'deberta', 'deberta-v2'];

/** The published settings for this model. */
export function paperProtocol(
  model: Model,
): Required<CaptureOptions> & { readonly estimator: Estimator; readonly protocol: Protocol } {
  const encoder = ENCODERS.includes(model.config.model_type);
  return {
    protocol: encoder ? 'paper-encoder' : 'paper-decoder',
    estimator: 'biased',
    pooling: encoder ? 'cls' : 'last',
    lastHidden: 'normalized',
  };
}
