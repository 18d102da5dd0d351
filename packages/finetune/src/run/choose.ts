/** @file The layers of a run: scored, chosen, and what training them will cost. */
import { InputError, device } from '@camada/tensor';
import { allotRanks, type ImportanceReport, type Ranked } from '@camada/cka';
import type { Model } from '@camada/nn';
import { toBatch, typicalRows } from '../data/batches.ts';
import type { Row } from '../data/encode.ts';
import type { LoadedModel } from '../model/load.ts';
import type { Network } from '../model/network.ts';
import { needsOf } from '../select/choice.ts';
import { scoreLayers, withHeadNote } from '../select/measure.ts';
import { CostModel, isPredictable, type Prediction } from '../select/predict.ts';
import { resolveLayers } from '../select/resolve.ts';
import { LOW_RANK } from '../train/low-rank.ts';
import { isAdapterMethod, type Method } from '../train/method.ts';
import type { Settings } from './options.ts';

/** What the choice is made from. */
export interface ChooseOptions {
  readonly loaded: LoadedModel;
  readonly network: Network;
  readonly rows: readonly Row[];
  readonly maxLength: number;
  readonly settings: Settings;
  /** CKA's measurement; undefined where there was none. */
  readonly importance: ImportanceReport | undefined;
}

/** Layers and what is known of them. */
export interface ChosenLayers {
  /** Numbers of the layers to train, ascending. */
  readonly layers: readonly number[];
  /** The run's method, with ranks where they follow the scores. */
  readonly method: Method;
  /** Undefined where the method's cost cannot be told beforehand. */
  readonly prediction: Prediction | undefined;
}

/** Scores, chooses and predicts; tells of each. Throws InputError where the choice fits no layer. */
export async function chooseLayers(options: ChooseOptions): Promise<ChosenLayers> {
  const { network, settings } = options;
  const { method, onEvent } = settings;
  let costs: Promise<CostModel> | undefined;
  const costModel = (): Promise<CostModel> => (costs ??= costsOf(options));
  const frozen = method.type === 'head' || method.type === 'features';
  const ranked = frozen ? unscored(network.model) : await ranking(options);
  const layers = frozen
    ? noLayers(settings)
    : await resolveLayers(settings.layers, ranked, costModel);
  const chosen = {
    layers,
    method: settings.rankByImportance ? withRanks(method, ranked, layers) : method,
  };
  if (!isPredictable(method)) return { ...chosen, prediction: undefined };
  const model = await costModel();
  const all = frozen ? [] : network.model.layers.map(({ index }) => index);
  const prediction = { chosen: await model.of(layers), all: await model.of(all) };
  onEvent({ type: 'prediction', prediction });
  return { ...chosen, prediction };
}

/** VeRA shares its matrices, AdaLoRA finds ranks itself. */
const NO_RANKS: readonly string[] = ['vera', 'adalora'];

/**
 * A method whose rank follows the scores. PEFT's patterns match the end of a path, and what stands before it differs:
 * so the first name of a layer's path is left out.
 */
function withRanks(method: Method, ranked: Ranked, layers: readonly number[]): Method {
  if (!isAdapterMethod(method) || !(method.type in LOW_RANK) || NO_RANKS.includes(method.type))
    throw new InputError(`rank-by-importance goes with LoRA and its kin, not with ${method.type}.`);
  const ranks = [...allotRanks(ranked, layers, method.r ?? 8)].map(([layer, rank]) => {
    const [, ...path] = ranked.layers[layer]!.name.split('.');
    return [`${path.join('\\.')}\\..*`, rank];
  });
  return { ...method, ranks: Object.fromEntries(ranks) };
}

function noLayers({ layers, method, onEvent }: Settings): readonly number[] {
  const text = `With the method '${method.type}' all layers stay frozen: the choice of layers has no effect.`;
  if (layers.select !== 'all') onEvent({ type: 'note', text });
  return [];
}

/** Scores by the choice's selector; those of a list are not asked for. */
async function ranking(options: ChooseOptions): Promise<Ranked> {
  const { network, rows, maxLength, settings, importance } = options;
  const { layers: choice, samples, seed, batchSize, paper, onEvent } = settings;
  if (choice.select === 'list') return unscored(network.model);
  if (choice.select === 'cka' && importance) return importance;
  if (samples === 0 && needsOf(choice) !== 'nothing')
    throw new InputError(`layers ${choice.select} needs a measurement; let samples be above 0.`);
  const scores = await scoreLayers(
    choice.select,
    network.model,
    rows,
    { batchSize, maxLength },
    {
      samples,
      paper,
      seed: choice.seed ?? seed,
      onProgress: (done, total) => onEvent({ type: 'progress', phase: 'measure', done, total }),
    },
  );
  onEvent({
    type: 'ranking',
    selector: choice.select,
    scores: withHeadNote(scores, network, needsOf(choice)),
  });
  return scores;
}

function unscored(model: Model): Ranked {
  const layers = model.layers.map(({ index, name }) => {
    return { index, name, importance: 0, low: 0, high: 0 };
  });
  return { layers, protocol: 'camada' };
}

async function costsOf({
  loaded,
  network,
  rows,
  maxLength,
  settings,
}: ChooseOptions): Promise<CostModel> {
  const { batchSize, method, checkpointing } = settings;
  const batch = toBatch(typicalRows(rows, batchSize), network.model.limits, { maxLength });
  const target = await device();
  const model = new CostModel({ loaded, network, method, batch, checkpointing, device: target });
  await model.calibrate();
  return model;
}
