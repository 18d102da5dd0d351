/** @file Shared by the selectors that look at the gradients of a layer's parameters, for a batch or an example at a time. */
import { isFloat, stack, type Tensor } from '@camada/tensor';
import { grad } from '@camada/autograd';
import { createContext, namedParameters, type Batch, type HeadModel, type Model } from '@camada/nn';
import { LayerMeans } from './summary.ts';
import { withHead, type Batches, type LayerScores, type ScoreOptions } from './selector.ts';

/** One number [] for a layer from its parameters and their gradients. */
export type GradientMeasure = (
  gradients: readonly Tensor[],
  parameters: readonly Tensor[],
) => Tensor;

/** How a score comes from gradients. */
export interface GradientScore {
  /** Whether examples go one at a time, or batch by batch. */
  readonly single: boolean;
  readonly measure: GradientMeasure;
}

/** Why a layer has no score by these selectors. */
const NO_PARAMETERS = 'it has no parameters that a gradient could reach';

/** Means of a measure over batches or examples; every backward pass keeps one number a layer. */
export async function overGradients(
  name: string,
  model: Model,
  batches: Batches,
  options: ScoreOptions,
  { single, measure }: GradientScore,
): Promise<LayerScores> {
  const means = new LayerMeans(name, model);
  const head = withHead(name, model);
  const layers = layerParameters(model);
  for await (const batch of batches) {
    for (const part of single ? singles(batch) : [batch]) {
      const found = gradientsOf(head, part, layers);
      const filled = await layerNumbers(layers, found, measure);
      const count = part.inputIds.shape[0]!;
      means.add(
        filled.map((value) => value * count),
        layers.map((own) => (own.length > 0 ? count : 0)),
        count,
      );
      options.onProgress?.(means.examples);
    }
  }
  return means.finish(options, NO_PARAMETERS);
}

/** The measure of every layer that has parameters; 0 for the others. */
async function layerNumbers(
  layers: readonly (readonly Tensor[])[],
  gradients: readonly (readonly Tensor[])[],
  measure: GradientMeasure,
): Promise<number[]> {
  const trained = layers.flatMap((own, i) => (own.length > 0 ? [i] : []));
  const scalars = trained.map((i) => measure(gradients[i]!, layers[i]!).reshape([])); // [] each
  const result = layers.map(() => 0);
  if (scalars.length === 0) return result;
  const data = await stack(scalars, 0).data();
  trained.forEach((layer, at) => (result[layer] = data[at]!));
  return result;
}

/** The floating-point parameters of each layer. */
export function layerParameters(model: Model): Tensor[][] {
  const named = [...namedParameters(model)].filter(([, { dtype }]) => isFloat(dtype));
  return model.layers.map(({ name }) =>
    named.filter(([path]) => path.startsWith(`${name}.`)).map(([, parameter]) => parameter),
  );
}

/** Gradients of the batch's mean loss, layer by layer, lazily. */
export function gradientsOf(
  model: HeadModel,
  batch: Batch,
  layers: readonly (readonly Tensor[])[],
): Tensor[][] {
  const context = createContext({ training: false });
  const loss = model.loss(model.call(batch, context), batch); // []
  const all = grad(loss, layers.flat());
  let at = 0;
  return layers.map((own) => all.slice(at, (at += own.length)));
}

/** The examples of a batch, each as a batch of its own. */
export function* singles(batch: Batch): Generator<Batch> {
  for (let row = 0; row < batch.inputIds.shape[0]!; row++) {
    const one = (x: Tensor | undefined): Tensor | undefined => x?.slice(0, row, row + 1);
    const [tokenTypeIds, labels] = [one(batch.tokenTypeIds), one(batch.labels)];
    yield {
      inputIds: one(batch.inputIds)!,
      attentionMask: one(batch.attentionMask)!,
      ...(tokenTypeIds && { tokenTypeIds }),
      ...(labels && { labels }),
    };
  }
}

/** Σ of f(x) over all elements of several tensors, []. */
export function total(tensors: readonly Tensor[], f: (x: Tensor, at: number) => Tensor): Tensor {
  return tensors.map((x, at) => f(x, at).sum()).reduce((sum, part) => sum.add(part));
}

/** How many numbers tensors have together. */
export function sizeOf(tensors: readonly Tensor[]): number {
  return tensors.reduce((sum, { size }) => sum + size, 0);
}
