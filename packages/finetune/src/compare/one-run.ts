/** @file One training run of a comparison. */
import { device } from '@camada/tensor';
import { evaluationBatches, toBatch } from '../data/batches.ts';
import { evaluateRows } from '../eval/evaluate.ts';
import { CostModel, type TrainingCost } from '../select/predict.ts';
import { countSteps, train, type StepReport } from '../train/loop.ts';
import { usualLearningRate, type Method } from '../train/method.ts';
import { prepareTraining } from '../train/trainable.ts';
import { disposeNetwork, freshNetwork, type Ground } from './ground.ts';
import { methodName } from './recipe.ts';
import type { RunRecord } from './results.ts';
import { retained, type SecondTask } from './retention.ts';

/** What is trained. */
export interface OneRun {
  readonly method: Method;
  readonly layers: readonly number[];
  readonly seed: number;
}

/** Trains and measures. Throws InputError as `finetune` does. */
export async function runOnce(
  ground: Ground,
  { method, layers, seed }: OneRun,
  second: SecondTask | undefined,
  cost: TrainingCost,
  onStep: (report: StepReport) => void,
): Promise<RunRecord> {
  const { settings, rows, shape, stores, loaded } = ground;
  const network = await freshNetwork(ground, seed);
  const { model } = network;
  const steps = countSteps(rows.train.rows.length, settings);
  const options = { method, layers, seed, steps, baseName: loaded.name };
  const { parameters, hooks } = await prepareTraining(network, options);
  const prefix = await stores.prefixFor(model, parameters.keys());
  const learningRate = settings.learningRate ?? usualLearningRate(method, model.config.hidden_size);
  const shared = { ...settings, ...shape, learningRate, seed, hooks, prefix };
  const history = await train(model, parameters, rows.train.rows, shared, onStep);
  const metrics = await evaluateRows(network, rows.test.rows, shape, undefined, prefix);
  const retention = second && (await retained(network, second, shape));
  for (const parameter of parameters.values()) parameter.dispose();
  disposeNetwork(network);
  return {
    kind: 'run',
    method: methodName(method),
    layers,
    seed,
    metrics,
    ...(retention !== undefined && { retention }),
    ...times(history),
    peakBytes: cost.peakBytes,
    parameters: cost.parameters,
    headParameters: cost.headParameters,
    entry: prefix?.layer ?? 0,
  };
}

function times(history: readonly StepReport[]): Pick<RunRecord, 'seconds' | 'stepSeconds'> {
  const lengths = history.slice(1).map(({ seconds }, i) => seconds - history[i]!.seconds);
  const sorted = lengths.sort((a, b) => a - b);
  const seconds = history.at(-1)?.seconds ?? 0;
  return { seconds, stepSeconds: sorted[Math.floor(sorted.length / 2)] ?? seconds };
}

/** Costs of a method, planned for the longest batch of the data. */
export async function costModelOf(ground: Ground, method: Method): Promise<CostModel> {
  const { loaded, network, rows, shape } = ground;
  const longest = evaluationBatches(rows.train.rows, shape).at(-1)!;
  const batch = toBatch(longest, network.model.limits, shape);
  return new CostModel({ loaded, network, method, batch, device: await device() });
}
