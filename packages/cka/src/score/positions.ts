/** @file Rules that look at no data: the baselines that every selector must beat. */
import { seedKey, Random, type Model } from '@camada/nn';
import type { LayerScores, Selector } from './selector.ts';

/** Numbers in [0, 1] for the layers 0 … L − 1. */
type Rule = (layers: number, seed: number) => readonly number[];

function byRule(what: string, rule: Rule): Selector {
  return {
    what,
    needs: 'nothing',
    score: (model, _, { seed = 0 }) =>
      Promise.resolve(scores(model, rule(model.layers.length, seed))),
  };
}

function scores({ layers }: Model, values: readonly number[]): LayerScores {
  return {
    layers: layers.map(({ index, name }) => {
      const importance = values[index]!;
      return { index, name, importance, low: importance, high: importance };
    }),
    protocol: 'camada',
    examples: 0,
    notes: [],
  };
}

/** (i + 1)/L. */
export const last: Selector = byRule('the layers next to the head', (layers) =>
  Array.from({ length: layers }, (_, i) => (i + 1) / layers),
);

/** (L − i)/L. */
export const first: Selector = byRule('the layers next to the embeddings', (layers) =>
  Array.from({ length: layers }, (_, i) => (layers - i) / layers),
);

/** Every other layer from the top down, then the others from the top down. */
export const alternate: Selector = byRule('every other layer, from the top', (layers) =>
  Array.from({ length: layers }, (_, i) => {
    const odd = (layers - 1 - i) % 2;
    return (i + 1) / layers / 2 + (odd === 0 ? 0.5 : 0);
  }),
);

/** Numbers drawn from the seed. */
export const random: Selector = byRule('layers by lot', (layers, seed) => {
  const lot = new Random(seedKey(seed));
  return Array.from({ length: layers }, () => lot.uniform());
});

/** 1 for all. */
export const all: Selector = byRule('all layers alike', (layers) =>
  new Array<number>(layers).fill(1),
);
