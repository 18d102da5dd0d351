/**
 * @file What training some layers will cost, told before it is done: the step's graph is built on a model without weights,
 * with the adapter in place, and planned by the engine's own scheduler. Nothing runs but two forward passes, for the time.
 */
import { estimate, type Device, type Tensor } from '@camada/tensor';
import { valueAndGrad } from '@camada/autograd';
import {
  checkpointLayers,
  clipGradNorm,
  createContext,
  hiddenStates,
  namedParameters,
  type Batch,
  type HeadModel,
} from '@camada/nn';
import { lowestLayer } from '../prefix/boundary.ts';
import { shellOf, type Network } from '../model/network.ts';
import type { LoadedModel } from '../model/load.ts';
import { LOW_RANK } from '../train/low-rank.ts';
import type { Method } from '../train/method.ts';
import { prepareTraining } from '../train/trainable.ts';

/** Cost of training some layers, a step at a time. */
export interface TrainingCost {
  readonly layers: readonly number[];
  /** Numbers that train inside the layers. */
  readonly parameters: number;
  /** Numbers of the head that train, whichever layers are chosen. */
  readonly headParameters: number;
  /** The lowest layer that trains, where the backward pass ends; L for the head only, 0 for what stands at the embeddings. */
  readonly lowestLayer: number;
  /** Multiplications and additions of the matrix products of a step. */
  readonly flops: number;
  /** The same where what is below the lowest layer is computed once a text and kept. */
  readonly cachedFlops: number;
  /** Device memory: weights, what trains with its gradients and two moments, and what a step keeps. */
  readonly peakBytes: number;
  /** A step, at the speed of a forward pass on this device; undefined where that was not measured. */
  readonly seconds: number | undefined;
}

/** What training will cost. */
export interface Prediction {
  readonly chosen: TrainingCost;
  /** The same method in all layers. */
  readonly all: TrainingCost;
}

/** Whether the cost of a method can be told from the shapes of a model alone. */
export function isPredictable({ type }: Method): boolean {
  return type === 'head' || type === 'full' || type in LOW_RANK;
}

/** What costs are worked out from. */
export interface CostOptions {
  readonly loaded: LoadedModel;
  readonly network: Network;
  readonly method: Method;
  /** Whether layers are computed again for their gradients. */
  readonly checkpointing?: boolean;
  /** A typical batch of the run. */
  readonly batch: Batch;
  readonly device: Device;
}

/** Costs of choices of layers; each is worked out once. */
export class CostModel {
  readonly #options: CostOptions;
  readonly #known = new Map<string, Promise<TrainingCost>>();
  #secondsPerFlop: number | undefined;

  constructor(options: CostOptions) {
    this.#options = options;
  }

  /** Times two forward passes after one that compiles. */
  async calibrate(): Promise<void> {
    const { network, batch } = this.#options;
    const flops = this.#estimate([forward(network.model, batch)]).flops;
    let best = Infinity;
    for (let pass = 0; pass < 3; pass++) {
      const loss = forward(network.model, batch);
      const began = performance.now();
      await loss.item();
      if (pass > 0) best = Math.min(best, performance.now() - began);
      loss.dispose();
    }
    this.#secondsPerFlop = best / 1000 / flops;
  }

  /** The cost of training these layers. Throws InputError as `prepareTraining` does. */
  of(layers: readonly number[]): Promise<TrainingCost> {
    const key = layers.join();
    const known = this.#known.get(key) ?? this.#workOut(layers);
    this.#known.set(key, known);
    return known;
  }

  async #workOut(layers: readonly number[]): Promise<TrainingCost> {
    const { loaded, network, batch, checkpointing } = this.#options;
    const shell = shellOf(loaded, network);
    const { parameters } = await prepareTraining(shell, {
      method: this.#shape(),
      layers,
      seed: 0,
      baseName: loaded.name,
      steps: 100,
    });
    const { model } = shell;
    if (checkpointing) checkpointLayers(model);
    const lowest = lowestLayer(model, parameters.keys());
    const step = this.#estimate(stepTensors(model, batch, [...parameters.values()]));
    const size = sizeOf(parameters.values());
    const own = sizeOf(inLayers(model, parameters));
    return {
      layers,
      parameters: own,
      headParameters: size - own,
      lowestLayer: lowest,
      flops: step.flops,
      cachedFlops: step.flops - this.#flopsBelow(model, lowest),
      peakBytes: weightBytes(network.model) + STATES * size + step.scratchBytes + step.outputBytes,
      seconds: this.#secondsPerFlop === undefined ? undefined : step.flops * this.#secondsPerFlop,
    };
  }

  /** Methods that begin with a part of the weights, which the shell lacks, have LoRA's shapes. */
  #shape(): Method {
    const { method } = this.#options;
    if (method.type !== 'pissa' && method.type !== 'olora') return method;
    const { init: _, ...shapes } = method;
    return { ...shapes, type: 'lora' };
  }

  /** Of a forward pass up to the input of a layer. */
  #flopsBelow(model: HeadModel, layer: number): number {
    if (layer === 0) return 0;
    return this.#estimate([hiddenStates(model, this.#options.batch, createContext())[layer]!])
      .flops;
  }

  #estimate(tensors: readonly Tensor[]): ReturnType<typeof estimate> {
    return estimate(tensors, this.#options.device.backend.scheduleLimits);
  }
}

/** Bytes a trained number: itself and AdamW's two moments; its gradient is among the step's results. */
const STATES = 12;

function forward(model: HeadModel, batch: Batch): Tensor {
  return model.loss(model.call(batch, createContext()), batch);
}

function stepTensors(model: HeadModel, batch: Batch, parameters: readonly Tensor[]): Tensor[] {
  const context = createContext({ training: true });
  const { value, gradients } = valueAndGrad(
    () => model.loss(model.call(batch, context), batch),
    parameters,
  );
  return [value, ...clipGradNorm(gradients, 1).gradients];
}

function* inLayers(model: HeadModel, parameters: ReadonlyMap<string, Tensor>): Generator<Tensor> {
  for (const [name, parameter] of parameters)
    if (model.layers.some((layer) => name.startsWith(`${layer.name}.`))) yield parameter;
}

function sizeOf(tensors: Iterable<Tensor>): number {
  let sum = 0;
  for (const { size } of tensors) sum += size;
  return sum;
}

function weightBytes(model: HeadModel): number {
  let sum = 0;
  for (const { size, dtype } of namedParameters(model).values())
    sum += size * (dtype === 'f16' || dtype === 'bf16' ? 2 : 4);
  return sum;
}
