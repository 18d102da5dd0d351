/** @file The angle by which a layer turns the last token's state. Gromov et al. 2024, arXiv 2403.17887, eq. 6, blocks of one layer. */
import { cosineOf, overLastTokens } from './hidden.ts';
import type { Selector } from './selector.ts';

/** Mean of arccos(cos(h, h')) / π at the last real token, in [0, 1]. */
export const angularDistance: Selector = {
  what: "the angle by which a layer turns the last token's state",
  needs: 'texts',
  score: (model, batches, options) =>
    overLastTokens('angular-distance', model, batches, options, (before, after) => {
      const { cosine, weights } = cosineOf(before, after); // [B]
      return { values: cosine.acos().div(Math.PI).mul(weights), weights };
    }),
};
