/** @file What a rival of CKA is: something that gives every layer a number, the larger the sooner it is fine-tuned. */
import { InputError } from '@camada/tensor';
import type { Batch, HeadModel, Model } from '@camada/nn';
import type { LayerImportance } from '../importance.ts';
import type { Ranked } from '../select.ts';

/** What a selector looks at: nothing, texts, or texts with their labels and a head. */
export type Needs = 'nothing' | 'texts' | 'labels';

/** Settings of all selectors; each reads its own. */
export interface ScoreOptions {
  /** Of `random`, of the resamples and of drawn tokens. @defaultValue 0 */
  readonly seed?: number;
  /** Resamples for the intervals; 0 for none. @defaultValue 100 */
  readonly resamples?: number;
  /** Share of the resamples that lie in an interval. @defaultValue 0.9 */
  readonly confidence?: number;
  /** Called after each batch with the number of examples so far. */
  readonly onProgress?: (examples: number) => void;
}

/** Batches that can be gone through more than once; `leave-one-out` does. */
export type Batches = Iterable<Batch> | AsyncIterable<Batch>;

/** Numbers for all layers by one selector. Values of different selectors must not be compared, rankings may. */
export interface LayerScores extends Ranked {
  readonly layers: readonly LayerImportance[];
  /** How many examples were looked at. */
  readonly examples: number;
  /** Sentences for the user. */
  readonly notes: readonly string[];
}

/** A way of ranking layers. */
export interface Selector {
  /** In one sentence, for people. */
  readonly what: string;
  readonly needs: Needs;
  /** Layers above it are chosen where a threshold is asked for without a number. */
  readonly threshold?: number;
  /**
   * Scores every layer. Throws InputError where examples, labels or the head are missing, or a value is not finite.
   */
  score(model: Model, batches: Batches, options: ScoreOptions): Promise<LayerScores>;
}

/** The model with its head. Throws InputError for a model without one. */
export function withHead(name: string, model: Model): HeadModel {
  if (hasHead(model)) return model;
  throw new InputError(
    `${name} needs a loss, and this model has no head: build it for the task, and give batches with labels`,
  );
}

function hasHead(model: Model): model is HeadModel {
  return 'loss' in model && typeof model.loss === 'function';
}
