/** @file What of a model is packed, and its weights as numbers all the same. */
import { sizeOf, type Tensor } from '@camada/tensor';
import { namedModules, namedParameters, type Module } from '../module.ts';
import { QuantizedEmbedding, QuantizedLinear } from './layers.ts';

/** A layer over a packed weight. */
export type PackedLayer = QuantizedLinear | QuantizedEmbedding;

/** Whether a module stands over a packed weight. */
export function isPacked(module: Module): module is PackedLayer {
  return module instanceof QuantizedLinear || module instanceof QuantizedEmbedding;
}

/** The layers of a model over packed weights, by path. A layer that occurs twice is listed once. */
export function packedLayers(model: Module): Map<string, PackedLayer> {
  const found = new Map<string, PackedLayer>();
  const seen = new Set<Module>();
  for (const [path, module] of namedModules(model)) {
    if (!isPacked(module) || seen.has(module)) continue;
    seen.add(module);
    found.set(path, module);
  }
  return found;
}

/** One array of a model, as a file has it. */
export interface WeightValue {
  readonly name: string;
  readonly shape: readonly number[];
  /** The value as f32, made now: read it and let it go. */
  readonly value: () => Tensor;
}

/** The number of elements in all weights, packed ones included. */
export function countWeights(model: Module): number {
  return weightValues(model).reduce((total, { shape }) => total + sizeOf(shape), 0);
}

/** Parameters and, as numbers, packed weights: everything that a file of the model holds. */
export function weightValues(model: Module): WeightValue[] {
  const plain = [...namedParameters(model)].map(([name, parameter]) => ({
    name,
    shape: parameter.shape,
    value: () => parameter,
  }));
  const packed = [...packedLayers(model)].map(([path, layer]) => ({
    name: `${path}.weight`,
    shape: layer.packed.shape,
    value: () => layer.weight,
  }));
  return [...plain, ...packed];
}
