/**
 * @file Feature-based fine-tuning: the model stays frozen, what its last layer reads is computed once a text, and the layer
 * is the solution of a logistic regression on that (not a few steps towards it), with a penalty chosen by
 * cross-validation.
 */
import { InputError, tensor } from '@camada/tensor';
import { crossValidate, fitLogistic, type Features } from '@camada/lora';
import {
  createContext,
  getModule,
  namedParameters,
  setModule,
  setParameter,
  type Context,
  type Layer,
  type Module,
} from '@camada/nn';
import type { Tensor } from '@camada/tensor';
import { disposeBatch, evaluationBatches, toBatch, type BatchShape } from '../data/batches.ts';
import type { Row } from '../data/encode.ts';
import { biasOf, outputWeight } from '../model/head.ts';
import type { Network } from '../model/network.ts';
import type { StepReport } from './loop.ts';

/** What happens on the way. */
export interface FeatureEvents {
  readonly note: (text: string) => void;
  readonly onProgress: (done: number, total: number) => void;
}

/** Parameters of the last layer by name. Throws InputError unless the network tells classes apart. */
export function featureParameters({ model, task }: Network): Map<string, Tensor> {
  const all = namedParameters(model);
  const weight = outputWeight((name) => all.has(name));
  if (task !== 'classification' || weight === undefined)
    throw new InputError(
      `The method 'features' solves a logistic regression, which is for classification, not ${task}; use head.`,
    );
  return new Map(
    [weight, biasOf(weight)].flatMap((name) => (all.has(name) ? [[name, all.get(name)!]] : [])),
  );
}

/** Solves for the last layer and puts it into the model; one report. Throws InputError. */
export async function fitFeatures(
  network: Network,
  rows: readonly Row[],
  shape: BatchShape,
  { note, onProgress }: FeatureEvents,
): Promise<StepReport[]> {
  const began = performance.now();
  const [weight, bias] = featureParameters(network).keys();
  const features = await featuresOf(
    network,
    weight!.replace(/\.weight$/, ''),
    rows,
    shape,
    onProgress,
  );
  const { C, losses } = crossValidate(features);
  const fit = fitLogistic(features, { C });
  const classes = features.classes;
  setParameter(
    network.model,
    weight!,
    tensor(Float32Array.from(fit.weight), [classes, features.width]),
  );
  if (bias !== undefined)
    setParameter(network.model, bias, tensor(Float32Array.from(fit.bias), [classes]));
  const tried = [...losses].map(([c, loss]) => `${c}: ${loss.toFixed(4)}`).join(', ');
  note(`Held-out loss by C: ${tried}. C ${C} was solved in ${fit.iterations} iterations.`);
  const seconds = (performance.now() - began) / 1000;
  const gradientNorm = fit.gradient;
  return [{ step: 1, steps: 1, epoch: 1, loss: fit.loss, learningRate: 0, gradientNorm, seconds }];
}

/** What the layer at a path reads for each row. */
async function featuresOf(
  { model, labels }: Network,
  path: string,
  rows: readonly Row[],
  shape: BatchShape,
  onProgress: (done: number, total: number) => void,
): Promise<Features> {
  const layer = getModule(model, path) as Module & Layer;
  const recorder = new Recorder(layer);
  setModule(model, path, recorder);
  const values: number[] = [];
  const targets: number[] = [];
  try {
    for (const group of evaluationBatches(rows, shape)) {
      const batch = toBatch(group, model.limits, shape);
      model.call(batch, createContext());
      const read = await recorder.seen!.data(); // [B, D]
      const kept = group.rows.length - group.filler;
      const width = read.length / group.rows.length;
      for (let i = 0; i < kept * width; i++) values.push(read[i]!);
      targets.push(...group.rows.slice(0, kept).map(({ target }) => Number(target)));
      disposeBatch(batch);
      onProgress(targets.length, rows.length);
    }
  } finally {
    setModule(model, path, layer);
  }
  return {
    values,
    width: values.length / targets.length,
    labels: targets,
    classes: labels!.names.length,
  };
}

/** Stands in a layer's place and keeps what it reads. */
class Recorder implements Layer {
  readonly base_layer: Layer;
  seen: Tensor | undefined;

  constructor(layer: Layer) {
    this.base_layer = layer;
  }

  call(x: Tensor, context: Context): Tensor {
    this.seen = x;
    return this.base_layer.call(x, context);
  }
}
