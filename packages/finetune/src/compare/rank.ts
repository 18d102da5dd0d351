/** @file Rankings of the layers of an untrained network by any selector, and how they hold with fewer examples. */
import {
  rankLayers,
  selectLayers,
  selectWithin,
  selectorOf,
  spearman,
  type LayerScores,
  type SelectorName,
} from '@camada/cka';
import type { Batch, Model } from '@camada/nn';
import {
  disposeBatch,
  evaluationBatches,
  sampleRows,
  toBatch,
  type BatchShape,
} from '../data/batches.ts';
import type { Row } from '../data/encode.ts';
import type { Ground } from './ground.ts';
import type { EqualBudget } from './recipe.ts';

/** Layers by one selector. */
export interface Ranking {
  readonly selector: SelectorName;
  /** Examples that were looked at; 0 for rules that look at none. */
  readonly examples: number;
  /** Seed of the sample, or of the lot. */
  readonly seed: number;
  /** One number a layer, larger is chosen sooner. */
  readonly importance: readonly number[];
  /** Layer numbers, the most important first. */
  readonly order: readonly number[];
  /** Sentences for the user. */
  readonly notes: readonly string[];
  readonly seconds: number;
}

/** Ranks the layers on a sample of the training rows. */
export async function rankBy(
  { network, rows, shape }: Ground,
  selector: SelectorName,
  samples: number,
  seed: number,
): Promise<Ranking> {
  const began = performance.now();
  const sample = sampleRows(rows.train.rows, samples, seed);
  const { model } = network;
  const batches = batchesOf(sample, model, shape);
  const scores = await selectorOf(selector).score(model, batches, { seed });
  return {
    selector,
    examples: scores.examples,
    seed,
    importance: scores.layers.map(({ importance }) => importance),
    order: rankLayers(scores),
    notes: scores.notes,
    seconds: (performance.now() - began) / 1000,
  };
}

/** Batches of rows, as often as one goes through them; the last is as long as it is. */
function batchesOf(rows: readonly Row[], model: Model, shape: BatchShape): Iterable<Batch> {
  return {
    *[Symbol.iterator]() {
      for (const group of evaluationBatches(rows, shape)) {
        const real = group.rows.slice(0, group.rows.length - group.filler);
        const batch = toBatch({ rows: real, filler: 0 }, model.limits, shape);
        yield batch;
        disposeBatch(batch);
      }
    },
  };
}

/** The first layers of a ranking that a budget allows, ascending. `all` is outside of it. */
export async function withinBudget(
  { order, selector }: Ranking,
  budget: EqualBudget,
  parametersOf: (layers: readonly number[]) => Promise<number>,
): Promise<number[]> {
  if (selector === 'all') return [...order].sort((a, b) => a - b);
  const ranked = byPlace(order);
  if (!('parameters' in budget)) return selectLayers(ranked, budget);
  const show = (parameters: number): string => `${parameters} parameters`;
  return selectWithin(ranked, { limit: budget.parameters, cost: parametersOf, show });
}

/** An order as importances. */
function byPlace(order: readonly number[]): Pick<LayerScores, 'layers' | 'protocol'> {
  const layers = order.map((index, place) => {
    const importance = order.length - place;
    return { index, name: String(index), importance, low: importance, high: importance };
  });
  return { protocol: 'camada', layers };
}

/** How well rankings from samples of one size agree. */
export interface Stability {
  readonly selector: SelectorName;
  readonly samples: number;
  /** Mean Spearman of the rankings of all pairs of draws; undefined where none is defined. */
  readonly agreement: number | undefined;
}

/** Draws for each number of samples. */
const DRAWS = 4;

/** Rankings from several draws of so many examples. */
export async function drawRankings(
  selector: SelectorName,
  samples: number,
  rank: (selector: SelectorName, samples: number, seed: number) => Promise<Ranking>,
): Promise<Stability> {
  const drawn: Ranking[] = [];
  for (let draw = 0; draw < DRAWS; draw++) drawn.push(await rank(selector, samples, 1000 + draw));
  const values = drawn.flatMap((a, i) =>
    drawn.slice(i + 1).flatMap((b) => spearman(a.importance, b.importance) ?? []),
  );
  const agreement =
    values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : undefined;
  return { selector, samples, agreement };
}
