/**
 * @file Which modules can be wrapped, and how their weights are read. A weight is used as [out, in] here, whatever
 * way round it is stored; another kind of linear layer (a quantised one) is added in this file alone.
 */
import {
  Conv1D,
  Embedding,
  LayerNorm,
  Linear,
  QuantizedLinear,
  RMSNorm,
  setParameter,
  type Context,
  type Module,
} from '@camada/nn';
import type { Tensor } from '@camada/tensor';

/** A module from one tensor to one: a linear layer, an embedding, a norm. */
export interface BaseLayer extends Module {
  call(x: Tensor, context: Context): Tensor;
}

/**
 * A linear layer; a Conv1D (GPT-2) stores its weight [in, out], PEFT's `fan_in_fan_out`. The packed weight of a quantised
 * one is unpacked where it is read.
 */
export type LinearBase = Linear | Conv1D | QuantizedLinear;

/** Weights that are what a packed weight unpacks to: putting them back puts the packed weight back. */
const packed = new WeakSet<Weights>();

/** What merging replaces: the tensors of a layer, in the layer's own layout. */
export interface Weights {
  readonly weight: Tensor;
  readonly bias?: Tensor | undefined;
}

/** Whether a module is a linear layer. */
export function isLinear(module: Module): module is LinearBase {
  return module instanceof Linear || module instanceof Conv1D || module instanceof QuantizedLinear;
}

/** Whether a module is a norm whose weight multiplies; Gemma's adds 1 to it. */
export function isNorm(module: Module): module is LayerNorm | RMSNorm {
  return module instanceof LayerNorm || module instanceof RMSNorm;
}

/** Whether a module is a table of rows. */
export function isEmbedding(module: Module): module is Embedding {
  return module instanceof Embedding;
}

/** Whether the weight is stored [in, out]. */
export function isTransposed(base: Module): boolean {
  return base instanceof Conv1D;
}

/** The weight of a linear layer as [out, in], f32. */
export function linearWeight(base: LinearBase): Tensor {
  const weight = base.weight.cast('f32');
  return isTransposed(base) ? weight.transpose() : weight; // [out, in]
}

/** A matrix [out, in] in the layout in which the layer stores its weight; and back, which is the same. */
export function inLayout(base: Module, matrix: Tensor): Tensor {
  return isTransposed(base) ? matrix.transpose() : matrix;
}

/** Weight and bias of a layer that has them; undefined where there is no weight to merge into. */
export function weightsOf(base: BaseLayer): Weights | undefined {
  if (!isLinear(base) && !isEmbedding(base) && !isNorm(base)) return undefined;
  const weights = { weight: base.weight, bias: 'bias' in base ? base.bias : undefined };
  if (base instanceof QuantizedLinear && !base.numbers) packed.add(weights);
  return weights;
}

/**
 * Puts weights in the place of a layer's own. A packed layer
 * computes with the numbers until it gets back what it unpacks to. Throws ShapeError when a shape differs.
 */
export function replaceWeights(base: BaseLayer, weights: Weights): void {
  const { weight, bias } = weights;
  if (base instanceof QuantizedLinear) base.useNumbers(packed.has(weights) ? undefined : weight);
  else setParameter(base, 'weight', weight);
  if (bias) setParameter(base, 'bias', bias);
}
