/** @file Which weights matter: scores by which sparse fine-tuning chooses. */
import { grad } from '@camada/autograd';
import { createContext, type Batch, type HeadModel, type Module } from '@camada/nn';
import { linearWeight, isTransposed, type LinearBase } from '../adapter/base.ts';
import { baseAt, linearNames } from '../method/add.ts';

/** |W| of linear layers, [out, in] by path. */
export async function magnitudes(model: Module): Promise<Map<string, Float64Array>> {
  const scores = new Map<string, Float64Array>();
  for (const path of linearNames(model)) {
    const rows = linearWeight(baseAt(model, path) as LinearBase); // [out, in]
    scores.set(path, Float64Array.from(await rows.data(), Math.abs));
  }
  return scores;
}

/**
 * The empirical Fisher information of the weights of linear layers, [out, in] by path: the mean of the squared gradients of
 * the loss over examples (Sung et al. 2021, https://arxiv.org/abs/2111.09839, equation 3, with the true labels).
 * @param batches one example each: squares of sums would be something else.
 * @param paths of the layers; all linear layers when left out.
 */
export async function fisherScores(
  model: HeadModel,
  batches: Iterable<Batch>,
  paths: readonly string[] = linearNames(model),
): Promise<Map<string, Float64Array>> {
  const layers = paths.map((path) => baseAt(model, path) as LinearBase);
  const sums = layers.map(({ weight }) => new Float64Array(weight.size));
  let count = 0;
  for (const batch of batches) {
    count++;
    const loss = model.loss(model.call(batch, createContext()), batch);
    const gradients = grad(
      loss,
      layers.map(({ weight }) => weight),
    );
    for (const [i, gradient] of gradients.entries()) {
      const oriented = isTransposed(layers[i]!) ? gradient.transpose() : gradient; // [out, in]
      const values = await oriented.data();
      const sum = sums[i]!;
      for (let j = 0; j < sum.length; j++) sum[j]! += values[j]! ** 2;
    }
  }
  for (const sum of sums) for (let j = 0; j < sum.length; j++) sum[j]! /= Math.max(1, count);
  return new Map(paths.map((path, i) => [path, sums[i]!]));
}
