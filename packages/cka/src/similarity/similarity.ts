/** @file All measures of similarity by name. */
import { InputError, ShapeError, showShape, type Tensor } from '@camada/tensor';
import { FEWEST } from '../gram.ts';
import { pwcca, svcca } from './cca.ts';
import { linearCkaMetric } from './linear-cka.ts';
import { meanCosine } from './mean-cosine.ts';
import type { Metric, MetricOptions, PairComparer } from './metric.ts';
import { procrustes } from './procrustes.ts';
import { rbfCka } from './rbf-cka.ts';
import { rsa } from './rsa.ts';

/** Names of the measures. */
export type MetricName =
  'cka' | 'rbf-cka' | 'svcca' | 'pwcca' | 'procrustes' | 'rsa' | 'mean-cosine';

/** All measures; what each is stands with it. */
export const METRICS: Readonly<Record<MetricName, Metric>> = {
  cka: linearCkaMetric,
  'rbf-cka': rbfCka,
  svcca,
  pwcca,
  procrustes,
  rsa,
  'mean-cosine': meanCosine,
};

/** Settings of `similarity`: the measure and its own settings. */
export interface SimilarityOptions extends MetricOptions {
  /** @defaultValue 'cka' */
  readonly metric?: MetricName;
}

/**
 * The similarity of representations x [n, p] and y [n, q] of the same n ≥ 4 examples; 1 for a representation with
 * itself, whatever the measure. Throws ShapeError when the numbers of examples differ, InputError in words where the
 * measure is not defined: too few examples, a representation that is constant or not finite.
 */
export async function similarity(
  x: Tensor,
  y: Tensor,
  options: SimilarityOptions = {},
): Promise<number> {
  const compare = await comparerOf([x, y], options);
  const value = compare(0, 1);
  if (typeof value === 'number') return value;
  const name = options.metric ?? 'cka';
  throw new InputError(`${name} of ${showShape(x.shape)} and ${showShape(y.shape)}: ${value}`);
}

/**
 * Checks representations [n, ·] and prepares them for one measure. Throws ShapeError and InputError as `similarity`.
 */
export async function comparerOf(
  levels: readonly Tensor[],
  options: SimilarityOptions,
): Promise<PairComparer> {
  const name = options.metric ?? 'cka';
  if (!Object.hasOwn(METRICS, name))
    throw new InputError(
      `the measure '${name}' is unknown; known are ${Object.keys(METRICS).join(', ')}`,
    );
  checkShapes(name, levels);
  await checkFinite(name, levels);
  return METRICS[name](levels, options);
}

function checkShapes(name: string, levels: readonly Tensor[]): void {
  const shapes = levels.map(({ shape }) => showShape(shape)).join(' and ');
  const n = levels[0]?.shape[0] ?? 0;
  if (levels.some((x) => x.rank !== 2 || x.shape[0] !== n))
    throw new ShapeError(`${name}: wants [n, p] and [n, q] of the same n examples, got ${shapes}`);
  if (n < FEWEST)
    throw new InputError(
      `${name}: ${n} example${n === 1 ? ' is' : 's are'} too few to compare representations; give at least ${FEWEST}`,
    );
}

async function checkFinite(name: string, levels: readonly Tensor[]): Promise<void> {
  for (const x of levels) {
    const data = await x.data();
    const bad = data.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0)
      throw new InputError(
        `${name}: a representation is not finite: ${data[bad]} in example ${Math.floor(bad / x.shape[1]!)}`,
      );
  }
}
