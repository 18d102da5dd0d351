/** @file The angle by which a layer turns the last token's state. Gromov et al. 2024, arXiv 2403.17887, eq. 6, blocks of one layer. */
import { lastToken } from '@camada/nn';
import { cosineOf, overLayers } from './hidden.ts';
import type { Selector } from './selector.ts';

/** Mean of arccos(cos(h, h')) / π at the last real token, in [0, 1]. */
export const angularDistance: Selector = {
  what: "the angle by which a layer turns the last token's state",
  needs: 'texts',
  score: (model, batches, options) =>
    overLayers('angular-distance', model, batches, options, (before, after, mask) => {
      const { cosine, weights } = cosineOf(lastToken(before, mask), lastToken(after, mask)); // [B]
      return { values: cosine.acos().div(Math.PI).mul(weights), weights };
    }),
};
