/** @file The comparison: rank, choose, train, measure, and say what came out; every finished part is kept. */
import type { SelectorName } from '@camada/cka';
import type { LoadedModel } from '../model/load.ts';
import { digestOf } from '../run/identity.ts';
import type { CostModel } from '../select/predict.ts';
import type { Method } from '../train/method.ts';
import { prepareGround, type Ground } from './ground.ts';
import { costModelOf, runOnce, type OneRun } from './one-run.ts';
import { drawRankings, rankBy, withinBudget, type Ranking, type Stability } from './rank.ts';
import { checkRecipe, methodName, type CheckedRecipe, type Recipe } from './recipe.ts';
import { Results, type RunRecord } from './results.ts';
import { retained, secondTask, type SecondTask } from './retention.ts';
import {
  correlations,
  overlaps,
  rowsOf,
  scoreOf,
  verdictsOf,
  type ComparisonSummary,
  type SelectedRun,
} from './summary.ts';

/** How a comparison is run. */
export interface CompareOptions {
  /** File of the results (Node): what is in it is not computed again. None when left out. */
  readonly results?: string;
  /** Receives sentences. */
  readonly onNote?: (text: string) => void;
  /** Called as runs go on: `done` of `total` runs, and the share of the one at work. */
  readonly onProgress?: (done: number, total: number, share: number) => void;
}

/**
 * Compares methods and selectors at one budget over seeds. Throws InputError when the recipe, the data or earlier results
 * do not fit.
 */
export async function compare(
  loaded: LoadedModel,
  recipe: Recipe,
  options: CompareOptions = {},
): Promise<ComparisonSummary> {
  const { onNote = () => undefined, onProgress = () => undefined } = options;
  const checked = checkRecipe(recipe);
  const ground = await prepareGround(loaded, checked, onNote);
  try {
    const second = checked.retention && (await secondTask(ground, checked.retention));
    const results = await Results.open(options.results, identityOf(ground, second));
    return await new Comparison(checked, ground, second, results, onProgress).run();
  } finally {
    ground.stores.dispose();
  }
}

/** All that results follow from, but for what stands in each of them. */
function identityOf({ loaded, rows, settings }: Ground, second: SecondTask | undefined): string {
  const { data: _, onEvent: __, layers: ___, method: ____, seed: _____, ...training } = settings;
  const digests = [rows, ...(second ? [second.rows] : [])].flatMap(({ train, test }) => [
    digestOf(train.rows),
    digestOf(test.rows),
  ]);
  return JSON.stringify([loaded.name, training, digests]);
}

class Comparison {
  readonly #recipe: CheckedRecipe;
  readonly #ground: Ground;
  readonly #second: SecondTask | undefined;
  readonly #results: Results;
  readonly #onProgress: NonNullable<CompareOptions['onProgress']>;
  readonly #costs = new Map<string, CostModel>();

  constructor(
    recipe: CheckedRecipe,
    ground: Ground,
    second: SecondTask | undefined,
    results: Results,
    onProgress: NonNullable<CompareOptions['onProgress']>,
  ) {
    this.#recipe = recipe;
    this.#ground = ground;
    this.#second = second;
    this.#results = results;
    this.#onProgress = onProgress;
  }

  async run(): Promise<ComparisonSummary> {
    const { selectors } = this.#recipe;
    const before =
      this.#second && (await retained(this.#ground.network, this.#second, this.#ground.shape));
    const runs = await this.#runs();
    const score = scoreOf(runs[0]!.run.metrics);
    const rankings: Ranking[] = [];
    for (const selector of selectors) rankings.push(await this.#ranking(selector, 0));
    return {
      score: score.name,
      retentionMetric: this.#second?.metric,
      retentionBefore: before,
      rows: rowsOf(runs, score),
      verdicts: verdictsOf(runs, this.#recipe, score),
      selectors,
      jaccard: overlaps(runs, this.#recipe),
      spearman: correlations(rankings),
      rankings,
      stability: await this.#stability(),
      savedSeconds: this.#ground.stores.savedSeconds,
    };
  }

  async #runs(): Promise<SelectedRun[]> {
    const { methods, selectors, seeds } = this.#recipe;
    const planned: (OneRun & { readonly selector: SelectorName })[] = [];
    for (const method of methods)
      for (const selector of selectors)
        for (const seed of seeds)
          planned.push({
            method,
            selector,
            seed,
            layers: await this.#layers(method, selector, seed),
          });
    const runs: SelectedRun[] = [];
    for (const [done, { selector, ...run }] of planned.entries()) {
      this.#onProgress(done, planned.length, 0);
      const record = await this.#runOf(run, (share) =>
        this.#onProgress(done, planned.length, share),
      );
      runs.push({ selector, run: record });
    }
    this.#onProgress(planned.length, planned.length, 0);
    return runs;
  }

  async #runOf(run: OneRun, onShare: (share: number) => void): Promise<RunRecord> {
    const { method, layers, seed } = run;
    const known = this.#results.run(methodName(method), layers, seed);
    if (known) return known;
    const cost = await (await this.#costOf(method)).of(layers);
    const made = await runOnce(this.#ground, run, this.#second, cost, ({ step, steps }) =>
      onShare(step / steps),
    );
    this.#results.addRun(made);
    return made;
  }

  async #layers(method: Method, selector: SelectorName, seed: number): Promise<number[]> {
    if (method.type === 'head') return [];
    const ranking = await this.#ranking(selector, selector === 'random' ? seed : 0);
    const costs = await this.#costOf(method);
    return withinBudget(ranking, this.#recipe.budget, async (layers) => {
      const { parameters } = await costs.of(layers);
      return parameters;
    });
  }

  async #costOf(method: Method): Promise<CostModel> {
    const name = methodName(method);
    const known = this.#costs.get(name) ?? (await costModelOf(this.#ground, method));
    this.#costs.set(name, known);
    return known;
  }

  #ranking(selector: SelectorName, seed: number): Promise<Ranking> {
    return this.#rank(selector, this.#recipe.samples, seed);
  }

  async #rank(selector: SelectorName, samples: number, seed: number): Promise<Ranking> {
    const known = this.#results.ranking(selector, samples, seed);
    if (known) return known;
    const made = await rankBy(this.#ground, selector, samples, seed);
    this.#results.addRanking({ kind: 'ranking', ...made, samples });
    return made;
  }

  async #stability(): Promise<Stability[]> {
    const { stability, stabilityOf } = this.#recipe;
    const { length } = this.#ground.rows.train.rows;
    const found: Stability[] = [];
    for (const selector of stabilityOf)
      for (const samples of stability.filter((size) => size <= length))
        found.push(await drawRankings(selector, samples, (...args) => this.#rank(...args)));
    return found;
  }
}
