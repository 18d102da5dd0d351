/**
 * @file Seeded initial values, made on the host. Every parameter draws from its own Philox stream, keyed by
 * the seed and its name, so its value depends neither on the order nor on the presence of others.
 */
import { foldKey, sizeOf, tensor, type RandomKey, type Shape, type Tensor } from '@camada/tensor';
import { seedKey } from './context.ts';
import {
  getParameter,
  namedModules,
  namedParameters,
  setParameter,
  type Module,
} from './module.ts';
import { Conv1D } from './layers/conv1d.ts';
import { Embedding } from './layers/embedding.ts';
import { Linear } from './layers/linear.ts';
import { Random } from './rng.ts';

/** The key of one named parameter: the seed folded with the FNV-1a hash of the name. */
export function parameterKey(seed: number, name: string): RandomKey {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return foldKey(seedKey(seed), hash >>> 0);
}

/** f32 tensor of independent normal numbers with mean 0 and the given standard deviation. */
export function normal(shape: Shape, deviation: number, key: RandomKey): Tensor {
  const random = new Random(key);
  return filled(shape, () => deviation * random.normal());
}

/** f32 tensor of independent uniform numbers in [low, high). */
export function uniform(shape: Shape, low: number, high: number, key: RandomKey): Tensor {
  const random = new Random(key);
  return filled(shape, () => low + (high - low) * random.uniform());
}

/**
 * Kaiming uniform for a weight [out, in]: U(−b, b) with b = √(6 / ((1 + a²)·in)); He et al. 2015,
 * https://arxiv.org/abs/1502.01852. With a = √5, PEFT's choice for `lora_A`, b is 1/√in.
 */
export function kaimingUniform(shape: Shape, a: number, key: RandomKey): Tensor {
  const fanIn = sizeOf(shape.slice(1));
  const bound = Math.sqrt(6 / ((1 + a * a) * fanIn));
  return uniform(shape, -bound, bound, key);
}

/**
 * Gives weights of Linear, Conv1D and Embedding modules normal values with standard deviation `deviation`
 * (`initializer_range`), as BERT and Llama do; biases and norms keep the 0 and 1 they were built with.
 * @param only names to initialise; all parameters when left out.
 */
export function initializeParameters(
  model: Module,
  deviation: number,
  seed: number,
  only?: readonly string[],
): void {
  const names = weightNames(model);
  const chosen = only ?? [...namedParameters(model).keys()];
  for (const name of chosen) {
    if (!names.has(name)) continue;
    const { shape } = getParameter(model, name);
    setParameter(model, name, normal(shape, deviation, parameterKey(seed, name)));
  }
}

function weightNames(model: Module): Set<string> {
  const names = new Set<string>();
  for (const [path, module] of namedModules(model))
    if (module instanceof Linear || module instanceof Embedding || module instanceof Conv1D)
      names.add(`${path}.weight`);
  return names;
}

function filled(shape: Shape, draw: () => number): Tensor {
  const values = new Float32Array(sizeOf(shape));
  for (let i = 0; i < values.length; i++) values[i] = draw();
  return tensor(values, shape);
}
