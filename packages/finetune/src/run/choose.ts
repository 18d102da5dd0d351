/** @file The layers of a run: scored, chosen, and what training them will cost. */
import { InputError, device } from '@camada/tensor';
import type { ImportanceReport, Ranked } from '@camada/cka';
import type { Model } from '@camada/nn';
import { toBatch, typicalRows } from '../data/batches.ts';
import type { Row } from '../data/encode.ts';
import type { LoadedModel } from '../model/load.ts';
import type { Network } from '../model/network.ts';
import { needsOf } from '../select/choice.ts';
import { scoreLayers, withHeadNote } from '../select/measure.ts';
import { CostModel, isPredictable, type Prediction } from '../select/predict.ts';
import { resolveLayers } from '../select/resolve.ts';
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
  /** Undefined where the method's cost cannot be told beforehand. */
  readonly prediction: Prediction | undefined;
}

/** Scores, chooses and predicts; tells of each. Throws InputError where the choice fits no layer. */
export async function chooseLayers(options: ChooseOptions): Promise<ChosenLayers> {
  const { network, settings } = options;
  const { method, onEvent } = settings;
  let costs: Promise<CostModel> | undefined;
  const costModel = (): Promise<CostModel> => (costs ??= costsOf(options));
  const layers =
    method.type === 'head' || method.type === 'features'
      ? noLayers(settings)
      : await resolveLayers(settings.layers, await ranking(options), costModel);
  if (!isPredictable(method)) return { layers, prediction: undefined };
  const model = await costModel();
  const all = method.type === 'head' ? [] : network.model.layers.map(({ index }) => index);
  const prediction = { chosen: await model.of(layers), all: await model.of(all) };
  onEvent({ type: 'prediction', prediction });
  return { layers, prediction };
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
