/** @file From a choice and scores to the numbers of layers. */
import { InputError } from '@camada/tensor';
import { SELECTORS, selectLayers, selectWithin, type Budget, type Ranked } from '@camada/cka';
import { isAll, type BudgetChoice, type LayerChoice, type LayerRule } from './choice.ts';
import type { CostModel, TrainingCost } from './predict.ts';

/**
 * The chosen layers, ascending. Throws InputError where the choice fits no layer.
 * @param ranked scores by the choice's selector.
 * @param costs for budgets.
 */
export async function resolveLayers(
  choice: LayerChoice,
  ranked: Ranked,
  costs: () => Promise<CostModel>,
): Promise<number[]> {
  if (choice.select === 'list') return [...new Set(choice.layers)].sort((a, b) => a - b);
  const all = ranked.layers.map(({ index }) => index);
  if (isAll(choice)) return all;
  if (choice.budget) return selectWithin(ranked, await budgetOf(choice.budget, await costs(), all));
  return selectLayers(ranked, amountOf(choice));
}

function amountOf({
  select,
  keep,
  count,
  threshold,
}: LayerRule): Parameters<typeof selectLayers>[1] {
  const above = threshold === 'usual' ? SELECTORS[select].threshold : threshold;
  return {
    ...(keep !== undefined && { keep }),
    ...(count !== undefined && { count }),
    ...(above !== undefined && { threshold: above }),
  };
}

/** How each kind of cost is read, counted and written. */
interface Kind {
  readonly value: (cost: TrainingCost) => number | undefined;
  /** What 1 of the user's unit is. */
  readonly unit: number;
  readonly show: (cost: number) => string;
}

const KINDS: Readonly<Record<BudgetChoice['of'], Kind>> = {
  parameters: {
    value: ({ parameters }) => parameters,
    unit: 1,
    show: (cost) => `${Math.round(cost).toLocaleString('en')} parameters`,
  },
  memory: {
    value: ({ peakBytes }) => peakBytes,
    unit: 2 ** 20,
    show: (cost) => `${(cost / 2 ** 20).toFixed(1)} MiB`,
  },
  time: {
    value: ({ seconds }) => seconds,
    unit: 1e-3,
    show: (cost) => `${(1000 * cost).toFixed(0)} ms a step`,
  },
};

async function budgetOf(
  { of, limit }: BudgetChoice,
  costs: CostModel,
  all: readonly number[],
): Promise<Budget> {
  if (!(limit > 0)) throw new InputError(`A budget of ${limit} for ${of} is not above 0.`);
  const { value, unit, show } = KINDS[of];
  const cost = async (layers: readonly number[]): Promise<number> => {
    const found = value(await costs.of(layers));
    if (found !== undefined) return found;
    throw new InputError(`The ${of} of a step is not known here; use parameters or memory.`);
  };
  return { limit: limit <= 1 ? limit * (await cost(all)) : limit * unit, cost, show };
}
