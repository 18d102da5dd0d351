/** @file All selectors by name. */
import { InputError } from '@camada/tensor';
import { activationNorm } from './activation-norm.ts';
import { angularDistance } from './angular-distance.ts';
import { blockInfluence } from './block-influence.ts';
import { cka } from './cka.ts';
import { fisher } from './fisher.ts';
import { gradientNorm, relativeGradientNorm } from './gradient-norm.ts';
import { lastTokenCosine } from './last-token-cosine.ts';
import { leaveOneOut } from './leave-one-out.ts';
import { all, alternate, first, last, random } from './positions.ts';
import { sensitivity } from './sensitivity.ts';
import { signalToNoise } from './signal-to-noise.ts';
import type { Selector } from './selector.ts';

/** Names of the selectors. */
export type SelectorName =
  | 'cka'
  | 'block-influence'
  | 'last-token-cosine'
  | 'angular-distance'
  | 'activation-norm'
  | 'fisher'
  | 'gradient-norm'
  | 'relative-gradient-norm'
  | 'signal-to-noise'
  | 'sensitivity'
  | 'leave-one-out'
  | 'last'
  | 'first'
  | 'alternate'
  | 'random'
  | 'all';

/** All selectors; what each is and where it comes from stands with it. */
export const SELECTORS: Readonly<Record<SelectorName, Selector>> = {
  cka,
  'block-influence': blockInfluence,
  'last-token-cosine': lastTokenCosine,
  'angular-distance': angularDistance,
  'activation-norm': activationNorm,
  fisher,
  'gradient-norm': gradientNorm,
  'relative-gradient-norm': relativeGradientNorm,
  'signal-to-noise': signalToNoise,
  sensitivity,
  'leave-one-out': leaveOneOut,
  last,
  first,
  alternate,
  random,
  all,
};

/** True for the name of a selector. */
export function isSelector(name: string): name is SelectorName {
  return Object.hasOwn(SELECTORS, name);
}

/** The selector of that name. Throws InputError listing the names there are. */
export function selectorOf(name: string): Selector {
  if (isSelector(name)) return SELECTORS[name];
  throw new InputError(
    `the selector '${name}' is unknown; known are ${Object.keys(SELECTORS).join(', ')}`,
  );
}
